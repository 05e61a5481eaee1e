import { SyncWorld } from './world.ts';

/** What becomes of a source that shrinks a little with every run. */
let world: SyncWorld;

beforeEach(async () => {
  world = await new SyncWorld().open({ stopIf: { removals: { percent: 10 } } });
  for (let at = 0; at < 40; at += 1) world.hr.add(`p${at}`, { groups: ['team-a'] });
  expect(await world.run()).toMatchObject({ outcome: 'applied', applied: 40 });
});
afterEach(() => world.close());

async function lose(count: number, approve = false) {
  for (const subject of [...world.hr.people.keys()].slice(0, count)) world.hr.people.delete(subject);
  const { outcome, plan } = await world.run('hr', { approve });
  return plan.brake === undefined ? outcome : `${outcome}: ${plan.brake.message}`;
}

it('is held when the removals of a day are above the limit, and goes on a day later', async () => {
  expect([await lose(2), await lose(2)]).toEqual(['applied', 'applied']);
  const text = '1 of 40 people would lose something, after 4 others within the last 24 hours';
  expect(await lose(1)).toBe(`held: ${text}; more than 10 % wait for a person`);
  world.hr.add('p39', { groups: ['team-a', 'team-b'] });
  expect(await world.run()).toMatchObject({ outcome: 'held' });
  world.now += 86_400_000;
  expect(await world.run()).toMatchObject({ outcome: 'applied', applied: 2 });
});

it('does not count what a person approved', async () => {
  expect(await lose(8, true)).toMatch(/^applied: 8 of 40/);
  expect([await lose(2), await lose(1)]).toEqual(['applied', 'applied']);
});
