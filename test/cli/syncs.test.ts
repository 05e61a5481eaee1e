import { syncsList, syncsRuns } from '../../src/cli/syncs.ts';
import { swapDue } from '../../src/sync/schedule-state.ts';
import type { SyncConfig } from '../../src/sync/schema.ts';
import { makeTerminal, type Terminal } from './terminal.ts';
import { makeWorld, type World } from './world.ts';

let world: World;
let terminal: Terminal;
beforeEach(async () => {
  world = await makeWorld();
  terminal = makeTerminal();
});
afterEach(() => world.close());

const base = { from: 'hr', to: 'gooddata', every: undefined, cron: undefined, time_zone: 'UTC', jitter: undefined };
const SYNCS: Readonly<Record<string, SyncConfig>> = {
  hourly: { ...base, every: 3_600_000, do: 'apply' },
  nightly: { ...base, cron: '0 2 * * *', do: 'plan' },
  'by-hand': { ...base, do: 'plan' },
};

async function ran(id: string, sync: string, end: Partial<Parameters<World['syncRuns']['finish']>[1]>) {
  await world.syncRuns.begin({ id, sync, by: 'scheduler', startedAt: new Date(world.clock.now()) });
  world.clock.fastForward(12_000);
  await world.syncRuns.finish(id, { finishedAt: new Date(world.clock.now()), outcome: 'applied', counts: {}, ...end });
}

it('syncs list shows when each runs, how it went last and when it runs next', async () => {
  const start = world.clock.now() + 3_600_000;
  await swapDue('hourly', undefined, { due: start, start, attempts: 0, schedule: 'every 1h' }, world.values);
  await ran('r1', 'hourly', {});
  await ran('r2', 'nightly', { outcome: 'failed', code: 'source_unavailable' });
  expect(await syncsList({}, { ...world, sync: SYNCS }, terminal)).toBe(0);
  expect(terminal.lines).toEqual([
    'NAME     SYNC            SCHEDULE             LAST RUN                                          NEXT',
    'hourly   hr -> gooddata  apply every 1h       2026-01-02 03:04:06Z applied                      2026-01-02 04:04:06Z',
    'nightly  hr -> gooddata  plan cron 0 2 * * *  2026-01-02 03:04:18Z failed (source_unavailable)  -',
    'by-hand  hr -> gooddata  -                    -                                                 -',
  ]);
  const json = makeTerminal();
  await syncsList({ json: true }, { ...world, sync: SYNCS }, json);
  expect(json.json()).toEqual([
    expect.objectContaining({ name: 'hourly', schedule: 'every 1h', next: '2026-01-02T04:04:06.000Z' }),
    expect.objectContaining({
      name: 'nightly',
      next: null,
      last: expect.objectContaining({ code: 'source_unavailable' }),
    }),
    { name: 'by-hand', from: 'hr', to: 'gooddata', do: 'plan', schedule: null, next: null, last: null },
  ]);
});

it('syncs runs shows the last runs of one', async () => {
  await ran('r1', 'hourly', { counts: { create: 2, grant: 3, failed: 1, listed: 40 }, planId: 'pl_1' });
  await world.syncRuns.begin({ id: 'r2', sync: 'hourly', by: 'operator', startedAt: new Date(world.clock.now()) });
  expect(await syncsRuns('hourly', {}, { ...world, sync: SYNCS }, terminal)).toBe(0);
  expect(terminal.lines).toEqual([
    'STARTED               TOOK  BY         OUTCOME    CHANGES                      PLAN',
    '2026-01-02 03:04:18Z  -     operator   under way  -                            -',
    '2026-01-02 03:04:06Z  12s   scheduler  applied    2 create, 3 grant, 1 failed  pl_1',
  ]);
  const json = makeTerminal();
  await syncsRuns('hourly', { json: true }, { ...world, sync: SYNCS }, json);
  expect(json.json()).toEqual([
    expect.objectContaining({ id: 'r2', outcome: null, finishedAt: null }),
    expect.objectContaining({ id: 'r1', outcome: 'applied', counts: { create: 2, grant: 3, failed: 1, listed: 40 } }),
  ]);
  await expect(syncsRuns('none', {}, { ...world, sync: SYNCS }, terminal)).rejects.toMatchObject({ code: 'not_found' });
});
