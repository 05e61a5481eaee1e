import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { createAccount } from './create.ts';
import { refuseProtected } from './refusals.ts';
import { type ApplyParts, idOf, updateAccount } from './update.ts';

/**
 * Writes one account's changes: one POST or one PUT, computed from what is there at that moment. Superset's 400, 422
 * and 500 are told apart by reading again, never by their text. Throws `target_conflict` when the account is not any
 * more what was read, `user_name_taken`, `role_missing`, `group_missing`, `profile_invalid`.
 */
export async function applyChanges(parts: ApplyParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const { actual } = changes;
  if (actual === undefined) return createAccount(parts, changes, signal);
  refuseProtected(actual);
  return changes.remove === true ? removeAccount(parts, actual, signal) : updateAccount(parts, changes, actual, signal);
}

async function removeAccount(parts: ApplyParts, read: ActualAccount, signal: AbortSignal): Promise<Applied> {
  const current = await parts.accounts.byId(read.id, signal);
  const gone = { ...read, active: false, entitlements: [] };
  if (current === undefined || current.userName !== read.userName) return { outcome: 'already', account: gone };
  refuseProtected(current);
  await parts.stillOurs?.();
  if (parts.mayDelete) {
    const call = { method: 'DELETE', path: `users/${idOf(read)}`, signal } as const;
    const { outcome } = await parts.api.call(call, [200, 422, 500, 'gone']);
    if (outcome === 200) return { outcome: 'applied', account: gone };
    if (outcome === 'gone') return { outcome: 'already', account: gone };
    // 422: something in Superset belongs to the account, and is lost without it.
  }
  return updateAccount(parts, { profile: {}, active: false, add: [], drop: [], create: [] }, current, signal);
}
