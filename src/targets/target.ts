import type { ActualAccount, Applied, ChangeSet } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import type { ActualEntitlement, Entitlement, EntitlementKind } from '../model/entitlement.ts';
import type { LatchgateError } from '../model/errors.ts';
import type { Profile } from '../model/person.ts';

/** What a target can do, as data: the planner asks these, never the type of the target. */
export interface Capabilities {
  readonly kinds: readonly EntitlementKind[];
  /** Kinds that apply() can create when they are missing (policy decides whether it may). */
  readonly creates: readonly EntitlementKind[];
  /** Accounts have a switch. Without one, `disable` means that every grant of ours goes. */
  readonly disable: boolean;
  readonly delete: boolean;
  /** An account must keep at least one role or group (Superset). */
  readonly needsEntitlement: boolean;
  /** Two accounts cannot have one e-mail. */
  readonly uniqueEmail: boolean;
  /** Profile members that an account cannot be created without, and that cannot be cleared. */
  readonly requiredProfile: readonly ('givenName' | 'familyName' | 'email')[];
  /** Profile members that the target stores; others are never in a plan. */
  readonly profile: readonly (keyof Profile)[];
  /** For how long, in milliseconds, the list of all may show what was before a write. Default: it never does. */
  readonly listLagMs?: number;
}

/** Which account a person may have: every key that is known, each to be compared by the target exactly. */
export interface Lookup {
  readonly accountId?: string;
  readonly externalId?: string;
  readonly userNames: readonly string[];
  readonly email?: string;
}

export type Scope = { readonly kind: 'person'; readonly lookup: Lookup } | { readonly kind: 'all' };

export interface ActualState {
  /** True: every account of the scope is here. What is not complete never leads to a removal. */
  readonly complete: boolean;
  readonly accounts: readonly ActualAccount[];
}

/**
 * Whether what is about to be written may still be: asked ahead of each call that writes, and throws when the caller stood
 * still for so long that somebody else may have been there. Quick.
 */
export type StillOurs = () => Promise<void>;

/** A backend where accounts live. Bound to one configured target; holds no state of a person. */
export interface Target {
  readonly name: string;
  readonly type: string;
  readonly can: Capabilities;
  /**
   * Pure: the same account in the target's own terms (slugs, case, lengths), so that after an apply a second plan is
   * empty. Throws LatchgateError (`profile_incomplete`, `user_name_missing`, `entitlement_conflict`) when it cannot be.
   */
  adapt(desired: DesiredAccount): DesiredAccount;
  /** Every account that fits the lookup by any key (the planner decides which one it is), or all. */
  read(scope: Scope, signal: AbortSignal): Promise<ActualState>;
  /** Which of these exist, with the target's own ids. Called only when a plan is about to give something. */
  find(entitlements: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Writes one account's changes. Idempotent: "exists" (409, 422, …) means read again and go on. */
  apply(changes: ChangeSet, signal: AbortSignal, stillOurs?: StillOurs): Promise<Applied>;
  /**
   * The same for several accounts, where the target needs fewer calls for them together than one by one. Answers in the
   * order of the sets; what fails is the failure of that set alone. Absent: they are applied one by one.
   */
  applyMany?(
    sets: readonly ChangeSet[],
    signal: AbortSignal,
    stillOurs?: StillOurs,
  ): Promise<readonly (Applied | LatchgateError)[]>;
  /**
   * Makes true what the config says of the target itself, whoever has an account there (GoodData: what groups may do in
   * workspaces). Called at the start, hourly and before a sync applies, never by a plan. Absent: there is no such thing.
   * Idempotent; throws as `apply` does.
   */
  prepare?(signal: AbortSignal): Promise<void>;
  /** Who we are there and whether we may do our work: throws `target_unavailable` or `target_refused`. For readiness. */
  probe(signal: AbortSignal): Promise<{ readonly account: string }>;
}

/** How requests of a person are signed in at the backend: headers that replace what the browser sent. */
export interface SignIn {
  /**
   * Headers to set on each forwarded request, each name in lower case; valid for at least `validForSeconds` from now.
   * `drop` names request headers that must never come from the browser (authorization, a session cookie's name).
   */
  headers(
    account: { readonly id: string; readonly userName: string; readonly displayName: string },
    signal: AbortSignal,
  ): Promise<{ readonly set: Readonly<Record<string, string>>; readonly validForSeconds: number }>;
  readonly drop: readonly string[];
  /** Cookies that must never come from the browser. A `*` at the end, here and in `drop`, stands for any rest. */
  readonly dropCookies?: readonly string[];
  /** The backend answered 401 to what `headers` set: the next call makes it anew. */
  renew?(account: { readonly id: string }): void;
}
