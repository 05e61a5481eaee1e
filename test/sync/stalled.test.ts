import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { SyncSetup } from '../../src/sync/setup.ts';
import { createSyncs } from '../../src/sync/syncs.ts';
import { SyncWorld } from './world.ts';

/** What is said of people, and what a run writes of it in the books. */
const TELLING = ['together.listings.save', 'together.listings.saveGone'];
/** Longer than the lease of a sync. */
const STALL_MS = 60_000;

/** A run whose process stands still for a minute at the call of the directory of that number. */
async function stalledAt(at: number) {
  const world = await new SyncWorld().open({ manage: 'all' });
  for (const who of ['ann', 'bob', 'cyd']) world.hr.add(who, { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('bob');
  world.hr.add('cyd', { groups: [] });
  world.hr.add('eve', { groups: ['team-a'] });
  world.bi.addAccount({ userName: 'nobody' });
  const after: string[] = [];
  let calls = 0;
  let before = {};
  world.onCall = (call) => {
    calls += 1;
    if (calls > at) after.push(call);
    if (calls !== at) return;
    before = world.accounts();
    world.now += STALL_MS;
  };
  const end = await world.apply().then(
    ({ outcome }) => outcome,
    ({ code }: { code?: string }) => code,
  );
  world.onCall = () => {};
  return { world, ended: end, before, after, isOver: calls < at };
}

it('a run that stood still for longer than its lease writes nothing more, wherever that was, and the next goes on', async () => {
  const ends = new Set<string | undefined>();
  for (let at = 1, isOver = false; !isOver; at += 4) {
    const run = await stalledAt(at);
    const { world, ended, before, after } = run;
    isOver = run.isOver;
    ends.add(ended);
    if (ended === 'run_stalled') {
      expect([at, world.accounts()]).toEqual([at, before]);
      expect([at, after.filter((call) => TELLING.includes(call))]).toEqual([at, []]);
    }
    world.hr.add('bob', { groups: ['User', 'team-b'] });
    world.now += STALL_MS;
    expect(await world.apply()).toMatchObject({ outcome: 'applied' });
    expect([at, world.accounts()]).toEqual([
      at,
      {
        ann: 'group:analysts role:Alpha',
        bob: 'group:analysts group:team-b role:Alpha',
        cyd: '(group:analysts role:Alpha)',
        eve: 'group:team-a',
        nobody: '()',
      },
    ]);
    await world.close();
  }
  expect([...ends].sort()).toEqual(['applied', 'run_stalled']);
});

it('nobody is gone by what a run read before it stood still', async () => {
  const { world, ended } = await stalledAt(2);
  expect(ended).toBe('run_stalled');
  expect(await world.personOf('bob')).not.toHaveProperty('leftAt');
  await world.close();
});

/** Stands still in the middle of the calls of a batch; `meanwhile` is what the world does until it wakes. */
function stallAtFirstWrite(world: SyncWorld, stallMs: number, meanwhile: () => Promise<unknown>) {
  let calls = 0;
  let waking: Promise<unknown> | undefined;
  world.bi.hook = async (call) => {
    if (call !== 'apply') return;
    calls += 1;
    const isFirst = waking === undefined;
    waking ??= new Promise((resolve) => setImmediate(resolve)).then(async () => {
      // All that were on their way have come to the target by now.
      const onTheirWay = calls;
      const { hook } = world.bi;
      world.bi.hook = () => {};
      world.now += stallMs;
      await meanwhile();
      world.bi.hook = hook;
      calls = 0;
      return onTheirWay;
    });
    await waking;
    if (isFirst) calls = 0;
  };
  return { begunAfter: () => calls };
}

/** Over the same database, and with leases of its own. */
function otherInstance(world: SyncWorld) {
  const clock = { now: () => world.now };
  const directory = createDirectory(world.database, clock);
  const open = async () => world.adoptSetup().syncs[0] as SyncSetup;
  return createSyncs({ ...world.deps, directory, open });
}

const ended = (run: Promise<{ outcome: string }>) =>
  run.then(
    ({ outcome }) => outcome,
    ({ code }: { code?: string }) => code,
  );

it.each(['delete', 'disable'] as const)(
  'a run that stood still between the calls of a batch begins none of the rest: leaver %s',
  async (now) => {
    const world = await new SyncWorld().open({ leaver: { now } });
    for (let at = 0; at < 25; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
    await world.apply();
    const everybody = new Map(world.hr.people);
    for (let at = 0; at < 20; at += 1) world.hr.people.delete(`p${at}`);
    const other = otherInstance(world);
    const stall = stallAtFirstWrite(world, STALL_MS, async () => {
      for (const [who, person] of everybody) world.hr.people.set(who, person);
      const options = { actor: 'b', requestId: 'b', approve: false, stop: AbortSignal.timeout(20_000) };
      expect(await other.apply('hr', options)).toMatchObject({ outcome: 'applied' });
    });
    expect(await ended(world.apply())).toBe('run_stalled');
    expect(stall.begunAfter()).toBe(0);
    world.bi.hook = () => {};
    // Only what was on its way has arrived: eight are written to at the same time.
    const accounts = Object.values(world.accounts());
    expect(accounts.filter((given) => !given.startsWith('(')).length).toBeGreaterThanOrEqual(25 - 8);
    expect(await world.apply()).toMatchObject({ outcome: 'applied' });
    expect(Object.values(world.accounts())).toEqual(everybodyHas(25));
    await world.close();
  },
);

const everybodyHas = (count: number) => Array.from({ length: count }, () => 'group:analysts role:Alpha');

it('a run that stood still at its very last call does not end as if nothing had been', async () => {
  const world = await new SyncWorld().open();
  world.hr.add('ann', { groups: ['User'] });
  world.bi.hook = (call) => {
    if (call === 'applied') world.now += STALL_MS;
  };
  expect(await ended(world.apply())).toBe('run_stalled');
  world.bi.hook = () => {};
  expect(await world.apply()).toMatchObject({ outcome: 'applied' });
  await world.close();
});

it('a run that stood still for longer than accounts are leased looks at the rest of its batch anew, each by itself', async () => {
  const world = await new SyncWorld().open();
  for (let at = 0; at < 25; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
  await world.apply();
  for (let at = 0; at < 20; at += 1) world.hr.people.delete(`p${at}`);
  // By a lease of the run that lasts 9 s, and leases of accounts that last 4 s.
  const stall = stallAtFirstWrite(world, 5_000, async () => {
    const { id: person } = (await world.personOf('p19')) ?? { id: '' };
    const lease = await world.directory.leases.acquire(`account:bi:${person}`, 4_000, AbortSignal.timeout(1_000));
    await lease.release();
  });
  const run = await world.apply();
  expect(run).toMatchObject({ outcome: 'applied', failed: 0 });
  expect(stall.begunAfter()).toBeGreaterThan(0);
  const off = Object.values(world.accounts()).filter((given) => given.startsWith('('));
  expect(off).toHaveLength(20);
  await world.close();
});
