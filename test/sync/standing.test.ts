import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { SyncRun } from '../../src/directory/sync-history.ts';
import { swapDue } from '../../src/sync/schedule-state.ts';
import { standingOf } from '../../src/sync/standing.ts';
import { type State, sqliteState } from '../conformance/state.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const HOURLY = { every: HOUR, cron: undefined, time_zone: 'UTC', jitter: 0 };
const BY_COMMAND = { ...HOURLY, every: undefined };

let state: State;
let directory: Directory;
beforeEach(async () => {
  state = await sqliteState();
  directory = createDirectory(await state.open(), state.clock);
});
afterEach(() => state.dispose());

const standing = (schedule = HOURLY as typeof HOURLY | typeof BY_COMMAND) =>
  standingOf('hr', schedule, { ...directory, clock: state.clock });
const due = (start: number) =>
  swapDue('hr', undefined, { due: start, start, attempts: 0, schedule: 'every 1h' }, directory.values);

async function ran(outcome: NonNullable<SyncRun['outcome']>, more: Partial<SyncRun> = {}) {
  const at = new Date(state.clock.now());
  await directory.syncRuns.begin({ id: outcome, sync: 'hr', by: 'scheduler', startedAt: at });
  await directory.syncRuns.finish(outcome, { finishedAt: at, outcome, counts: {}, ...more });
  state.clock.fastForward(3 * MINUTE);
}

it('is well before the first run, and after one that ended well', async () => {
  expect(await standing()).toEqual({ ok: true, reason: 'has not run yet' });
  await ran('applied');
  expect(await standing()).toEqual({ ok: true, reason: 'applied 3 min ago' });
});

it('says how many changes a report has found', async () => {
  await ran('planned', { counts: { listed: 40, create: 2, grant: 3, held: 1 } });
  expect(await standing()).toEqual({ ok: true, reason: 'planned 3 min ago: 5 changes wait' });
});

it.each([
  [
    'held',
    { code: 'too_many_removals', planId: 'pl_1' },
    'too_many_removals',
    'held 3 min ago (too_many_removals): latchgate plans show pl_1',
  ],
  ['failed', { code: 'source_unavailable' }, 'source_unavailable', 'failed 3 min ago (source_unavailable)'],
  [
    'partial',
    { code: 'target_refused', counts: { failed: 4 } },
    'target_refused',
    '4 failed 3 min ago (target_refused)',
  ],
] as const)('is not well when the last run was %s, by schedule or by command', async (outcome, end, code, reason) => {
  await ran('applied');
  await ran(outcome, end);
  for (const schedule of [HOURLY, BY_COMMAND]) expect(await standing(schedule)).toEqual({ ok: false, code, reason });
});

it('is late once it did not run for longer than its distance, and not before', async () => {
  await due(state.clock.now());
  await ran('applied');
  state.clock.fastForward(57 * MINUTE);
  expect(await standing()).toMatchObject({ ok: true });
  state.clock.fastForward(MINUTE);
  expect(await standing()).toEqual({ ok: false, code: 'sync_late', reason: 'due 61 min ago; applied 61 min ago' });
  expect(await standing(BY_COMMAND)).toMatchObject({ ok: true });
});
