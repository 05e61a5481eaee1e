import type { Audit } from '../audit/audit.ts';
import type { SyncRun, SyncRuns } from '../directory/sync-history.ts';
import type { Clock } from '../ops/clock.ts';

export interface RemovedLatelyDeps {
  readonly audit: Pick<Audit, 'list'>;
  readonly directory: { readonly syncRuns: Pick<SyncRuns, 'recent'> };
  readonly clock: Clock;
}

/** In the audit, with the id of the run: a person said that this run goes on in spite of the brake. */
export const SYNC_APPROVED = 'sync.approved';

const DAY_MS = 86_400_000;
/** Runs of a day: one each half minute. */
const MOST_RUNS = 3_000;

const REMOVED: ReadonlySet<string> = new Set(['account.disabled', 'account.deleted', 'grant.taken', 'person.left']);

/**
 * Who lost something by runs of this sync within the last 24 hours that nobody approved, from the audit: ids of people,
 * and `account NAME` where it was nobody's. Throws `state_unavailable`.
 */
export async function removedLately(
  { audit, directory, clock }: RemovedLatelyDeps,
  sync: string,
): Promise<ReadonlySet<string>> {
  const day = clock.now() - DAY_MS;
  const recent = await directory.syncRuns.recent(sync, MOST_RUNS);
  const runs = recent.filter((run) => run.startedAt.getTime() >= day && mayHaveRemoved(run));
  const since = runs.at(-1)?.startedAt;
  if (since === undefined) return new Set();
  const byRun = new Map(runs.map(({ id }) => [id, new Set<string>()]));
  for await (const { event, requestId = '', person, key, after } of audit.list({ since })) {
    if (event === SYNC_APPROVED) byRun.delete(requestId);
    // Somebody else took it, and the run only wrote that down.
    else if (REMOVED.has(event) && !isGone(after))
      byRun.get(requestId)?.add(person ?? `account ${accountOf(after) ?? key}`);
  }
  return new Set([...byRun.values()].flatMap((removed) => [...removed]));
}

/** A run that died has no counts. */
function mayHaveRemoved({ outcome, counts }: SyncRun): boolean {
  if (outcome === 'held' || outcome === 'stale' || outcome === 'planned') return false;
  return Object.keys(counts).length === 0 || ['disable', 'delete', 'revoke'].some((op) => (counts[op] ?? 0) > 0);
}

/** What was taken has the key of what it was, which is no account. */
function accountOf(after: unknown): string | undefined {
  const named = typeof after === 'object' && after !== null && 'account' in after ? after.account : undefined;
  return typeof named === 'string' ? named : undefined;
}

function isGone(after: unknown): boolean {
  return typeof after === 'object' && after !== null && 'gone' in after;
}
