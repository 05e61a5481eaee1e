import type { PersonId } from '../model/person.ts';

/**
 * What an operator can do about `account_taken`: the account, or the address, is `owner`'s so far. `who` is the newcomer
 * as a command takes them.
 */
export function remedies(owner: PersonId, who: string): readonly string[] {
  return [
    `if both are one human under another key: latchgate users link ${owner} ${who}`,
    `if the address has passed on to another human: latchgate users release ${owner}`,
  ];
}
