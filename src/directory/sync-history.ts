/* What the directory keeps of syncs: plans that somebody decides on, and how runs went. */

/**
 * `saved`: reported, nothing holds it. `held`: the brake holds it. `approved`: a person said yes, and it is being applied.
 * `replaced`: a later plan of the same sync took its place before anybody decided.
 */
export type PlanState = 'saved' | 'held' | 'approved' | 'rejected' | 'applied' | 'replaced';

/** A plan of a sync that waits for a person, or that somebody decided on. */
export interface StoredPlan {
  readonly id: string;
  readonly sync: string;
  readonly target: string;
  readonly at: Date;
  readonly state: PlanState;
  /** Of the brake. Absent: nothing holds it. */
  readonly code?: string;
  readonly fingerprint: string;
  /** The whole plan as JSON. */
  readonly body: string;
  readonly decidedBy?: string;
  readonly decidedAt?: Date;
}

export interface Plans {
  /**
   * Keeps a plan for a person to decide on, in place of those of its sync that wait. The last one of that sync stands
   * when it has the same fingerprint and still waits, or was rejected: nobody is asked twice. Returns the one that stands.
   */
  keep(plan: Omit<StoredPlan, 'decidedBy' | 'decidedAt'>): Promise<StoredPlan>;
  get(id: string): Promise<StoredPlan | undefined>;
  /** Newest first. */
  list(limit: number): Promise<readonly Omit<StoredPlan, 'body'>[]>;
  /** Writes only when the plan still is in one of the states `from`; says whether it was. */
  decide(
    id: string,
    decision: { readonly from: readonly PlanState[]; readonly to: PlanState; readonly by: string; readonly at: Date },
  ): Promise<boolean>;
  /** What waits of this sync is out of date: something was applied. */
  settle(sync: string): Promise<void>;
  /** Removes what is older and waits for nobody. */
  prune(before: Date): Promise<number>;
}

/** One run of a sync. `planned`: it was only to report. Without `outcome` it is under way, or its process died. */
export interface SyncRun {
  readonly id: string;
  readonly sync: string;
  /** `schedule`, or who gave the command. */
  readonly by: string;
  readonly startedAt: Date;
  readonly finishedAt?: Date;
  readonly outcome?: 'planned' | 'applied' | 'partial' | 'held' | 'stale' | 'stopped' | 'failed';
  /** Of the failure or the brake; else why most of those were held who were held one by one. */
  readonly code?: string;
  readonly planId?: string;
  readonly counts: Readonly<Record<string, number>>;
}

export interface SyncRuns {
  begin(run: Pick<SyncRun, 'id' | 'sync' | 'by' | 'startedAt'>): Promise<void>;
  finish(
    id: string,
    end: Required<Pick<SyncRun, 'finishedAt' | 'outcome' | 'counts'>> & Pick<SyncRun, 'code' | 'planId'>,
  ): Promise<void>;
  /** Newest first. */
  recent(sync: string, limit: number): Promise<readonly SyncRun[]>;
  /** The last one that came to an end, or to one of these ends. */
  lastFinished(sync: string, outcomes?: readonly NonNullable<SyncRun['outcome']>[]): Promise<SyncRun | undefined>;
  /** Removes what is older. */
  prune(before: Date): Promise<number>;
}
