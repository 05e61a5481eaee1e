import { parsePlan, planJson } from '../../src/sync/plan-json.ts';
import { renderPlanMarkdown } from '../../src/sync/render-markdown.ts';
import { renderPlanText } from '../../src/sync/render-text.ts';
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

it('shows who would lose what in other targets', async () => {
  loseGroups(3);
  const { outcome, plan } = await world.apply('hr-side');
  expect(outcome).toBe('held');
  const carried = [0, 1, 2].map((at) => `disable p${at} in bi`);
  expect(lines(plan.carried ?? [])).toEqual(carried);
  expect(parsePlan(JSON.stringify(planJson(plan))).carried).toEqual(planJson(plan).carried);
  for (const text of [renderPlanText(plan), renderPlanMarkdown(plan)]) {
    expect(text).toContain('2 disable; 3 carried into other targets');
    expect(text).toContain('Would lose something in other targets, at the next login or sync there: 3 people');
    expect(text).toMatch(/p2["`] in `?bi/);
  }
});

it('names each group that goes, with the rule that gave it', async () => {
  world.hr.add('p5', { groups: ['team-a', 'team-b'] });
  await world.apply('hr');
  world.hr.add('p5', { groups: ['team-b'] });
  const { carried = [] } = await world.plan('hr-side');
  expect(carried).toMatchObject([
    {
      op: 'revoke',
      key: 'p5',
      target: 'bi',
      entitlement: { kind: 'group', name: 'team-a' },
      rule: 'teams',
      subject: 'p5',
    },
  ]);
});

it('applies an approved plan only while the same people lose the same elsewhere', async () => {
  loseGroups(3);
  const { plan } = await world.apply('hr-side');
  for (let at = 3; at < 20; at += 1) world.hr.add(`p${at}`, { groups: [] });
  const approved = { approve: true, expect: plan.fingerprint };
  expect(await world.apply('hr-side', approved)).toMatchObject({ outcome: 'stale' });
  for (let at = 3; at < 20; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
  expect(await world.apply('hr-side', approved)).toMatchObject({ outcome: 'applied' });
});

it('asks again when more people lose something elsewhere than in the plan that was rejected', async () => {
  loseGroups(3);
  const { kept } = await world.run('hr-side');
  const decision = { from: ['held'], to: 'rejected', by: 'op', at: new Date(world.now) } as const;
  await world.directory.plans.decide(kept?.id ?? '', decision);
  expect((await world.run('hr-side')).kept).toMatchObject({ id: kept?.id, state: 'rejected' });
  loseGroups(4);
  expect((await world.run('hr-side')).kept).toMatchObject({ state: 'held' });
});

it('is held when each run carries a little, until a day has passed', async () => {
  loseGroups(2);
  expect(await world.run('hr-side')).toMatchObject({ outcome: 'applied' });
  for (let at = 2; at < 4; at += 1) world.hr.add(`p${at}`, { groups: ['x'] });
  const { outcome, plan } = await world.run('hr-side');
  expect([outcome, plan.changes]).toEqual(['held', []]);
  expect(plan.brake?.message).toContain('2 of 20 people would lose something');
  expect(plan.brake?.message).toContain('after 2 others within the last 24 hours');
  world.now += 86_400_000;
  expect(await world.run('hr-side')).toMatchObject({ outcome: 'applied' });
});

it('does not count whom a person let pass', async () => {
  loseGroups(3);
  expect(await world.run('hr-side', { approve: true })).toMatchObject({ outcome: 'applied' });
  for (let at = 3; at < 5; at += 1) world.hr.add(`p${at}`, { groups: ['x'] });
  expect(await world.run('hr-side')).toMatchObject({ outcome: 'applied' });
});

it('counts those too whom a source that does not own them lists no longer', async () => {
  await world.close();
  world = await new SyncWorld().open({ joined: ['hr', 'crm'], owner: 'crm', stopIf: { removals: { percent: 10 } } });
  for (let at = 0; at < 40; at += 1) {
    world.crm.add(`p${at}`, { groups: ['User'] });
    world.hr.add(`p${at}`, { groups: ['team-a'] });
  }
  for (const sync of ['crm', 'hr', 'hr-side']) expect(await world.run(sync)).toMatchObject({ outcome: 'applied' });
  const outcomes: string[] = [];
  for (let at = 0; at < 6; at += 1) {
    world.hr.people.delete(`p${at}`);
    if (at % 2 === 1) outcomes.push((await world.run('hr-side')).outcome);
  }
  expect(outcomes).toEqual(['applied', 'held', 'held']);
});
