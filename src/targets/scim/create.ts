import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import { resource } from '../../ops/scim/documents.ts';
import { newUser, toAccount } from './documents.ts';
import type { WriteParts } from './parts.ts';
import { conflict, invalid, refuseProtected } from './refusals.ts';

/**
 * One POST, without groups. After a refusal the account that another instance made for the same person, or the next user
 * name. Throws `user_name_taken`, `target_conflict`, `profile_invalid`.
 */
export async function createAccount(parts: WriteParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const { api, discovery } = parts;
  const { users, ownId } = await discovery.features(signal);
  let isExplained = true;
  for (const userName of namesFrom(changes)) {
    const call = { method: 'POST', path: [users], body: newUser(changes, userName), signal } as const;
    const response = await api.call(call, [200, 201, 400, 409]);
    if (response.status === 400) throw invalid(response, 'POST Users');
    if (response.status !== 409) {
      return { outcome: 'applied', account: toAccount(api.parse(resource, response), [], ownId) };
    }
    const holder = await whoWasFaster(parts, changes, userName, signal);
    if (typeof holder === 'object') return { outcome: 'already', account: holder };
    if (holder === 'nobody') isExplained = false;
  }
  if (!isExplained) throw conflict('something that cannot be found keeps the account from being made');
  throw new LatchgateError('user_name_taken', 'every user name for this person is another account', {
    detail: { target: changes.desired.target },
  });
}

/** The planned name and those after it: the ones before it are taken, if only by a name that differs in case. */
function namesFrom({ userName, desired }: ChangeSet): readonly string[] {
  return [...new Set([userName, ...desired.userNames.slice(desired.userNames.indexOf(userName) + 1)])];
}

/** After 409: `somebody` has the user name, or `nobody` whom we could find has it. */
async function whoWasFaster(
  { accounts }: WriteParts,
  { desired }: ChangeSet,
  userName: string,
  signal: AbortSignal,
): Promise<ActualAccount | 'somebody' | 'nobody'> {
  const holder = await accounts.byUserName(userName, signal);
  const { externalId } = desired;
  const isMarked = externalId !== '' && holder?.['externalId'] === externalId;
  const own = isMarked || externalId === '' ? undefined : await accounts.byExternalId(externalId, signal);
  const mine = isMarked ? holder : own;
  if (mine === undefined) return holder === undefined ? 'nobody' : 'somebody';
  const account = await accounts.withGroups(mine, signal);
  refuseProtected(account);
  // Whoever switched it off meant it; the next plan says so.
  if (!account.active) throw conflict('the account was switched off since a moment ago');
  return account;
}
