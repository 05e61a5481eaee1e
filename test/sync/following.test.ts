import { setTimeout as sleep } from 'node:timers/promises';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { ChangeFeed, FeedStep } from '../../src/sources/change-feed.ts';
import { followChanges } from '../../src/sync/following.ts';
import { type RunEnd, type ScheduledSync, SyncSchedule } from '../../src/sync/schedule.ts';
import { type State, sqliteState } from '../conformance/state.ts';

const HOUR = 3_600_000;

/** A feed that says what it is given, and then waits for its end. */
class ToldFeed implements ChangeFeed {
  readonly begun: (string | undefined)[] = [];
  readonly #steps: readonly (FeedStep | Error)[];

  constructor(...steps: readonly (FeedStep | Error)[]) {
    this.#steps = steps;
  }

  async *changes(signal: AbortSignal, lastId?: string): AsyncGenerator<FeedStep, void, undefined> {
    this.begun.push(lastId);
    for (const step of this.#steps) {
      if (step instanceof Error) throw step;
      yield step;
    }
    await sleep(HOUR, undefined, { signal }).catch(() => {});
  }

  async close(): Promise<void> {}
}

describe('following a source', () => {
  let state: State;
  let directory: Directory;
  let stop: AbortController;
  let runs: number;

  beforeEach(async () => {
    state = await sqliteState();
    directory = createDirectory(await state.open(), state.clock);
    stop = new AbortController();
    runs = 0;
  });
  afterEach(() => state.dispose());

  const count = async (): Promise<void> => {
    runs += 1;
  };
  const follow = (feed: ChangeFeed, onChange = count) =>
    followChanges('tenant', { ...directory, clock: state.clock, feed, onChange }, stop.signal);
  const until = async (isSo: () => boolean | Promise<boolean>) => {
    while (!(await isSo())) await sleep(5);
  };
  /** Follows until so many changes were passed on, and one more look at what is kept. */
  const followed = async (feed: ToldFeed, times: number) => {
    const following = follow(feed);
    await until(() => runs >= times && feed.begun.length > 0);
    await sleep(20);
    stop.abort();
    await following;
    stop = new AbortController();
  };

  it('passes changes on and goes on from the last of them, whoever follows', async () => {
    await followed(
      new ToldFeed({ kind: 'changed', id: '1' }, { kind: 'moved', id: '2' }, { kind: 'changed', id: '3' }),
      2,
    );
    expect(runs).toBe(2);
    const next = new ToldFeed();
    await followed(next, 0);
    expect(next.begun).toEqual(['3']);
  });

  it('has everything read again when changes were missed, and forgets the place', async () => {
    await followed(new ToldFeed({ kind: 'changed', id: '1' }, { kind: 'missed' }), 2);
    const next = new ToldFeed();
    await followed(next, 0);
    expect([runs, next.begun]).toEqual([2, [undefined]]);
  });

  it('keeps no place that was not passed on', async () => {
    const failing = async () => {
      throw new LatchgateError('state_unavailable', 'gone');
    };
    await expect(follow(new ToldFeed({ kind: 'changed', id: '1' }), failing)).rejects.toMatchObject({
      code: 'state_unavailable',
    });
    const next = new ToldFeed({ kind: 'changed', id: '1' });
    await followed(next, 1);
    expect([runs, next.begun]).toEqual([1, [undefined]]);
  });

  it('is for one instance at a time, and for another as soon as that ends', async () => {
    const [first, second] = [new ToldFeed(), new ToldFeed()];
    const following = follow(first);
    await until(() => first.begun.length === 1);
    await followChanges(
      'tenant',
      { ...directory, clock: state.clock, feed: second, onChange: async () => {} },
      stop.signal,
    );
    expect(second.begun).toEqual([]);
    stop.abort();
    await following;
    stop = new AbortController();
    await followed(second, 0);
    expect(second.begun).toHaveLength(1);
  });

  it('ends with what the source refuses, and lets go', async () => {
    const refusal = new LatchgateError('source_refused', 'no scope');
    await expect(follow(new ToldFeed(refusal))).rejects.toBe(refusal);
    await expect(follow(new ToldFeed(refusal))).rejects.toBe(refusal);
  });
});

describe('a run that is hastened', () => {
  const sync: ScheduledSync = { name: 'people', every: HOUR, cron: undefined, time_zone: 'UTC', jitter: undefined };
  let state: State;
  let directory: Directory;
  let ran: number[];
  let schedule: SyncSchedule;
  let whileRunning: () => Promise<void>;
  let outcome: RunEnd;
  const look = () => schedule.look(sync, new AbortController().signal);

  beforeEach(async () => {
    state = await sqliteState();
    directory = createDirectory(await state.open(), state.clock);
    ran = [];
    whileRunning = async () => {};
    outcome = 'ended';
    const run = async () => {
      ran.push(state.clock.now());
      await whileRunning();
      return outcome;
    };
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    schedule = new SyncSchedule({ ...directory, clock: state.clock, log, run, random: () => 0 });
    await look();
  });
  afterEach(() => state.dispose());

  it('begins at its time, and the one that is due is not left out for it', async () => {
    const start = state.clock.now();
    state.clock.fastForward(600_000);
    await schedule.hasten(sync, state.clock.now() + 10_000);
    await look();
    state.clock.fastForward(10_000);
    await look();
    await look();
    expect(ran).toEqual([start, start + 610_000]);
    state.clock.fastForward(HOUR - 610_000);
    await look();
    expect(ran).toEqual([start, start + 610_000, start + HOUR]);
  });

  it('is one run however often it is hastened, the soonest', async () => {
    for (const ms of [9_000, 10_000, 8_000, HOUR * 2]) await schedule.hasten(sync, state.clock.now() + ms);
    state.clock.fastForward(8_000);
    await look();
    state.clock.fastForward(5_000);
    await look();
    expect(ran).toHaveLength(2);
  });

  it('comes after a run that is under way, which may have read before the change', async () => {
    whileRunning = () => schedule.hasten(sync, state.clock.now() + 1_000);
    state.clock.fastForward(HOUR);
    await look();
    whileRunning = async () => {};
    expect(ran).toHaveLength(2);
    state.clock.fastForward(1_000);
    await look();
    await look();
    expect(ran).toHaveLength(3);
  });

  it('is gone on with by the next instance when it is stopped', async () => {
    await schedule.hasten(sync, state.clock.now() + 1_000);
    state.clock.fastForward(1_000);
    outcome = 'stopped';
    await look();
    outcome = 'ended';
    await look();
    await look();
    expect(ran).toHaveLength(3);
  });
});
