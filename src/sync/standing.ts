import type { StateValues } from '../directory/directory.ts';
import type { SyncRun, SyncRuns } from '../directory/sync-history.ts';
import type { Clock } from '../ops/clock.ts';
import { intervalMs, isScheduled, type Schedule } from './due.ts';
import { readDue } from './schedule-state.ts';

/** How a sync stands: for readiness. */
export interface Standing {
  readonly ok: boolean;
  /** `sync_late`, or why the last run was held or failed. */
  readonly code?: string;
  /** A sentence with the age of the last run. */
  readonly reason: string;
}

export interface StandingDeps {
  readonly syncRuns: SyncRuns;
  readonly values: StateValues;
  readonly clock: Clock;
}

/** A run that begins later than this after its time is late, however short the schedule is. */
const GRACE_MS = 300_000;
const BAD: ReadonlySet<SyncRun['outcome']> = new Set(['failed', 'partial', 'held', 'stale']);

/** Whether the sync ran when it should have, and how the last run ended. Throws `state_unavailable`. */
export async function standingOf(name: string, schedule: Schedule, deps: StandingDeps): Promise<Standing> {
  const now = deps.clock.now();
  const last = await deps.syncRuns.lastFinished(name);
  const said = last === undefined ? 'has not run yet' : lastText(last, now);
  if (isScheduled(schedule)) {
    const stored = await readDue(name, deps.values);
    const late = stored === undefined ? 0 : now - stored.state.start;
    if (late > Math.max(GRACE_MS, intervalMs(schedule, now))) {
      return { ok: false, code: 'sync_late', reason: `due ${ageText(late)} ago; ${said}` };
    }
  }
  if (last === undefined || !BAD.has(last.outcome)) return { ok: true, reason: said };
  return { ok: false, code: last.code ?? String(last.outcome), reason: said };
}

function lastText({ outcome, finishedAt, planId, code, counts }: SyncRun, now: number): string {
  const age = `${ageText(now - (finishedAt?.getTime() ?? now))} ago`;
  const why = code === undefined ? '' : ` (${code})`;
  if (outcome === 'held') return `held ${age}${why}: latchgate plans show ${planId}`;
  if (outcome === 'partial') return `${counts['failed'] ?? 0} failed ${age}${why}`;
  if (outcome === 'planned') {
    const changes = ['create', 'update', 'disable', 'delete', 'grant', 'revoke'];
    const number = changes.reduce((sum, op) => sum + (counts[op] ?? 0), 0);
    return `planned ${age}: ${number === 0 ? 'nothing to change' : `${number} changes wait`}`;
  }
  return `${outcome} ${age}${why}`;
}

function ageText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`;
}
