import type { DecisionRecord } from '../directory/decisions.ts';
import type { PersonId } from '../model/person.ts';

/**
 * What an operator can do about `account_taken`: the account, or the address, is `owner`'s so far, or in our books nobody's
 * (undefined), and nobody vouches that the address is the newcomer's. `who` is the newcomer as a command takes them;
 * `isOut`: the owner is known to be out. `users release` takes nobody else.
 */
export function remedies(owner: PersonId | undefined, who: string, isOut: boolean): readonly string[] {
  if (owner === undefined) {
    return [
      'if the account is theirs: have the address verified where they come from, or trust that login, source or client with it (trust_email, of a source trust_unverified_email too)',
      'if it is not: one of the two needs another address',
    ];
  }
  return [
    `if both are one human under another key: latchgate users link ${owner} ${who}`,
    `if the address has passed on to another human: latchgate users release ${owner}${isOut ? '' : ', once they are out'}`,
    ...(isOut
      ? []
      : [
          `while ${owner} is in: one of the two needs another address, or latchgate users disable ${owner} comes first`,
        ]),
  ];
}

/** What an operator can do about a login that an account is in the way of; empty: nothing that a command would tell. */
export function whatToDo({
  code,
  person,
  detail = {},
}: Pick<DecisionRecord, 'code' | 'person' | 'detail'>): readonly string[] {
  const { owner, target, accounts } = detail;
  // Without an account in the way it is the address alone, which is held for those who are out.
  if (code === 'account_taken' && person !== undefined)
    return remedies(typeof owner === 'string' ? owner : undefined, person, accounts === undefined);
  if (typeof target !== 'string' || typeof accounts !== 'string') return [];
  if (code === 'account_ambiguous')
    return [
      `in ${target}, find out which of the accounts ${accounts} is theirs, and take the address out of the others`,
      'then have them log in again: the one that is left is linked',
    ];
  if (code === 'account_privileged')
    return [
      `in ${target}, see whether the account ${accounts} is theirs: an address alone is no proof for what is privileged`,
      'if it is: take the privileged entitlements off it, have them log in again, and let a rule give them',
      'if it is not: take the address out of it',
    ];
  return [];
}
