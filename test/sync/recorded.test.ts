import { claimsSchema } from '../../src/login/schema.ts';
import { compileRecord } from '../../src/mapping/recorded.ts';
import { SyncWorld } from './world.ts';

// A source that says more than is recorded, and goes on to say it.
const record = compileRecord({
  origins: { hr: { claims: claimsSchema.parse({}) } },
  keep: 'used',
  hash: ['phone'],
  digest: (text) => `${text.length}`.padEnd(43, '0'),
});
const DAY = 86_400_000;

let world: SyncWorld;
let saved: number;

beforeEach(async () => {
  saved = 0;
  world = await new SyncWorld().open({ record });
  world.onCall = (call) => {
    if (call.endsWith('listings.save')) saved += 1;
  };
});
afterEach(() => world.close());

const claimsOf = async (subject: string) => {
  const person = await world.personOf(subject);
  return (await world.directory.people.assertions(person?.id ?? '')).map(({ claims }) => claims);
};

it('is compared with what is recorded of it: a second run plans and writes nothing', async () => {
  for (const name of ['ann', 'bob']) world.hr.add(name, { groups: ['team-a'], phone: '1', badge: `of ${name}` });
  expect(await world.apply('hr')).toMatchObject({ outcome: 'applied' });
  expect(saved).toBe(1);
  expect(JSON.stringify(await claimsOf('ann'))).not.toContain('of ann');
  const { plan } = await world.apply('hr');
  expect([plan.changes, saved]).toEqual([[], 1]);
  world.hr.add('ann', { groups: ['team-a'], phone: '555', badge: 'of ann' });
  expect((await world.apply('hr')).plan.changes).toEqual([]);
  expect(saved).toBe(2);
});

it('stays forgotten of whom it goes on to say that they are out, and is known again of whom it takes back', async () => {
  for (const name of ['ann', 'bob']) world.hr.add(name, { groups: ['team-a'] });
  await world.apply('hr');
  world.hr.add('ann', { groups: ['team-a'] }, false);
  await world.apply('hr');
  world.now += 2 * DAY;
  expect(await world.directory.recorded.forget(new Date(world.now - DAY), ['hr'])).toHaveLength(1);
  const before = [saved, world.accounts()];
  expect((await world.apply('hr')).plan.changes).toEqual([]);
  expect([saved, world.accounts()]).toEqual(before);
  expect(await claimsOf('ann')).toEqual([{ 'latchgate:not_recorded': [[]] }]);
  world.hr.add('ann', { groups: ['team-a'] });
  expect((await world.apply('hr')).plan.changes).not.toEqual([]);
  expect(await claimsOf('ann')).toEqual([expect.objectContaining({ email: expect.any(String) })]);
  expect(world.accounts()['ann']).toBe(world.accounts()['bob']);
});
