import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** Two sources that lead into one target in which more is managed than what is recorded. */
let world: SyncWorld;

async function start(options: SyncWorldOptions) {
  world = await new SyncWorld().open({ shared: true, joined: ['hr', 'crm'], ...options });
  world.hr.add('p', { groups: ['team-a'] });
  world.crm.add('p', { groups: ['team-b'] });
  world.crm.add('q', { groups: ['team-b'] });
  const teams = ['team-b', 'team-c'].map((name) => ({ kind: 'group' as const, name }));
  world.bi.addAccount({ userName: 'p', profile: { email: 'p@acme.test' } }, teams);
  world.bi.addAccount({ userName: 'q', profile: { email: 'q@acme.test' } }, teams.slice(0, 1));
  world.bi.addAccount({ userName: 'stray', profile: { email: 'stray@acme.test' } }, []);
}
afterEach(() => world.close());

it.each(['mapped', 'all'] as const)('under %s nothing is taken before each was applied once', async (manage) => {
  await start({ manage });
  const { outcome, plan } = await world.run('hr');
  expect([outcome, lines(plan.changes).filter((line) => /revoke|disable/.test(line))]).toEqual(['applied', []]);
  expect(plan.notes).toEqual([expect.stringContaining('the sync crm was not applied whole yet')]);
  expect(world.accounts()).toEqual({
    p: 'group:team-a group:team-b group:team-c',
    q: 'group:team-b',
    stray: '',
  });
  const crm = await world.run('crm');
  expect(crm.plan.notes).toEqual([]);
  await world.run('hr');
  expect(world.accounts()).toEqual({
    p: 'group:team-a group:team-b',
    q: 'group:team-b',
    stray: manage === 'all' ? '()' : '',
  });
});
