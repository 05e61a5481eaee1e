import { aliasIssuer } from '../../src/model/origin.ts';
import type { ListingEnd } from '../../src/sources/source.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** What a part of a listing lacks stays, in every target, also when a person approves the plan. */
let world: SyncWorld;
const PART: ListingEnd = { complete: false, why: 'page 2 was missing', unreadable: 0, notes: [] };

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open(options);
  world.hr.add('bob', { groups: ['User'] });
}
afterEach(() => world.close());

/** Applies in spite of the brake. */
async function approved(sync?: string) {
  const result = await world.apply(sync, { approve: true });
  expect(result.plan).toMatchObject({ complete: false });
  return result;
}

/** A person whom the source lists by `ann` and by `ann-2`. */
async function listedTwice(first: Record<string, unknown>) {
  await start({ joined: ['hr'] });
  world.hr.add('ann', first);
  await world.apply();
  const person = (await world.personOf('ann'))?.id ?? '';
  await world.directory.people.addSubject(person, { issuer: aliasIssuer('staff'), subject: 'ann-2' }, 'hr');
  world.hr.add('ann-2', { email: 'ann@acme.test', groups: ['nothing'] });
  await world.apply();
  return person;
}

async function hasLeft(person: string): Promise<boolean> {
  return (await world.directory.people.get(person))?.leftAt !== undefined;
}

describe('of somebody whom the source lists by two subjects', () => {
  it.each(['disable', 'delete'] as const)('is one account to %s when it lacks both', async (now) => {
    await start({ joined: ['hr'], leaver: { now } });
    world.hr.add('ann', { groups: ['User'] });
    await world.apply();
    const person = (await world.personOf('ann'))?.id ?? '';
    await world.directory.people.addSubject(person, { issuer: aliasIssuer('staff'), subject: 'ann-2' }, 'hr');
    world.hr.add('ann-2', { email: 'ann@acme.test', groups: ['team-a'] });
    await world.apply();
    for (const subject of ['ann', 'ann-2']) world.hr.people.delete(subject);
    const { plan, applied } = await world.apply();
    expect([lines(plan.changes), plan.summary[now], applied]).toEqual([[`${now} ann`], 1, 1]);
    expect(await hasLeft(person)).toBe(true);
    expect(lines((await world.plan()).changes)).toEqual([]);
  });

  it('keeps the account when it lacks the one that was gone before and the other too', async () => {
    const person = await listedTwice({ groups: ['User'] });
    world.hr.people.delete('ann-2');
    await world.apply();
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
    world.hr.people.delete('ann');
    world.hr.end = PART;
    expect(lines((await approved()).plan.held)).toContain('disable ann: source_incomplete');
    expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
    expect(await hasLeft(person)).toBe(false);
  });

  it('keeps login and accounts elsewhere when it has only the one that is inactive', async () => {
    const person = await listedTwice({ groups: ['nothing'] });
    world.now += 1_000;
    await world.login('ann', { groups: ['Side'] }, 'side');
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    world.hr.people.delete('ann');
    world.hr.add('ann-2', { groups: ['nothing'] }, false);
    world.hr.end = PART;
    await approved();
    expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
    expect(await hasLeft(person)).toBe(false);
  });
});

it('whom another source owned and this one owns now stays while it has not been read whole', async () => {
  await start({ joined: ['hr', 'crm'] });
  world.crm.add('ann', { groups: ['User'] });
  await world.apply('crm');
  world.hr.add('ann', { groups: ['team-a'] });
  await world.apply();
  world.hr.people.delete('ann');
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
  world.configure({ joined: ['hr', 'crm'], owner: 'hr' });
  world.hr.end = PART;
  await approved();
  expect(world.accounts()).toMatchObject({ ann: 'group:analysts role:Alpha' });
  expect(await hasLeft((await world.personOf('ann'))?.id ?? '')).toBe(false);
});

it('keeps what it lacks of somebody in a target that another door leads to', async () => {
  await start({ joined: ['hr'] });
  world.hr.add('ann', { groups: ['User', 'Side'] });
  await world.apply();
  await world.login('ann', { groups: [] }, 'side');
  expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
  world.hr.add('ann', { groups: ['User'] });
  world.hr.end = PART;
  expect(lines((await approved()).plan.held)).toEqual(['update ann: source_incomplete']);
  await world.login('ann', { groups: [] }, 'side');
  expect(world.accounts(world.side)).toEqual({ ann: 'group:side' });
  // What it has of them besides is not half a word: once all was read, it is taken at that.
  world.hr.end = { complete: true, unreadable: 0, notes: [] };
  await world.apply();
  await expect(world.login('ann', { groups: [] }, 'side')).rejects.toMatchObject({ code: 'no_access' });
  expect(world.accounts(world.side)).toEqual({ ann: '(group:side)' });
});

it('leaves open the account of somebody whom only the rest may give anything', async () => {
  await start();
  world.hr.add('ann', { groups: ['User'] });
  world.bi.addAccount({ userName: 'ann', profile: { email: 'ann@acme.test' } }, [
    { kind: 'role', name: 'Alpha' },
    { kind: 'group', name: 'analysts' },
  ]);
  await world.apply();
  const person = (await world.personOf('ann'))?.id ?? '';
  expect(await world.directory.accounts.get(person, 'bi')).toMatchObject({ state: 'ready', created: false });
  world.ended.length = 0;
  world.hr.add('ann', { groups: [] });
  world.hr.end = PART;
  await approved();
  expect(await world.directory.accounts.get(person, 'bi')).toMatchObject({ state: 'ready' });
  expect(world.ended).toEqual([]);
});

it('gives what it has to those of whom it lacks nothing', async () => {
  await start();
  world.hr.add('ann', { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('bob');
  world.hr.add('ann', { groups: ['User', 'team-a'], given_name: 'Ann' });
  world.hr.end = PART;
  expect((await approved()).plan.held.map(({ code }) => code)).toEqual(['source_incomplete']);
  expect(world.accounts()).toEqual({
    ann: 'group:analysts group:team-a role:Alpha',
    bob: 'group:analysts role:Alpha',
  });
  expect((await world.directory.people.search('ann', 2))[0]?.displayName).toBe('ann Adams');
});
