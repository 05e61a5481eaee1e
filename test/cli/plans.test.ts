import { plansApprove, plansList, plansReject, plansShow } from '../../src/cli/plans.ts';
import { applySync, reportSync } from '../../src/sync/runs.ts';
import { leaver, newPerson } from '../sync/example-plans.ts';
import { makeSyncWorld, SYNC, type SyncWorld } from './sync-world.ts';
import { makeTerminal, type Terminal } from './terminal.ts';

let world: SyncWorld;
let terminal: Terminal;

beforeEach(async () => {
  world = await makeSyncWorld();
  world.syncs.changes = [...leaver('ada', 'analysts'), ...leaver('bob')];
  world.syncs.brake = { code: 'too_many_removals', message: '2 of 2 people would lose something' };
  terminal = makeTerminal();
});
afterEach(() => world.close());

let runs = 0;
const scheduled = () => {
  runs += 1;
  const stop = new AbortController().signal;
  return applySync(SYNC, { actor: 'scheduler', requestId: `run ${runs}`, approve: false, stop }, world);
};
const states = async () => (await world.plans.list(10)).map(({ id, state }) => [id, state]);
const audited = async () => {
  const events: unknown[] = [];
  for await (const { event, actor, after } of world.audit.list({})) events.push([event, actor, after]);
  return events;
};

it('plans list shows what waits', async () => {
  await scheduled();
  expect(await plansList({}, world, terminal)).toBe(0);
  expect(terminal.lines).toEqual([
    'ID    SYNC            TARGET    MADE                  STATE  WHY                DECIDED BY',
    'pl_1  hr-to-gooddata  gooddata  2026-01-02 03:04:05Z  held   too_many_removals  -',
  ]);
  const json = makeTerminal();
  await plansList({ json: true }, world, json);
  expect(json.json()).toEqual([
    {
      id: 'pl_1',
      sync: SYNC,
      target: 'gooddata',
      at: '2026-01-02T03:04:05.000Z',
      state: 'held',
      code: 'too_many_removals',
      decidedBy: null,
      decidedAt: null,
    },
  ]);
});

it('plans show prints it as plan does, and how to approve it', async () => {
  await scheduled();
  expect(await plansShow('pl_1', {}, world, terminal)).toBe(0);
  expect(terminal.lines.join('\n')).toContain('latchgate plans approve pl_1');
  expect(terminal.lines.join('\n')).toContain('"ada"');
  await expect(plansShow('pl_2', {}, world, terminal)).rejects.toMatchObject({ code: 'not_found' });
  const json = makeTerminal();
  await plansShow('pl_1', { json: true }, world, json);
  expect(JSON.parse(json.lines.join(''))).toMatchObject({ id: 'pl_1', state: 'held', summary: { disable: 2 } });
  const markdown = makeTerminal();
  await plansShow('pl_1', { markdown: true }, world, markdown);
  expect(markdown.lines.join('')).toContain('`latchgate plans approve pl_1`');
});

describe('plans approve', () => {
  it('applies at once what is still true, and says who approved it', async () => {
    await scheduled();
    expect(await plansApprove('pl_1', {}, world, terminal)).toBe(0);
    expect(world.syncs.changes).toEqual([]);
    expect(await states()).toEqual([['pl_1', 'applied']]);
    const [stored] = await world.plans.list(1);
    const after = { plan: 'pl_1', sync: SYNC, fingerprint: stored?.fingerprint };
    expect(await audited()).toEqual([['plan.approved', 'operator', after]]);
  });

  it('applies nothing when it is not true any more', async () => {
    await scheduled();
    world.syncs.changes = [...world.syncs.changes, ...leaver('carol')];
    expect(await plansApprove('pl_1', {}, world, terminal)).toBe(1);
    expect(world.syncs.changes).toHaveLength(4);
    expect(await states()).toEqual([['pl_1', 'replaced']]);
    await expect(plansApprove('pl_1', {}, world, terminal)).rejects.toMatchObject({ code: 'plan_decided' });
  });

  it('says by its exit code that some failed', async () => {
    await scheduled();
    world.syncs.failing.set('bob', 'target_unavailable');
    expect(await plansApprove('pl_1', { json: true }, world, terminal)).toBe(1);
    expect(terminal.json().at(-1)).toEqual({ result: expect.objectContaining({ outcome: 'partial', failed: 1 }) });
  });

  it('goes on with one whose process died after it was approved', async () => {
    await scheduled();
    const at = new Date(world.clock.now());
    await world.plans.decide('pl_1', { from: ['held'], to: 'approved', by: 'operator', at });
    expect(await plansApprove('pl_1', {}, world, terminal)).toBe(0);
    expect(await states()).toEqual([['pl_1', 'applied']]);
  });

  it('takes a plan that was only reported', async () => {
    world.syncs.brake = undefined;
    const signal = new AbortController().signal;
    const { kept } = await reportSync(SYNC, { actor: 'scheduler', requestId: 'r1', signal }, world);
    expect(kept).toMatchObject({ state: 'saved' });
    expect(await plansApprove(String(kept?.id), {}, world, terminal)).toBe(0);
    expect(world.syncs.changes).toEqual([]);
  });
});

describe('plans reject', () => {
  it('drops it, and nobody is asked about the very same plan again', async () => {
    await scheduled();
    expect(await plansReject('pl_1', {}, world, terminal)).toBe(0);
    expect(terminal.lines).toEqual(['rejected: pl_1 of hr-to-gooddata; nothing was written']);
    expect((await scheduled()).kept).toMatchObject({ id: 'pl_1', state: 'rejected' });
    expect(world.syncs.changes).toHaveLength(3);
    await expect(plansApprove('pl_1', {}, world, terminal)).rejects.toMatchObject({
      code: 'plan_decided',
      message: 'the plan pl_1 is rejected by operator at 2026-01-02 03:04:06Z',
    });
    expect((await audited())[0]).toMatchObject(['plan.rejected', 'operator', { plan: 'pl_1' }]);
  });

  it('does not keep another plan of the sync from being asked about', async () => {
    await scheduled();
    await plansReject('pl_1', {}, world, terminal);
    world.syncs.changes = [...world.syncs.changes, ...newPerson('dan')];
    world.clock.fastForward(1_000);
    const { kept } = await scheduled();
    expect(kept).toMatchObject({ state: 'held' });
    expect(kept?.id).not.toBe('pl_1');
  });
});

it('a run that changes nothing takes what waited for out of date', async () => {
  await scheduled();
  world.syncs.changes = [];
  world.syncs.brake = undefined;
  const signal = new AbortController().signal;
  await reportSync(SYNC, { actor: 'scheduler', requestId: 'r2', signal }, world);
  expect(await states()).toEqual([['pl_1', 'replaced']]);
});
