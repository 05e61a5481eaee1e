import type { ActualAccount } from '../model/change.ts';
import type { PersonId } from '../model/person.ts';
import { sameEmail } from './correlate.ts';
import type { PlanReads } from './job.ts';

/**
 * Whether what we remember as somebody's account is another one by now. Some backends give the id of a deleted account
 * to the next one; without this its new owner could never be linked.
 */
export async function isStaleOwner(
  directory: PlanReads,
  owner: PersonId,
  target: string,
  account: Pick<ActualAccount, 'id' | 'userName' | 'profile'>,
): Promise<boolean> {
  const link = await directory.accounts.get(owner, target);
  if (link?.accountId !== account.id || link.userName === account.userName) return false;
  const who = await directory.people.get(owner);
  return !sameEmail(who?.email, account.profile.email);
}
