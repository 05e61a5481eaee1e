import type { Assertion, PersonId, SubjectKey } from '../model/person.ts';
import type { Counts } from './counts.ts';
import type { Decisions } from './decisions.ts';
import type { Ledger } from './ledger.ts';
import type { Pins } from './pins.ts';
import type { Reviews } from './reviews.ts';
import type { Plans, SyncRuns } from './sync-history.ts';

/*
 * What we remember, as small stores over one database. Every method throws LatchgateError `state_unavailable` when the
 * database does not answer. All are safe under concurrency: uniqueness is the database's, not ours.
 */

export interface Person {
  readonly id: PersonId;
  readonly displayName: string;
  readonly email?: string;
  readonly disabled: boolean;
  readonly createdAt: Date;
  readonly lastSeenAt?: Date;
  /** The source that owns this person: the first that listed them, unless the config says else. */
  readonly owner?: string;
  /** Since when the owner says that this person is gone: no login, nothing in any target. */
  readonly leftAt?: Date;
  readonly disabledAt?: Date;
}

/** An assertion, and the raw groups that its origin sent last, be it with this assertion or with an earlier one. */
export type RememberedAssertion = Assertion & { readonly rememberedGroups?: readonly string[] };

/** What is kept of the claims that an origin sent; of what it gave it gives the same. */
export type RecordClaims = (origin: string, claims: Assertion['claims']) => Assertion['claims'];

/** Which address an origin says of somebody. */
export type AddressOf = (said: Pick<Assertion, 'origin' | 'subject' | 'claims'>) => string | undefined;

/** How what origins say is written down. */
export interface Recording {
  readonly claims: RecordClaims;
  /** By which `byEmail` finds people. */
  readonly address: AddressOf;
}

export interface People {
  /** The person of this subject; made when there is none. Two callers at once get the same one. */
  ensure(subject: SubjectKey, origin: string, displayName: string): Promise<Person>;
  bySubject(subject: SubjectKey): Promise<Person | undefined>;
  get(id: PersonId): Promise<Person | undefined>;
  /** By id, subject, e-mail, display name or an account's user name: for commands. Several may fit. */
  search(text: string, limit: number): Promise<readonly Person[]>;
  /** Those by whose description, or by whose word of some origin, this is their address, be it in other case. */
  byEmail(email: string): Promise<readonly Person[]>;
  list(limit: number, after?: PersonId): Promise<readonly Person[]>;
  /**
   * What this origin last said; also what `displayName`, `email` and `lastSeenAt` are from. `groups` are the raw groups
   * that it sent: left out, those it sent before stay remembered. `description` is what people read and search by: left
   * out, the standard claims (OIDC Core §5.1) say it.
   */
  saveAssertion(
    person: PersonId,
    assertion: Assertion,
    groups?: readonly string[],
    description?: { readonly displayName?: string; readonly email?: string },
  ): Promise<void>;
  assertions(person: PersonId): Promise<readonly RememberedAssertion[]>;
  /** The same of several people, at most 500. */
  assertionsOf(people: readonly PersonId[]): Promise<readonly (RememberedAssertion & { readonly person: PersonId })[]>;
  subjects(person: PersonId): Promise<readonly (SubjectKey & { readonly origin: string })[]>;
  /** A further subject of a person; one that is somebody's already stays theirs. Returns whose it is now. */
  addSubject(person: PersonId, subject: SubjectKey, origin: string): Promise<PersonId>;
  /**
   * Makes one person of two: the subjects of `other`, and what origins said by them, are this person's from now on, and
   * `other` is no more. Somebody whom their owner lists by one of them has not left. The pins of both
   * count: of two about the same what is withheld, else this person's. Throws `not_found`; `account_taken` when `other` has an
   * account; `usage` when `other` is out and this person is not.
   */
  absorb(person: PersonId, other: PersonId): Promise<Person>;
  /**
   * Makes two people of one: these subjects, and what origins said by them, are another person's from now on, who is called
   * `displayName` until an origin says more, and is disabled as the first one is. The owner owns whom it speaks of, and they
   * have left by its word alone. Accounts stay with the first;
   * what is pinned as withheld is withheld from both. Throws `not_found`, also when one of the subjects is not theirs any
   * more; `usage` when none would be left, or when the person is out by their owner's word, which holds for one of the two alone.
   */
  split(person: PersonId, subjects: readonly SubjectKey[], displayName: string): Promise<Person>;
  /** Who left or was disabled before, and still has an account somewhere; by id, those after `after`. */
  goneBefore(before: Date, limit: number, after?: PersonId): Promise<readonly Person[]>;
  setDisabled(person: PersonId, disabled: boolean): Promise<void>;
  /** Nobody is found by the address any more, until an origin says it anew. */
  forgetEmail(person: PersonId): Promise<void>;
}

