import type { Lease, Leases, StateValues } from '../directory/directory.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { jitterMs, nextDue, type Schedule, scheduleText } from './due.ts';
import { askSoon, type DueState, readDue, readSoon, type StoredDue, swapDue, takeSoon } from './schedule-state.ts';

/** Renewed three times in this span. What a killed instance held passes on after it. */
const LEASE_MS = 30_000;
/** Long enough for one try to get the lease. */
const LEASE_WAIT_MS = 250;
/** A due run that was begun so often and never came to an end kills whoever begins it: it is left out. */
const MOST_ATTEMPTS = 5;
/** So far the clocks of two instances may be apart: none takes the time that another has just reckoned for a wrong one. */
const CLOCKS_DIFFER_MS = 60_000;
/** When to try a run again that a source or target was not there for. After that it waits for the next time. */
const AGAIN_MS = [60_000, 300_000] as const;

export interface ScheduledSync extends Schedule {
  readonly name: string;
}

/** How a run ended, as far as the schedule goes: `stopped` is gone on with at once, by whoever comes first. */
export type RunEnd = 'ended' | 'stopped';

export interface SchedulerDeps {
  readonly leases: Leases;
  readonly values: StateValues;
  readonly clock: Clock;
  readonly log: Log;
  /** Throws what the run failed with; a `retryable` failure is tried again before the next time. */
  readonly run: (sync: string, stop: AbortSignal) => Promise<RunEnd>;
  /** From 0 up to but not 1. Default Math.random. */
  readonly random?: () => number;
}

/**
 * Runs syncs when they are due. Any number of instances may look at the same time: the due time stands in the state, a
 * lease lets one of them run, and each due run comes to an end once. An instance that dies in the middle loses its lease
 * after 30 s, and another one begins that run again.
 */
export class SyncSchedule {
  readonly #deps: SchedulerDeps;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  /** Runs this sync if it is due and nobody else does. Never throws what the run has thrown: that is logged. */
  async look(sync: ScheduledSync, stop: AbortSignal): Promise<void> {
    const { clock, leases, values } = this.#deps;
    const { state } = await this.#reckoned(sync);
    if (clock.now() < Math.min(state.start, await readSoon(sync.name, values)) || stop.aborted) return;
    const lease = await tryLease(leases, `schedule:${sync.name}`);
    if (lease === undefined) return;
    try {
      const claimed = await this.#claim(sync);
      if (claimed !== undefined) await this.#run(sync, claimed, stop);
    } finally {
      await lease.release();
    }
  }

  /**
   * Has a run begin at this time, in milliseconds since the epoch, unless one that was asked for begins sooner; also when
   * one is under way, which may have read what it reads before. What is due stays due.
   */
  async hasten(sync: ScheduledSync, start: number): Promise<void> {
    await askSoon(sync.name, start, this.#deps.values);
  }

  /** The due time as it stands, after what the schedule says now. A changed schedule never puts off what was due sooner. */
  async #reckoned(sync: ScheduledSync): Promise<StoredDue> {
    const { values, clock } = this.#deps;
    const schedule = scheduleText(sync) ?? '';
    for (;;) {
      const stored = await readDue(sync.name, values);
      const now = clock.now();
      // Under way or to be tried again: an instance with another schedule does not begin it anew.
      if (stored !== undefined && stored.state.attempts > 0 && !isTooFarAgain(stored.state, now)) return stored;
      const stands = stored?.state.schedule === schedule && stored.state.attempts === 0;
      if (stands && !isTooFar(stored.state, sync, now)) return stored;
      const due = nextDue(sync, now, stored === undefined ? undefined : now);
      const fresh = { due, start: this.#startOf(sync, due), attempts: 0, schedule };
      const state = stored === undefined ? fresh : { ...fresh, start: Math.min(fresh.start, stored.state.start) };
      await swapDue(sync.name, stored, state, values);
    }
  }

  /** Looks again, now that nobody else does, and notes that this run has begun. undefined: there is nothing to run. */
  async #claim(sync: ScheduledSync): Promise<StoredDue | undefined> {
    const { values, clock, log } = this.#deps;
    const stored = await this.#reckoned(sync);
    const now = clock.now();
    const isHastened = now >= (await readSoon(sync.name, values));
    if (now < stored.state.start && !isHastened) return undefined;
    // Before it begins: what is asked for from now on is another run.
    if (isHastened) await takeSoon(sync.name, now, values);
    if (stored.state.attempts >= MOST_ATTEMPTS) {
      log.error('a scheduled sync never came to an end, and is left out this time', { sync: sync.name });
      await this.#next(sync, stored);
      return undefined;
    }
    // With a hastened run in the past, so that whoever comes goes on with it when this instance dies.
    const start = Math.min(stored.state.start, now);
    const state = { ...stored.state, start, attempts: stored.state.attempts + 1 };
    const isOurs = await swapDue(sync.name, stored, state, values);
    return isOurs ? { state, raw: JSON.stringify(state) } : undefined;
  }

  async #run(sync: ScheduledSync, claimed: StoredDue, stop: AbortSignal): Promise<void> {
    const { run, log } = this.#deps;
    let failure: LatchgateError | undefined;
    try {
      if ((await run(sync.name, stop)) === 'stopped') {
        await this.#swap(sync, claimed, { ...claimed.state, attempts: 0 });
        return;
      }
    } catch (thrown) {
      failure = toLatchgateError(thrown);
      log.warn('a scheduled sync failed', { sync: sync.name, code: failure.code, error: failure });
    }
    await this.#next(sync, claimed, failure);
  }

  async #next(sync: ScheduledSync, claimed: StoredDue, failure?: LatchgateError): Promise<void> {
    const { state } = claimed;
    const now = this.#deps.clock.now();
    // A run that was hastened does not take the place of the one that is due.
    const due = now < state.due ? state.due : nextDue(sync, now, state.due);
    const again = now + (AGAIN_MS[state.attempts - 1] ?? Number.POSITIVE_INFINITY);
    if (failure?.retryable === true && again < due) await this.#swap(sync, claimed, { ...state, start: again });
    else await this.#swap(sync, claimed, { ...state, due, start: this.#startOf(sync, due), attempts: 0 });
  }

  /** When somebody else was faster, theirs stands. */
  async #swap(sync: ScheduledSync, before: StoredDue, state: DueState): Promise<void> {
    await swapDue(sync.name, before, state, this.#deps.values);
  }

  #startOf(sync: ScheduledSync, due: number): number {
    const random = this.#deps.random ?? Math.random;
    return Math.round(due + random() * jitterMs(sync));
  }
}

/** Further away than the schedule allows: a clock was wrong. */
function isTooFar({ start }: DueState, sync: ScheduledSync, now: number): boolean {
  const latest = sync.every === undefined ? nextDue(sync, now + CLOCKS_DIFFER_MS) : now + sync.every;
  return start > latest + jitterMs(sync);
}

/** Of a run that was begun: it is tried again later than is ever waited for. */
function isTooFarAgain({ start }: DueState, now: number): boolean {
  return start > now + Math.max(...AGAIN_MS) + CLOCKS_DIFFER_MS;
}

async function tryLease(leases: Leases, name: string): Promise<Lease | undefined> {
  try {
    return await leases.acquire(name, LEASE_MS, AbortSignal.timeout(LEASE_WAIT_MS));
  } catch (thrown) {
    if (thrown instanceof LatchgateError && thrown.code === 'lease_lost') return undefined;
    throw thrown;
  }
}
