import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import type { LogFields } from '../../src/ops/log.ts';
import { type RunEnd, type ScheduledSync, SyncSchedule } from '../../src/sync/schedule.ts';
import { dueTime } from '../../src/sync/schedule-state.ts';
import { type State, sqliteState } from '../conformance/state.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const HOURLY: ScheduledSync = { name: 'hr', every: HOUR, cron: undefined, time_zone: 'UTC', jitter: 0 };
const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

let state: State;
let runs: string[];
let logged: [string, LogFields | undefined][];
beforeEach(async () => {
  state = await sqliteState();
  runs = [];
  logged = [];
});
afterEach(() => state.dispose());

/** One more instance on the same state. `work` is what its runs do; by default they are done at once. */
async function instance(name: string, work: (stop: AbortSignal) => Promise<RunEnd> = async () => 'ended') {
  const database = await state.open();
  const directory = createDirectory(database, state.clock);
  const write = (message: string, fields?: LogFields) => void logged.push([message, fields]);
  const schedule = new SyncSchedule({
    ...directory,
    clock: state.clock,
    log: { error: write, warn: write, info: write, debug: write },
    random: () => 0.5,
    run: (sync, stop) => {
      runs.push(`${name} ${sync}`);
      return work(stop);
    },
  });
  const stopping = new AbortController();
  const look = (sync: ScheduledSync = HOURLY) => schedule.look(sync, stopping.signal);
  const due = async () => (await dueTime('hr', directory.values))?.getTime();
  // Without a word: it renews nothing any more, and gives nothing back.
  return { directory, look, due, stop: () => stopping.abort(), die: () => database.close() };
}

/** A run that ends when it is told to. */
function endless() {
  let end: (how: RunEnd) => void = () => {};
  const ended = new Promise<RunEnd>((resolve) => {
    end = resolve;
  });
  return { work: () => ended, end };
}

