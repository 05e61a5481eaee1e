import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import { type MatchBy, sameEmail } from './correlate.ts';

export interface BesideInput {
  /** Of somebody whose account none of those is that were found. */
  readonly desired: DesiredAccount;
  readonly found: readonly ActualAccount[];
  /** Whose accounts these are in our directory, by account id; other people's only. */
  readonly ownedByOthers: ReadonlyMap<string, PersonId>;
  readonly match: readonly MatchBy[];
}

/** Whether addresses say whose an account is, and nobody vouches for this one. */
export function isUnvouched({ emailTrusted }: DesiredAccount, match: readonly MatchBy[]): boolean {
  return !emailTrusted && match.includes('verified_email');
}

/**
 * Where accounts are found by e-mail, nobody gets a new one beside an account with the address that they say and that
 * nobody vouches for as theirs. Throws LatchgateError `account_taken`: either the account is theirs, or the address is
 * not, and that only an operator can say (`remedies.ts`).
 */
export function refuseBeside({ desired, found, ownedByOthers, match }: BesideInput): void {
  if (!isUnvouched(desired, match)) return;
  const email = desired.profile.email ?? desired.profileIfNew.email;
  const account = found.find((one) => sameEmail(one.profile.email, email));
  if (account === undefined) return;
  const owner = ownedByOthers.get(account.id);
  throw new LatchgateError(
    'account_taken',
    'an account has the address, and nobody vouches that the address is theirs',
    {
      detail: {
        target: desired.target,
        account: account.id,
        ...(owner === undefined ? {} : { owner }),
      },
    },
  );
}
