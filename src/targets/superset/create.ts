import { randomBytes } from 'node:crypto';
import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import { parseAnswer } from './api.ts';
import { createdAnswer, PROFILE_MEMBERS, sameText, toColumns } from './documents.ts';
import { entitlementsAfter, inOrder, membershipColumns, resolveAdditions } from './memberships.ts';
import { conflict, invalid, refuseProtected, unavailable } from './refusals.ts';
import { type ApplyParts, updateAccount } from './update.ts';

/** One POST with roles and groups; after a refusal the account that another instance made, or the next user name. */
export async function createAccount(parts: ApplyParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const names = namesFrom(changes);
  let isExplained = true;
  for (const userName of names) {
    const made = await postAccount(parts, changes, userName, signal);
    if (typeof made === 'object') return { outcome: 'applied', account: made };
    const holder = await whoWasFaster(parts, changes, userName, signal);
    if (holder === 'nobody') {
      if (made === 500) throw unavailable();
      isExplained = false;
    }
    if (typeof holder === 'object') return completeAccount(parts, holder, changes, signal);
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

/** The new account, or the status of the refusal. */
async function postAccount(
  parts: ApplyParts,
  changes: ChangeSet,
  userName: string,
  signal: AbortSignal,
): Promise<ActualAccount | 422 | 500> {
  for (let attempt = 0; ; attempt += 1) {
    const entitlements = inOrder(entitlementsAfter(EMPTY, await resolveAdditions(parts, changes, signal), []));
    const columns = { username: userName, ...toColumns(changes.profile), ...membershipColumns(entitlements) };
    const body = { ...columns, password: unusablePassword(), active: true };
    const call = { method: 'POST', path: 'users/', body, signal } as const;
    const { outcome, response } = await parts.api.call(call, [201, 400, 422, 500]);
    if (outcome === 201) {
      const id = String(parseAnswer(createdAnswer, response).id);
      return { ...EMPTY, id, userName, profile: profileOf(changes), entitlements };
    }
    if (outcome === 422 || outcome === 500) return outcome;
    // 400: a role or group vanished since it was found, which the second look sees; or a value that is not taken.
    if (attempt > 0) throw invalid();
  }
}

const EMPTY: ActualAccount = { id: '', userName: '', active: true, profile: {}, entitlements: [], isProtected: false };

function profileOf({ profile }: ChangeSet): ActualAccount['profile'] {
  return Object.fromEntries(PROFILE_MEMBERS.map((member) => [member, profile[member] ?? null]));
}

/**
 * After a refused creation: the account when it is this person's, which is when both user name and e-mail are theirs;
 * `somebody` when only the user name is taken; `nobody` when nothing explains the refusal.
 */
async function whoWasFaster(
  { accounts }: ApplyParts,
  { desired, profile }: ChangeSet,
  userName: string,
  signal: AbortSignal,
): Promise<ActualAccount | 'somebody' | 'nobody'> {
  const candidates = [userName, ...desired.userNames];
  const byEmail = profile.email ? await accounts.byText('email', profile.email, signal) : [];
  const own = byEmail.find((account) => candidates.some((name) => sameText(name, account.userName)));
  if (own !== undefined) return own;
  if (byEmail.length > 0) throw conflict('another account has this e-mail since a moment ago');
  const byName = await accounts.byText('username', userName, signal);
  return byName.length > 0 ? 'somebody' : 'nobody';
}

/** Only adds: what the other instance wrote was the same plan, or a later one. */
async function completeAccount(
  parts: ApplyParts,
  account: ActualAccount,
  changes: ChangeSet,
  signal: AbortSignal,
): Promise<Applied> {
  refuseProtected(account);
  if (!account.active) throw conflict('the account was switched off since a moment ago');
  const { add, create } = changes;
  return updateAccount(parts, { profile: {}, add, drop: [], create }, account, signal);
}

/** Nobody knows it, and it passes Superset's own rules for passwords where they are switched on. */
function unusablePassword(): string {
  return `${randomBytes(32).toString('base64url')}!Aa1Aa1a`;
}
