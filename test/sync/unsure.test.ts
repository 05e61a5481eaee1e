import { LatchgateError } from '../../src/model/errors.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** What becomes of a run that could not read everything, or would take too much. */
let world: SyncWorld;

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open({ stopIf: { removals: { percent: 10 } }, ...options });
  for (let at = 0; at < 10; at += 1) world.hr.add(`p${at}`, { groups: ['User'] });
  expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 10 });
}
afterEach(() => world.close());

/** Nothing at all is written, in the target or in our books. */
async function heldBy(code: string) {
  const before = [world.accounts(), (await world.events()).length, await everybody()];
  const plan = await world.plan();
  expect(plan.brake).toMatchObject({ code });
  expect(await world.apply()).toMatchObject({ outcome: 'held', applied: 0, plan: { brake: { code } } });
  expect([world.accounts(), (await world.events()).length, await everybody()]).toEqual(before);
  return plan;
}

async function everybody() {
  const people = await world.directory.people.list(100);
  return Promise.all(people.map(async (person) => [person, await world.directory.people.assertions(person.id)]));
}

describe('an incomplete listing', () => {
  beforeEach(() => start());

  it('is held, and takes nothing from whom it lacks or shows without groups, even when it is approved', async () => {
    world.hr.end = { complete: false, why: 'page 2 was missing', unreadable: 0, notes: [] };
    world.hr.people.delete('p0');
    world.hr.add('p1', { groups: [] });
    world.hr.add('p2', { groups: ['User', 'team-a'] });
    world.hr.add('new', { groups: ['team-a'] });
    const plan = await heldBy('source_incomplete');
    expect(plan).toMatchObject({ complete: false, brake: { message: expect.stringContaining('page 2 was missing') } });
    expect(lines(plan.held)).toEqual(['disable p0: source_incomplete', 'disable p1: source_incomplete']);
    expect(await world.apply('hr', { approve: true })).toMatchObject({ outcome: 'applied', applied: 2 });
    expect(world.accounts()).toMatchObject({
      p0: 'group:analysts role:Alpha',
      p1: 'group:analysts role:Alpha',
      p2: 'group:analysts group:team-a role:Alpha',
      new: 'group:team-a',
    });
    // What half a listing said of somebody is not remembered either: a login would go by it.
    const p1 = await world.personOf('p1');
    expect((await world.directory.people.assertions(p1?.id ?? ''))[0]?.rememberedGroups).toEqual(['User']);
  });

  it('changes nothing when it breaks off', async () => {
    const before = [world.accounts(), await everybody()];
    world.hr.people.delete('p0');
    world.hr.failAfter = { people: 5, error: new LatchgateError('source_unavailable', 'reset') };
    await expect(world.plan()).rejects.toMatchObject({ code: 'source_unavailable' });
    await expect(world.apply('hr', { approve: true })).rejects.toMatchObject({ code: 'source_unavailable' });
    expect([world.accounts(), await everybody()]).toEqual(before);
  });

  it('of which one entry names nobody takes nothing from anybody, and gives', async () => {
    world.hr.end = { complete: true, unreadable: 1, notes: [] };
    world.hr.people.delete('p0');
    world.hr.add('p1', { groups: ['team-a'] });
    world.hr.add('p2', { groups: ['User', 'team-a'] });
    const plan = await world.plan();
    expect(plan.brake).toBeUndefined();
    // The entry may have been a row of theirs.
    expect(lines(plan.held)).toEqual(
      expect.arrayContaining([
        'disable p0: source_incomplete',
        'revoke p1 group:analysts: source_incomplete',
        'revoke p1 role:Alpha: source_incomplete',
      ]),
    );
    expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 1 });
    expect(world.accounts()).toMatchObject({
      p0: 'group:analysts role:Alpha',
      p1: 'group:analysts role:Alpha',
      p2: 'group:analysts group:team-a role:Alpha',
    });
  });
});

describe('a listing that is complete and cannot be meant', () => {
  beforeEach(() => start());

  it('is held when it is empty', async () => {
    world.hr.people.clear();
    await heldBy('source_empty');
  });

  it('is held when it is short, until a person approves that very plan', async () => {
    for (const name of ['p0', 'p1', 'p2']) world.hr.people.delete(name);
    const plan = await heldBy('source_short');
    const result = await world.apply('hr', { approve: true, expect: plan.fingerprint });
    expect(result).toMatchObject({ outcome: 'applied', applied: 3 });
    expect((await world.plan()).brake).toBeUndefined();
  });

  it('lets two go, whatever that is in per cent', async () => {
    for (const name of ['p0', 'p1']) world.hr.people.delete(name);
    expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 2 });
  });

  it('is held when too many lose a group', async () => {
    for (const name of ['p0', 'p1', 'p2']) world.hr.add(name, { groups: ['team-a'] });
    const plan = await heldBy('too_many_removals');
    expect(plan.brake?.message).toBe('3 of 10 people would lose something; more than 10 % wait for a person');
  });
});

it('holds a spike of new accounts, with those of the last hour', async () => {
  await start({ stopIf: { removals: { percent: 10 }, newUsersPerHour: 12 } });
  for (let at = 0; at < 3; at += 1) world.hr.add(`n${at}`, { groups: ['User'] });
  await heldBy('too_many_new_users');
  world.now += 3_600_000;
  expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 3 });
});

describe('a target that does not show every account', () => {
  beforeEach(() => start());

  it('is held; approved, each person is looked up, and no account is taken for gone', async () => {
    const shown = new Set(['p0', 'p1']);
    world.planning = (target) => ({
      name: target.name,
      type: target.type,
      can: target.can,
      adapt: (desired) => target.adapt(desired),
      find: (entitlements, signal) => target.find(entitlements, signal),
      probe: (signal) => target.probe(signal),
      apply: () => Promise.reject(new Error('a plan writes nothing')),
      read: async (scope, signal) => {
        const { accounts } = await target.read(scope, signal);
        if (scope.kind === 'person') return { complete: true, accounts };
        return { complete: false, accounts: accounts.filter(({ userName }) => shown.has(userName)) };
      },
    });
    world.hr.add('p5', { groups: ['User', 'team-a'] });
    const plan = await heldBy('target_incomplete');
    expect(lines(plan.changes)).toEqual(['create group team-a', 'grant p5 group:team-a']);
    expect(await world.apply('hr', { approve: true })).toMatchObject({ outcome: 'applied', applied: 1 });
    expect(world.bi.accounts.size).toBe(10);
  });
});
