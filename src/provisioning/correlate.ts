import type { AccountLink } from '../directory/directory.ts';
import { compilePrivileged } from '../mapping/privileged.ts';
import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { type ActualEntitlement, entitlementKey, type Grant } from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';

export type MatchBy = 'link' | 'external_id' | 'verified_email' | 'user_name';

export interface CorrelationInput {
  readonly desired: DesiredAccount;
  readonly link: AccountLink | undefined;
  readonly ledger: readonly Grant[];
  /** Every account of the target that fits the lookup by any key. */
  readonly found: readonly ActualAccount[];
  /** Whose accounts these are in our directory, by account id; other people's only. */
  readonly ownedByOthers: ReadonlyMap<string, PersonId>;
  readonly match: readonly MatchBy[];
  /** `superset:role:Admin` and the like. */
  readonly privileged: readonly string[];
  readonly neverTouch: (account: ActualAccount) => boolean;
}

export interface Correlation {
  readonly account: ActualAccount | undefined;
  readonly by: MatchBy | undefined;
  /** Lines for the trace: ties that were settled. */
  readonly notes: readonly string[];
}

/**
 * Which account in a target is this person's. Tries the keys of `identity.match` in their order; the first key that
 * finds something decides. Throws LatchgateError `account_taken`, `account_ambiguous`, `account_protected`,
 * `account_privileged` rather than guess.
 */
export function correlate(input: CorrelationInput): Correlation {
  for (const by of input.match) {
    const candidates = candidatesBy(by, input);
    if (candidates.length === 0) continue;
    const account = settle(by, candidates, input);
    refuseForeign(by, account, input);
    const notes =
      candidates.length > 1
        ? [`${candidates.length} accounts have this external id; the first by id is the one that logs in`]
        : [];
    return { account, by, notes };
  }
  return { account: undefined, by: undefined, notes: [] };
}

function candidatesBy(by: MatchBy, { desired, link, found }: CorrelationInput): readonly ActualAccount[] {
  switch (by) {
    case 'link':
      return link === undefined ? [] : found.filter((account) => isLinked(account, link, desired));
    case 'external_id':
      return desired.matchExternalId ? found.filter((account) => account.externalId === desired.externalId) : [];
    case 'verified_email': {
      const email = desired.profile.email;
      if (!desired.emailTrusted || email === undefined || email === null) return [];
      return found.filter((account) => sameEmail(account.profile.email, email));
    }
    case 'user_name':
      return found.filter((account) => desired.userNames.includes(account.userName));
  }
}

/**
 * An id alone is not enough: some backends give the id of a deleted account to the next one. One further mark of the
 * account that we knew has to be there.
 */
function isLinked(account: ActualAccount, link: AccountLink, desired: DesiredAccount): boolean {
  const sameName = account.userName === link.userName;
  const sameExternal = account.externalId !== undefined && account.externalId === desired.externalId;
  if (link.accountId !== undefined) {
    return (
      account.id === link.accountId &&
      (sameName || sameExternal || sameEmail(account.profile.email, desired.profile.email))
    );
  }
  if (account.externalId !== undefined && !sameExternal) return false;
  return sameName && (sameExternal || sameEmail(account.profile.email, desired.profileIfNew.email));
}

/** How many of those that fit are named. */
const NAMED_ACCOUNTS = 10;

function settle(by: MatchBy, candidates: readonly ActualAccount[], input: CorrelationInput): ActualAccount {
  const [first, second] = [...candidates].sort((a, b) => (a.id < b.id ? -1 : 1));
  if (first === undefined) throw new LatchgateError('internal', 'settle was given no candidate');
  // Of several accounts with one external id a backend itself takes the first; a shared e-mail is anybody's guess.
  if (second !== undefined && by !== 'external_id') {
    const accounts = candidates.map(({ id }) => id).sort();
    const named = accounts.slice(0, NAMED_ACCOUNTS).join(', ');
    throw new LatchgateError('account_ambiguous', `${accounts.length} accounts fit by ${by}: ${named}`, {
      detail: { target: input.desired.target, by, accounts: named },
    });
  }
  return first;
}

function refuseForeign(by: MatchBy, account: ActualAccount, input: CorrelationInput): void {
  const detail = { target: input.desired.target, by, account: account.id };
  const owner = input.ownedByOthers.get(account.id);
  if (owner !== undefined) {
    throw new LatchgateError('account_taken', 'the account that fits is linked to another person', {
      detail: { ...detail, owner },
    });
  }
  if (account.isProtected || input.neverTouch(account)) {
    throw new LatchgateError('account_protected', 'the account that fits is protected', { detail });
  }
  // One that was only announced is found by marks that its person may have chosen. What we announced to give is fine.
  const isSure = by === 'external_id' || (by === 'link' && input.link?.accountId !== undefined);
  const ours = new Set(by === 'link' ? input.ledger.map((grant) => entitlementKey(grant)) : []);
  if (!isSure && account.entitlements.some((one) => !ours.has(entitlementKey(one)) && isListed(one, input))) {
    throw new LatchgateError('account_privileged', 'the account that fits has privileged entitlements', { detail });
  }
}

/** Spelled as loosely as where they are given; a target that goes by ids has the name that people know in the label. */
function isListed(entitlement: ActualEntitlement, { desired, privileged }: CorrelationInput): boolean {
  const isPrivileged = compilePrivileged(privileged);
  const { label } = entitlement;
  return (
    isPrivileged(desired.target, entitlement) ||
    (label !== undefined && isPrivileged(desired.target, { ...entitlement, name: label }))
  );
}

/** Compared without ASCII case, as every mail system in use does; no other letters are folded (U+212A is not `k`). */
export function sameEmail(a: string | null | undefined, b: string | null | undefined): boolean {
  return typeof a === 'string' && typeof b === 'string' && a !== '' && asciiLower(a) === asciiLower(b);
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
