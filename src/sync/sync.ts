import type { Change, HeldChange } from '../model/change.ts';
import type { GrantedEntitlement } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';

/** One row of a plan: a change, and whose account it is about. */
export interface PlannedChange extends Change {
  /** Absent: a group or role of the target, or a person whom the directory does not know yet. */
  readonly person?: PersonId;
  /** The origin's own id of the person. */
  readonly subject?: string;
  /** Another target than the plan's: whoever leaves does so everywhere. */
  readonly target?: string;
}

export interface HeldPlannedChange extends HeldChange {
  readonly person?: PersonId;
  readonly subject?: string;
  readonly target?: string;
}

export interface PlanSummary {
  readonly create: number;
  readonly update: number;
  readonly disable: number;
  readonly delete: number;
  readonly grant: number;
  readonly revoke: number;
  readonly held: number;
}

/** Why a whole plan waits for a person. */
export interface Brake {
  readonly code:
    | 'source_empty'
    | 'source_incomplete'
    | 'source_short'
    | 'target_incomplete'
    | 'too_many_removals'
    | 'too_many_new_users';
  /** One sentence with the numbers. */
  readonly message: string;
}

/** What a sync would do, as data. Making one writes nothing anywhere. */
export interface SyncPlan {
  readonly id: string;
  readonly sync: string;
  readonly source: string;
  readonly target: string;
  readonly createdAt: Date;
  /** The source listed everybody, and so did the target. */
  readonly complete: boolean;
  /** People that the source listed. */
  readonly listed: number;
  readonly changes: readonly PlannedChange[];
  /**
   * What people would lose in other targets, at their next login or sync there, by what a run of this plan remembers.
   * Absent: nothing. It is not made by the run, and no part of `summary`.
   */
  readonly carried?: readonly PlannedChange[];
  /** Changes that policy refused one by one. The rest goes on without them. */
  readonly held: readonly HeldPlannedChange[];
  /** Present: not one write is made until a person approves. */
  readonly brake?: Brake;
  readonly summary: PlanSummary;
  /** Lines for people: what the source merged or left out, who could not be read. */
  readonly notes: readonly string[];
  /** SHA-256 over `changes`, `carried`, `held` and why it waits, in an order of its own: two plans with the same one are the same plan. */
  readonly fingerprint: string;
}

/** What became of one person's account in an apply. */
export interface AppliedRow {
  readonly person?: PersonId;
  readonly subject?: string;
  /** The account's user name. */
  readonly key: string;
  readonly changes: readonly PlannedChange[];
  readonly outcome: 'applied' | 'already' | 'failed' | 'skipped';
  /** Of `failed` (the error) and `skipped` (why: the run was stopped). */
  readonly code?: string;
}

export interface ApplyResult {
  readonly plan: SyncPlan;
  /** `held`: nothing was written. `stale`: the approved plan is not true any more, nothing was written. `stopped`: ended early. */
  readonly outcome: 'applied' | 'partial' | 'held' | 'stale' | 'stopped';
  readonly applied: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface ApplyOptions {
  readonly actor: string;
  readonly requestId: string;
  /** True: goes on in spite of the brake. */
  readonly approve: boolean;
  /** Only this very plan is applied: the fingerprint of one that a person has seen. */
  readonly expect?: string;
  /** Ends the run: rows in flight are finished, the others are skipped. */
  readonly stop: AbortSignal;
  readonly onPlan?: (plan: SyncPlan) => void;
  readonly onRow?: (row: AppliedRow) => void;
}

/** The engine of syncs as its callers see it: commands and the schedule. */
export interface Syncs {
  /** The sync's plan. Reads source, target and directory, writes nothing anywhere. Throws `not_found`, `source_*`, `target_*`. */
  plan(name: string, signal: AbortSignal): Promise<SyncPlan>;
  /**
   * Reads again, plans, and applies that plan under the sync's lease. A row that fails does not stop the others. A plan
   * that the brake holds is not carried out: the caller keeps it for approval.
   */
  apply(name: string, options: ApplyOptions): Promise<ApplyResult>;
}

/** An account that fits a person, and what of it the rules would have given: what a lost ledger held, or never did. */
export interface AdoptedRow {
  readonly target: string;
  readonly person: PersonId;
  /** The account's user name. */
  readonly key: string;
  readonly accountId: string;
  /** True: the account is to be remembered as this person's. False: it is already. */
  readonly link: boolean;
  /** What the account has and the ledger lacks, with the rule and origin that give it. */
  readonly grants: readonly GrantedEntitlement[];
}

export interface AdoptPlan {
  /** Targets that were looked at. */
  readonly targets: readonly string[];
  readonly rows: readonly AdoptedRow[];
  /** Accounts that are left as they are, and why: several fit, another person has it, privileged. */
  readonly held: readonly { readonly target: string; readonly key: string; readonly code: string }[];
  readonly notes: readonly string[];
}

/** Rebuilds the ledger from what origins say and targets have. Writes to no target. */
export interface Adoption {
  /** `target` absent: every target. Throws `not_found`, `source_*`, `target_*`. */
  plan(target: string | undefined, signal: AbortSignal): Promise<AdoptPlan>;
  /** Reads again, and writes what is still true. */
  apply(
    target: string | undefined,
    options: {
      readonly actor: string;
      readonly requestId: string;
      readonly signal: AbortSignal;
      /** Absent: every row. */
      readonly only?: (row: AdoptedRow) => boolean;
    },
  ): Promise<AdoptPlan>;
}
