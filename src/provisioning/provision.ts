import type { Change, HeldChange } from '../model/change.ts';
import type { Decision } from '../model/desired.ts';
import type { Assertion, Identity, PersonId } from '../model/person.ts';

/** Where a person's account in one target stands after a reconcile. */
export type AccountState =
  | {
      readonly status: 'ready';
      readonly id: string;
      readonly userName: string;
      readonly changes: readonly Change[];
      readonly held: readonly HeldChange[];
      readonly degraded?: string;
    }
  /** Nothing is given there: no account, or one that was switched off. */
  | { readonly status: 'none' }
  | {
      readonly status: 'failed';
      readonly code: string;
      readonly retryable: boolean;
      /** Whose account it is so far, or whose address (`account_taken`). */
      readonly owner?: PersonId;
      /** Ids of the accounts that are in the way, with commas between them; some of them where they are many. */
      readonly accounts?: string;
      readonly held: readonly HeldChange[];
    };

export interface Provisioned {
  readonly identity: Identity;
  readonly decision: Decision;
  /** State of the awaited target; others go on in the background. */
  readonly awaited?: AccountState;
}

/** What an assertion was heard for: a login, or a session that goes on. */
export type Occasion = 'login' | 'refresh';

export interface AssertOptions {
  /** Waited for; the others go on in the background. */
  readonly target?: string;
  /**
   * `refresh`: of a session that goes on. Where what is said leads to the same in every target as what was said before,
   * it is remembered, and nothing is reconciled or recorded. Default `login`.
   */
  readonly occasion?: Occasion;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** The one engine as its callers see it: logins now, SCIM pushes and syncs by the same door. */
export interface Provisioner {
  /**
   * Takes an assertion in: remembers it, maps, reconciles every target, records. Waits for `target` alone.
   * Throws LatchgateError when the mapping refuses (`denied_by_rule`, `groups_invalid`, …) or the awaited target can
   * not be made safe (`target_unavailable`, `account_taken`, …); the trace is then saved under `requestId`.
   */
  assert(assertion: Assertion, options: AssertOptions): Promise<Provisioned>;
  /** The account to use for a live session; waits for a reconcile that is under way, else reads what we remember. */
  account(person: PersonId, target: string, signal: AbortSignal): Promise<AccountState>;
  /** Leaver path: no login, sessions ended by the caller, accounts disabled or deleted in every target. */
  disable(
    person: PersonId,
    options: { readonly actor: string; readonly requestId: string; readonly signal: AbortSignal },
  ): Promise<ReadonlyMap<string, AccountState>>;
  enable(person: PersonId, options: { readonly actor: string; readonly requestId: string }): Promise<void>;
}
