import { lines, SyncWorld } from './world.ts';

/** What two syncs of one source make of it when it loses every group. */
let world: SyncWorld;

beforeEach(async () => {
  world = await new SyncWorld().open({ joined: ['hr'], stopIf: { removals: { percent: 10 } } });
  for (let at = 0; at < 20; at += 1) world.hr.add(`p${at}`, { groups: at < 2 ? ['team-a', 'Side'] : ['team-a'] });
  for (const sync of ['hr', 'hr-side']) expect(await world.apply(sync)).toMatchObject({ outcome: 'applied' });
});
afterEach(() => world.close());

function loseGroups(count: number) {
  for (let at = 0; at < count; at += 1) world.hr.add(`p${at}`, { groups: [] });
}

it('carries nothing past the brake of another sync of the same source', async () => {
  loseGroups(20);
  expect(await world.apply('hr')).toMatchObject({ outcome: 'held', plan: { brake: { code: 'too_many_removals' } } });
  const { outcome, plan } = await world.apply('hr-side');
  expect([outcome, lines(plan.changes)]).toEqual(['held', ['disable p0', 'disable p1']]);
  const said = 'by what the source says now 20 of 20 people would lose something in other targets';
  expect(plan.brake).toMatchObject({ code: 'too_many_removals', message: expect.stringContaining(said) });
  const person = await world.personOf('p5');
  const assertions = await world.directory.people.assertions(person?.id ?? '');
  expect(assertions.map(({ rememberedGroups }) => rememberedGroups)).toEqual([['team-a']]);
  await world.login('p5', {});
  expect(world.accounts()['p5']).toBe('group:team-a');
});

it('counts who is blocked at a source that does not own them', async () => {
  await world.close();
  world = await new SyncWorld().open({ joined: ['hr', 'crm'], stopIf: { removals: { percent: 10 } } });
  for (let at = 0; at < 20; at += 1) {
    world.hr.add(`p${at}`, { groups: ['team-a'] });
    world.crm.add(`p${at}`, { groups: ['Side'] });
  }
  for (const sync of ['hr', 'crm']) expect(await world.apply(sync)).toMatchObject({ outcome: 'applied' });
  for (let at = 0; at < 20; at += 1) world.crm.add(`p${at}`, { groups: ['Side'] }, false);
  const { outcome, plan } = await world.apply('crm');
  expect([outcome, lines(plan.changes)]).toEqual(['held', []]);
  expect(plan.brake?.message).toContain('20 of 20 people would lose something in other targets');
});

it('goes on when few lose something elsewhere, or a person approves', async () => {
  loseGroups(2);
  expect(await world.apply('hr-side')).toMatchObject({ outcome: 'applied', applied: 2 });
  loseGroups(20);
  expect(await world.apply('hr-side')).toMatchObject({ outcome: 'held' });
  expect(await world.apply('hr-side', { approve: true })).toMatchObject({ outcome: 'applied' });
});