/** A subject as a listing meets it: whose it is, and what its origin last said of it. */
export interface ListedSubject {
  readonly subject: string;
  readonly person: PersonId;
  readonly disabled: boolean;
  readonly disabledAt?: Date;
  readonly owner?: string;
  readonly leftAt?: Date;
  /** Absent: this origin has not spoken of the subject. */
  readonly active?: boolean;
  /** By what somebody is known of whom nobody has written down yet that the subject is theirs. */
  readonly joinsBy?: 'external_id' | 'verified_email';
  readonly rememberedGroups?: readonly string[];
}

export interface ListedClaims {
  readonly subject: string;
  readonly active: boolean;
  /** JSON text. */
  readonly claims: string;
}

/** What a listing says of one person. */
export interface ListedAssertion {
  /** Absent: nobody has this subject yet. */
  readonly person?: PersonId;
  /** The subject becomes one more of the person's. */
  readonly joins?: boolean;
  readonly assertion: Assertion;
  /** As for `saveAssertion`. */
  readonly groups?: readonly string[];
  readonly description: { readonly displayName: string; readonly email?: string };
  /** The source that owns the person from now on. */
  readonly owner: string;
}

/** Somebody whom a complete listing lacks. */
export interface GoneSubject extends SubjectKey {
  readonly person: PersonId;
  readonly owner: string;
}

/**
 * What syncs read and write of all people of an origin. What is read comes page by page, in the order of the key, so
 * that nobody waits long for the database.
 */
export interface Listings {
  /** Every subject of an issuer, and what `origin` last said of it. */
  subjects(issuer: string, origin: string): AsyncIterable<readonly ListedSubject[]>;
  /** The claims that an origin last sent. */
  claims(issuer: string, origin: string): AsyncIterable<readonly ListedClaims[]>;
  /** What would be stored of these claims, to be compared with `claims`. */
  asRecorded(origin: string, claims: Assertion['claims']): string;
  /** What every other origin said, of whomever. */
  others(origin: string): AsyncIterable<readonly (RememberedAssertion & { readonly person: PersonId })[]>;
  /**
   * Remembers what a listing said, all or nothing. People are made where there are none; a subject that is another's by now is
   * theirs. Whom the owner lists active has not left, whom it lists inactive has. Answers in the order of the rows.
   */
  save(rows: readonly ListedAssertion[]): Promise<readonly Person[]>;
  /** The same of people whom a complete listing lacks: not active any more, and left if this origin owns them. */
  saveGone(origin: string, rows: readonly GoneSubject[], at: Date): Promise<readonly Person[]>;
}

/** Whose claims were emptied. */
export interface ForgottenClaims {
  readonly person: PersonId;
  readonly origin: string;
}

/** What is stored of claims, brought to what the config says of it by now. */
export interface Recorded {
  /** Writes anew what is stored otherwise than it would be now. Returns how many assertions. */
  restate(): Promise<number>;
  /**
   * Empties a page of the claims and remembered groups that were said before this, all or nothing: of assertions by which
   * somebody is not to have access, and of people for whom nothing speaks but what was said before this, and no list. Who they are
   * stays. `lists`: the origins that go on to say who is there, sources and SCIM clients. Empty answer: there are none left.
   */
  forget(before: Date, lists: readonly string[]): Promise<readonly ForgottenClaims[]>;
  /**
   * Takes what was replaced out of SQLite's write-ahead log; at first also out of the file's free space, by writing the file
   * anew: nobody else writes meanwhile. Of PostgreSQL autovacuum takes care.
   */
  settle(isFirst: boolean): Promise<void>;
}

/** Which account in a target is whose. */
export interface AccountLink {
  readonly person: PersonId;
  readonly target: string;
  /** Absent while it is being created. */
  readonly accountId?: string;
  readonly userName: string;
  /** True: we made the account. False: it was there before and was linked. */
  readonly created: boolean;
  /** `intended`: written ahead of the creation. `ready`: usable. `disabled`: switched off by us. `closed`: not to be used, but
   * not switched off by us: something is still to be taken away, nothing is given there, or it has no switch. */
  readonly state: 'intended' | 'ready' | 'disabled' | 'closed';
}

