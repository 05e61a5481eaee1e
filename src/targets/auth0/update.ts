import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { userRecord } from '../../ops/auth0/documents.ts';
import { toAccount, toNames } from './documents.ts';
import type { WriteParts } from './parts.ts';
import { conflict, refusal, refuseEnding, refuseProtected } from './refusals.ts';

/** Names and the switch in one PATCH, the e-mail in one of its own. Roles are not written here. */
export async function updateAccount(
  parts: WriteParts,
  changes: Pick<ChangeSet, 'profile' | 'active'>,
  read: ActualAccount,
  signal: AbortSignal,
): Promise<Applied> {
  const { profile, active } = changes;
  if (active === false) refuseEnding(read);
  const names = toNames(profile);
  const first = { ...names, ...(active === undefined ? {} : { blocked: !active }) };
  const email = profile.email ?? undefined;
  if (Object.keys(first).length === 0 && email === undefined) return { outcome: 'already', account: read };
  let account = read;
  if (Object.keys(first).length > 0) account = await patch(parts, account, first, signal);
  if (email !== undefined) account = await changeEmail(parts, account, email, signal);
  return { outcome: 'applied', account };
}

async function patch(
  { api, view }: WriteParts,
  read: ActualAccount,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<ActualAccount> {
  const response = await api.call({ method: 'PATCH', path: ['users', read.id], body, signal }, [200, 400, 404, 409]);
  if (response.status === 404) throw conflict('the account is gone');
  if (response.status !== 200) throw refusal(response, 'PATCH users/ID');
  const account = toAccount(api.parse(userRecord, response), read.entitlements, view);
  if (account === undefined) throw conflict('the account is of another connection now');
  return account;
}

async function changeEmail(
  parts: WriteParts,
  read: ActualAccount,
  email: string,
  signal: AbortSignal,
): Promise<ActualAccount> {
  const { view, verifyEmail, emailVerified, accounts } = parts;
  const body = {
    connection: view.connection,
    email,
    verify_email: verifyEmail,
    ...(emailVerified ? { email_verified: true } : {}),
  };
  try {
    return await patch(parts, read, body, signal);
  } catch (thrown) {
    const holders = await accounts.byEmail(email, signal);
    if (holders.some(({ id }) => id !== read.id)) {
      throw conflict('another account has this e-mail since a moment ago');
    }
    throw thrown;
  }
}

/** Looks once more before it deletes: what has other identities is only blocked, what is not any more what was read stays. */
export async function removeAccount(parts: WriteParts, read: ActualAccount, signal: AbortSignal): Promise<Applied> {
  const gone = { ...read, active: false, entitlements: [] };
  const current = await parts.accounts.withoutRoles(read.id, signal);
  if (current === undefined) return { outcome: 'already', account: gone };
  refuseProtected(current);
  refuseEnding(current);
  if (current.profile.email !== read.profile.email) throw conflict('the account has another e-mail now');
  if (current.never === 'delete') {
    if (!current.active) return { outcome: 'already', account: { ...read, active: false } };
    return updateAccount(parts, { profile: {}, active: false }, read, signal);
  }
  await parts.stillOurs?.();
  await parts.api.call({ method: 'DELETE', path: ['users', read.id], signal }, [204, 404]);
  return { outcome: 'applied', account: gone };
}