const until = async (holds: () => boolean) => {
  const until = Date.now() + 10_000;
  while (!holds() && Date.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
};

describe('a due run', () => {
  it('happens once, however many instances look and however often', async () => {
    const all = await Promise.all(['a', 'b', 'c'].map((name) => instance(name)));
    for (let hour = 0; hour < 3; hour += 1) {
      for (let again = 0; again < 3; again += 1) await Promise.all(all.map(({ look }) => look()));
      expect(runs).toHaveLength(hour + 1);
      state.clock.fastForward(HOUR);
    }
  });

  it('happens once where another instance with another schedule looks while it is under way', async () => {
    const b = await instance('b');
    const a = await instance('a', async () => {
      await b.look({ ...HOURLY, every: 2 * HOUR });
      return 'ended';
    });
    for (let again = 0; again < 5; again += 1) await a.look();
    expect(runs).toEqual(['a hr']);
  });

  it('is left alone while another instance is at it, and is then done', async () => {
    const { work, end } = endless();
    const [a, b] = [await instance('a', work), await instance('b')];
    const running = a.look();
    await until(() => runs.length === 1);
    state.clock.fastForward(20_000);
    await b.look();
    end('ended');
    await running;
    await b.look();
    expect(runs).toEqual(['a hr']);
  });

  it('is begun again by another within a minute when its instance dies in the middle', async () => {
    const [a, b] = [await instance('a', endless().work), await instance('b')];
    void a.look();
    await until(() => runs.length === 1);
    await a.die();
    await b.look();
    expect(runs).toEqual(['a hr']);
    state.clock.fastForward(31_000);
    await b.look();
    expect(runs).toEqual(['a hr', 'b hr']);
    await b.look();
    expect(runs).toHaveLength(2);
  });

  it('is gone on with at once by another when its instance is stopped', async () => {
    const { work, end } = endless();
    const [a, b] = [await instance('a', work), await instance('b')];
    const running = a.look();
    await until(() => runs.length === 1);
    a.stop();
    end('stopped');
    await running;
    await a.look();
    await b.look();
    expect(runs).toEqual(['a hr', 'b hr']);
  });

  it('that kills whoever begins it is left out after five times', async () => {
    for (let life = 0; life < 7; life += 1) {
      const one = await instance(`life ${life}`, endless().work);
      const before = runs.length;
      let isOver = false;
      void one.look().then(() => {
        isOver = true;
      });
      await until(() => runs.length > before || isOver);
      await one.die();
      state.clock.fastForward(31_000);
    }
    expect(runs).toHaveLength(5);
    expect(logged).toContainEqual([expect.stringMatching(/never came to an end/), { sync: 'hr' }]);
    state.clock.fastForward(HOUR);
    await (await instance('later')).look();
    expect(runs).toHaveLength(6);
  });
});

describe('a run that fails', () => {
  const failing = (code: 'source_unavailable' | 'source_refused') => async (): Promise<RunEnd> => {
    throw new LatchgateError(code, 'no');
  };

  it('is tried again after a minute and after five, then at its next time', async () => {
    const one = await instance('a', failing('source_unavailable'));
    const times: number[] = [];
    for (let minute = 0; minute <= 125; minute += 1) {
      const before = runs.length;
      await one.look();
      if (runs.length > before) times.push(minute);
      state.clock.fastForward(MINUTE);
    }
    expect(times).toEqual([0, 1, 6, 60, 61, 66, 120, 121]);
    expect(logged[0]).toEqual(['a scheduled sync failed', expect.objectContaining({ code: 'source_unavailable' })]);
  });

  it('is not tried again before its next time when that would not help', async () => {
    const one = await instance('a', failing('source_refused'));
    await one.look();
    state.clock.fastForward(10 * MINUTE);
    await one.look();
    expect(runs).toHaveLength(1);
    state.clock.fastForward(50 * MINUTE);
    await one.look();
    expect(runs).toHaveLength(2);
  });
});

describe('the time', () => {
  it('has the jitter on it that all instances share', async () => {
    const [a, b] = [await instance('a'), await instance('b')];
    const sync = { ...HOURLY, jitter: 10 * MINUTE };
    await a.look(sync);
    expect([await a.due(), await b.due(), runs]).toEqual([NOW + 5 * MINUTE, NOW + 5 * MINUTE, []]);
    state.clock.fastForward(5 * MINUTE);
    await b.look(sync);
    expect([await a.due(), runs]).toEqual([NOW + HOUR + 5 * MINUTE, ['b hr']]);
  });

  it('outlives a restart: what ran a while ago is not due again', async () => {
    await (await instance('a')).look();
    state.clock.fastForward(10 * MINUTE);
    await (await instance('b')).look();
    expect(runs).toEqual(['a hr']);
  });

  it('comes once for all that were missed while nobody was there', async () => {
    const a = await instance('a');
    await a.look();
    state.clock.fastForward(50.5 * HOUR);
    await a.look();
    await a.look();
    expect(runs).toHaveLength(2);
    expect(await a.due()).toBe(NOW + 51 * HOUR);
  });

  it('follows a changed schedule, and two instances that disagree do not keep putting it off', async () => {
    const a = await instance('a');
    await a.look();
    await a.look({ ...HOURLY, every: undefined, cron: '0 6 * * *' });
    expect(await a.due()).toBe(NOW + HOUR);
    await a.look({ ...HOURLY, every: 5 * MINUTE });
    expect(await a.due()).toBe(NOW + 5 * MINUTE);
    expect(runs).toHaveLength(1);
    const b = await instance('b');
    for (let minute = 0; minute < 70; minute += 1) {
      await a.look();
      await b.look({ ...HOURLY, every: 2 * HOUR });
      state.clock.fastForward(MINUTE);
    }
    expect(runs.length).toBeGreaterThanOrEqual(2);
  });

  it('is reckoned anew where what stands in the state cannot be read', async () => {
    const a = await instance('a');
    await a.directory.values.swap('sync due:hr', undefined, '{"due":"soon"}');
    await a.look();
    expect([await a.due(), runs]).toEqual([NOW + HOUR, []]);
  });

  it('is not put off for good by an instance whose clock was wrong', async () => {
    const a = await instance('a');
    state.clock.fastForward(100 * HOUR);
    await a.look();
    state.clock.fastForward(-100 * HOUR);
    await a.look();
    expect(await a.due()).toBe(NOW + HOUR);
  });

  it('is not put off for good by an instance whose clock was wrong while the run failed', async () => {
    let fails = false;
    const a = await instance('a', async () => {
      if (fails) throw new LatchgateError('source_unavailable', 'no');
      return 'ended';
    });
    await a.look();
    fails = true;
    state.clock.fastForward(100 * HOUR);
    await a.look();
    state.clock.fastForward(-100 * HOUR);
    await a.look();
    expect([await a.due(), runs.length]).toEqual([NOW + HOUR, 2]);
  });

  it('by cron is not put off by a clock that jumped ahead once, and not repeated by one that is a little behind', async () => {
    const daily = { ...HOURLY, every: undefined, cron: '0 0 * * *' };
    const a = await instance('a');
    await a.look(daily);
    state.clock.fastForward(30 * 24 * HOUR);
    await a.look(daily);
    state.clock.fastForward(-30 * 24 * HOUR);
    await a.look(daily);
    const midnight = Date.UTC(2026, 0, 3);
    expect([await a.due(), runs.length]).toEqual([midnight, 1]);
    state.clock.fastForward(midnight - NOW);
    await a.look(daily);
    state.clock.fastForward(-1_000);
    await a.look(daily);
    state.clock.fastForward(2_000);
    await a.look(daily);
    expect(runs).toHaveLength(2);
  });
});
