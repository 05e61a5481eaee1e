import type { Leases, StateValues } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { ChangeFeed } from '../sources/change-feed.ts';

export interface FollowDeps {
  readonly leases: Leases;
  readonly values: StateValues;
  readonly clock: Clock;
  readonly feed: ChangeFeed;
  /** Has the syncs of the source run soon. What it throws ends the following; the same change is told again then. */
  readonly onChange: () => Promise<void>;
}

const LEASE_MS = 30_000;
const LEASE_WAIT_MS = 250;
/** How often a place is kept that moved on without a change. */
const KEEP_EVERY_MS = 60_000;

/**
 * Follows the feed of a source until the signal ends it, from the place where it was left, by whatever instance. One
 * instance follows at a time; returns at once when another one does. A place is kept after what it tells was passed on,
 * so a change may be told twice and is never lost.
 */
export async function followChanges(source: string, deps: FollowDeps, signal: AbortSignal): Promise<void> {
  const { leases, values, clock, feed, onChange } = deps;
  const lease = await leases.acquire(`feed:${source}`, LEASE_MS, AbortSignal.timeout(LEASE_WAIT_MS)).catch(ifFree);
  if (lease === undefined) return;
  const name = `feed place:${source}`;
  let keptAt = clock.now();
  try {
    const place = await values.get(name);
    for await (const step of feed.changes(signal, place === '' ? undefined : place)) {
      if (step.kind !== 'moved') await onChange();
      else if (clock.now() - keptAt < KEEP_EVERY_MS) continue;
      await keep(values, name, step.kind === 'missed' ? '' : step.id);
      keptAt = clock.now();
    }
  } finally {
    await lease.release();
  }
}

function ifFree(thrown: unknown): undefined {
  if (thrown instanceof LatchgateError && thrown.code === 'lease_lost') return undefined;
  throw thrown;
}

async function keep(values: StateValues, name: string, place: string): Promise<void> {
  while (!(await values.swap(name, await values.get(name), place)));
}
