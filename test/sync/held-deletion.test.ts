import { approveDeletions, noteDeletion } from '../../src/scim/store/held.ts';
import { lines, SyncWorld } from './world.ts';

/** Deletions that a SCIM client asked for, that wait for somebody's word, and a sync that comes by meanwhile. */
const DAY_MS = 86_400_000;

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

it("takes nobody else's place among the few whose accounts are due in a day", async () => {
  world.configure({
    leaver: { now: 'disable', deleteAfterMs: DAY_MS },
    joined: ['hr'],
    stopIf: { removals: { people: 2 } },
  });
  for (const who of ['ann', 'bob', 'cyd']) world.hr.add(who, { groups: ['User'] }, false);
  await world.apply('hr', { approve: true });
  const at = new Date(world.now);
  const held = await world.personOf('ann');
  await world.database.run(async (db) => {
    await noteDeletion(db, { person: held?.id ?? '', client: 'okta', at }, { people: 0 });
  });
  world.now += DAY_MS;
  await world.engine.deleteDue();
  expect(Object.keys(world.accounts())).toEqual(['ann']);
});
