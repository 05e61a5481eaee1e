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
  const ended = await world.apply().then(
    ({ outcome }) => outcome,
    ({ code }: { code?: string }) => code,
  );
  world.onCall = () => {};
  return { world, ended, before, after, isOver: calls < at };
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
