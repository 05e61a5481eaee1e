import { approveDeletions, noteDeletion } from '../../src/scim/store/held.ts';
import { lines, SyncWorld } from './world.ts';

/** Deletions that a SCIM client asked for, that wait for somebody's word, and a sync that comes by meanwhile. */
let world: SyncWorld;
let ann: string;

beforeEach(async () => {
  world = await new SyncWorld().open({ leaver: { now: 'delete' }, joined: ['hr'] });
  for (const who of ['ann', 'bob', 'cyd']) world.hr.add(who, { groups: ['User', 'Side'] });
  await world.login('ann', { groups: ['Side'] }, 'side');
  await world.apply();
  ann = (await world.personOf('ann'))?.id ?? '';
});
afterEach(() => world.close());

/** More than one is more than the brake allows. */
async function hold(): Promise<void> {
  const at = new Date(world.now);
  await world.database.run(async (db) => {
    for (const person of ['x', 'y', ann]) await noteDeletion(db, { person, client: 'okta', at }, { people: 1 });
  });
}

it.each([
  ['is gone', () => void world.hr.people.delete('ann')],
  ['is listed as inactive', () => world.hr.add('ann', {}, false)],
])('whoever %s is switched off, here and elsewhere, and deleted when that is approved', async (_, leave) => {
  await hold();
  leave();
  expect(lines((await world.plan()).changes)).toEqual(['disable ann', 'disable ann in side']);
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
  expect(world.accounts(world.side)).toEqual({ ann: '(group:side)' });
  expect(lines((await world.plan()).changes)).toEqual([]);
  await approveDeletions(world.database, 'okta');
  expect(lines((await world.plan()).changes)).toContain('delete ann');
  await world.apply();
  expect(Object.keys(world.accounts())).toEqual(['bob', 'cyd']);
});

it('is held also when the brake closed after the plan was made', async () => {
  world.hr.people.delete('ann');
  Object.assign(world.bi, { prepare: hold });
  expect(lines((await world.apply()).plan.changes)).toContain('delete ann');
  expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)' });
});