/** With when it was written down last. */
export interface DatedAccountLink extends AccountLink {
  readonly updatedAt: Date;
}

export interface Accounts {
  get(person: PersonId, target: string): Promise<AccountLink | undefined>;
  ofPerson(person: PersonId): Promise<readonly DatedAccountLink[]>;
  /** Everybody's, or these people's, page by page. */
  ofTarget(target: string, people?: readonly PersonId[]): AsyncIterable<readonly AccountLink[]>;
  /** Whose account this is, whatever its state. */
  owner(target: string, accountId: string): Promise<PersonId | undefined>;
  /** Throws `account_taken` when the account is another person's. */
  save(link: AccountLink): Promise<void>;
  remove(person: PersonId, target: string): Promise<void>;
  count(target: string): Promise<number>;
}

export interface Lease {
  readonly name: string;
  /** Who has it, among all who ever did. */
  readonly holder: string;
  /** How long it outlives a holder that died or stands still, in milliseconds. */
  readonly ttlMs: number;
  release(): Promise<void>;
}

export interface Leases {
  /** Waits until the lease is ours or the signal ends (then `lease_lost`). A dead holder's lease ends after `ttlMs`. */
  acquire(name: string, ttlMs: number, signal: AbortSignal): Promise<Lease>;
  /** Those of these leases that nobody holds, without waiting, as one. */
  acquireFree(names: readonly string[], ttlMs: number): Promise<Lease & { readonly names: ReadonlySet<string> }>;
  /**
   * Renews it. Throws `lease_lost` when it ran out or is another's: what its holder read before may not be true any more.
   * In a transaction nobody else gets it before that ends.
   */
  keep(lease: Lease): Promise<void>;
  /** True for the first caller with this purpose and key, false for every other until `expiresAt`. */
  once(purpose: string, key: string, expiresAt: Date): Promise<boolean>;
  /** Whether somebody has asked `once` for it before, and it has not expired. */
  seen(purpose: string, key: string): Promise<boolean>;
}

/**
 * What providers said of logins that are over, by opaque keys, and when. Kept for a while, so that a login that is being
 * finished at that moment does not outlive its end.
 */
export interface Logouts {
  /** An older word does not replace a newer one. */
  save(key: string, at: Date, expiresAt: Date): Promise<void>;
  /** undefined: nothing was said, or it has expired. */
  latest(key: string): Promise<Date | undefined>;
}

/** Sealed texts that one request leaves for the next one of the same browser, at whatever instance. */
export interface Handovers {
  leave(key: string, sealed: string, expiresAt: Date): Promise<void>;
  /** To one caller alone. undefined: it is not there, was taken, or has expired. */
  take(key: string): Promise<string | undefined>;
}

/** A reconcile that could not be done and will be tried again in the background. */
export interface Retry {
  readonly person: PersonId;
  readonly target: string;
  readonly attempts: number;
  readonly dueAt: Date;
  readonly code: string;
}

export interface Retries {
  put(person: PersonId, target: string, code: string, dueAt: Date): Promise<void>;
  due(now: Date, limit: number): Promise<readonly Retry[]>;
  get(person: PersonId, target: string): Promise<Retry | undefined>;
  done(person: PersonId, target: string): Promise<void>;
  count(): Promise<number>;
}

/** Named values that all instances share (keys of the assertion signer, …). Values are opaque; callers encrypt them. */
export interface StateValues {
  get(name: string): Promise<string | undefined>;
  /** Writes only when the value still is `expected` (undefined: absent); says whether it did. */
  swap(name: string, expected: string | undefined, value: string): Promise<boolean>;
}

export interface Directory {
  readonly pins: Pins;
  readonly reviews: Reviews;
  readonly people: People;
  readonly listings: Listings;
  readonly recorded: Recorded;
  readonly accounts: Accounts;
  readonly ledger: Ledger;
  readonly leases: Leases;
  readonly logouts: Logouts;
  readonly handovers: Handovers;
  readonly counts: Counts;
  readonly retries: Retries;
  readonly decisions: Decisions;
  readonly plans: Plans;
  readonly syncRuns: SyncRuns;
  readonly values: StateValues;
  /** Throws `state_unavailable`. For readiness. */
  probe(): Promise<void>;
  /** Gives up the leases that are held, and closes the database. */
  close(): Promise<void>;
}
