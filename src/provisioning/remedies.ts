import type { PersonId } from '../model/person.ts';

/**
 * What an operator can do about `account_taken`: the account, or the address, is `owner`'s so far, or in our books nobody's
 * (undefined), and nobody vouches that the address is the newcomer's. `who` is the newcomer as a command takes them.
 */
export function remedies(owner: PersonId | undefined, who: string): readonly string[] {
  if (owner === undefined) {
    return [
      'if the account is theirs: have the address verified where they come from, or trust that login, source or client with it (trust_email, trust_unverified_email)',
      'if it is not: one of the two needs another address',
    ];
  }
  return [
    `if both are one human under another key: latchgate users link ${owner} ${who}`,
    `if the address has passed on to another human: latchgate users release ${owner}`,
  ];
}
