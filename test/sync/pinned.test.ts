import { lines, SyncWorld } from './world.ts';

/** What a review has taken from somebody, and a source that still gives it. */
let world: SyncWorld;
beforeEach(async () => {
  world = await new SyncWorld().open();
  world.hr.add('ann', { groups: ['User'], preferred_username: 'ann' });
  world.hr.add('bob', { groups: ['User'], preferred_username: 'bob' });
  await world.apply();
});
afterEach(() => world.close());

it('is taken by the next sync, and no sync after it gives it back', async () => {
  const person = (await world.directory.people.list(10)).find(({ displayName }) => displayName.startsWith('ann'))?.id;
  const at = new Date(world.now);
  const about = { person: String(person), target: 'bi', effect: 'withheld', by: 'review rv_1', at } as const;
  await world.directory.pins.set({ ...about, kind: 'role', name: 'Alpha' });
  const plan = await world.plan();
  expect(lines(plan.changes)).toEqual(['revoke ann role:Alpha']);
  expect(plan.changes[0]?.reason).toBe('pinned by review rv_1');
  await world.apply();
  expect(world.bi.given('ann')).toEqual(['group:analysts']);
  expect(world.bi.given('bob')).toEqual(['group:analysts', 'role:Alpha']);
  expect(lines((await world.plan()).changes)).toEqual([]);
});
