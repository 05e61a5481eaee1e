/* What is remembered of syncs, as of `tables.ts`. */

export interface PlanRow {
  id: string;
  sync: string;
  target: string;
  at: number;
  state: 'saved' | 'held' | 'approved' | 'rejected' | 'applied' | 'replaced';
  /** Of the brake; null: nothing holds the plan. */
  code: string | null;
  fingerprint: string;
  body: string;
  decided_by: string | null;
  decided_at: number | null;
}

export interface SyncRunRow {
  id: string;
  sync: string;
  started_by: string;
  started_at: number;
  finished_at: number | null;
  outcome: 'planned' | 'applied' | 'partial' | 'held' | 'stale' | 'stopped' | 'failed' | null;
  code: string | null;
  plan_id: string | null;
  counts: string;
}
