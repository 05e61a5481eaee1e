import type { AccountLink } from '../../src/directory/directory.ts';
import { createAdoption } from '../../src/sync/adopt.ts';
import type { Adoption } from '../../src/sync/sync.ts';
import { lines, SyncWorld } from './world.ts';

let world: SyncWorld;
let adoption: Adoption;
const signal = AbortSignal.timeout(60_000);
const options = { actor: 'operator', requestId: 'r', signal };

/** A target that was filled by a gateway whose state is lost. */
beforeEach(async () => {
  world = await new SyncWorld().open({ stopIf: { removals: { percent: 100 } } });
  const given = [
    { kind: 'role', name: 'Alpha' },
    { kind: 'group', name: 'analysts' },
    { kind: 'group', name: 'made by hand' },
  ] as const;
  for (const userName of ['ann', 'bob']) {
    world.bi.addAccount({ userName, profile: { email: `${userName}@acme.test` } }, given);
    world.hr.add(userName, { groups: ['User'] });
  }
  world.hr.add('cyd', { groups: ['User'] });
  adoption = createAdoption({ ...world.deps, openTargets: async () => [world.adoptSetup()] });
});
afterEach(() => world.close());

it('shows what it would take for ours, and writes nothing', async () => {
  const plan = await adoption.plan(undefined, signal);
  expect(plan.targets).toEqual(['bi']);
  expect(plan.rows.map(({ key, link, grants }) => [key, link, grants.map(({ name }) => name).sort()])).toEqual([
    ['ann', true, ['Alpha', 'analysts']],
    ['bob', true, ['Alpha', 'analysts']],
  ]);
  expect(await world.directory.people.list(10)).toEqual([]);
  expect(await world.directory.ledger.count('bi')).toBe(0);
});

it('lets a sync take away afterwards what rules gave, and nothing that was made by hand', async () => {
  expect((await adoption.apply(undefined, options)).rows).toHaveLength(2);
  expect((await adoption.plan(undefined, signal)).rows).toEqual([]);
  const audited = (await world.events()).map(({ event, key }) => `${event} ${key}`);
  expect(audited.sort()).toEqual([
    'account.adopted ann',
    'account.adopted bob',
    'grant.adopted group:analysts',
    'grant.adopted group:analysts',
    'grant.adopted role:Alpha',
    'grant.adopted role:Alpha',
  ]);
  expect(lines((await world.plan()).changes)).toEqual([
    'create cyd',
    'grant cyd group:analysts',
    'grant cyd role:Alpha',
  ]);
  world.hr.add('ann', { groups: ['team-a'] });
  expect(await world.apply()).toMatchObject({ outcome: 'applied' });
  expect(world.accounts()).toMatchObject({ ann: 'group:made by hand group:team-a' });
});

it('takes no account for one that we made: whoever leaves is switched off and not deleted', async () => {
  world.configure({ leaver: { now: 'delete' } });
  adoption = createAdoption({ ...world.deps, openTargets: async () => [world.adoptSetup()] });
  await adoption.apply(undefined, options);
  await world.apply();
  world.hr.people.delete('ann');
  world.hr.people.delete('cyd');
  expect(lines((await world.plan()).changes)).toEqual(['delete cyd', 'disable ann']);
  await world.apply();
  expect(world.accounts()).toMatchObject({ ann: '(group:analysts group:made by hand role:Alpha)' });
});

it('takes an account that was announced and never recorded for one that we made', async () => {
  world.configure({ leaver: { now: 'delete' } });
  adoption = createAdoption({ ...world.deps, openTargets: async () => [world.adoptSetup()] });
  await world.apply();
  const cyd = (await world.personOf('cyd'))?.id ?? '';
  const { accountId: _id, ...link } = (await world.directory.accounts.get(cyd, 'bi')) ?? {};
  await world.directory.accounts.remove(cyd, 'bi');
  await world.directory.accounts.save({ ...(link as AccountLink), state: 'intended' });
  expect((await adoption.apply(undefined, options)).rows.map(({ key, link }) => [key, link])).toContainEqual([
    'cyd',
    true,
  ]);
  world.hr.people.delete('cyd');
  expect(lines((await world.plan()).changes)).toEqual(['delete cyd']);
});

it('leaves whose account was written down while it looked, and says so', async () => {
  const { together } = world.deps;
  let isOver = false;
  adoption = createAdoption({
    ...world.deps,
    openTargets: async () => [world.adoptSetup()],
    together: async (work) => {
      if (!isOver) await world.apply();
      isOver = true;
      return together(work);
    },
  });
  const { rows, held } = await adoption.apply(undefined, options);
  expect(rows).toEqual([]);
  expect(held).toEqual([
    { target: 'bi', key: 'ann', code: 'target_conflict' },
    { target: 'bi', key: 'bob', code: 'target_conflict' },
  ]);
  expect((await world.events()).filter(({ event }) => event.endsWith('.adopted'))).toEqual([]);
});

it('leaves what it cannot be sure of, and says so', async () => {
  world.bi.addAccount({ userName: 'bob-2', profile: { email: 'BOB@acme.test' } });
  const plan = await adoption.apply(undefined, options);
  expect(plan.rows.map(({ key }) => key)).toEqual(['ann']);
  expect(plan.held).toEqual([{ target: 'bi', key: 'bob', code: 'account_ambiguous' }]);
  expect(await world.directory.accounts.count('bi')).toBe(1);
});

describe('on a listing of which a part was missing', () => {
  const part = { complete: false, why: 'page 2 was missing', unreadable: 0, notes: [] };

  it('nothing is adopted, and nobody is written down', async () => {
    world.hr.end = part;
    const plan = await adoption.apply(undefined, options);
    expect(plan.rows).toEqual([]);
    expect(plan.held).toEqual([
      { target: 'bi', key: 'ann', code: 'source_incomplete' },
      { target: 'bi', key: 'bob', code: 'source_incomplete' },
    ]);
    expect(plan.notes).toContain('the listing of hr is not complete: page 2 was missing');
    expect(await world.directory.people.list(10)).toEqual([]);
    expect(await world.directory.ledger.count('bi')).toBe(0);
  });

  it('people who are known keep what was said of them', async () => {
    world.hr.add('ann', { groups: ['User', 'Side'] });
    await world.apply();
    const ann = (await world.personOf('ann'))?.id ?? '';
    await world.directory.accounts.remove(ann, 'bi');
    world.hr.add('ann', { groups: ['User'] });
    world.hr.people.delete('bob');
    world.hr.end = { complete: true, unreadable: 1, notes: [] };
    expect((await adoption.apply(undefined, options)).rows.map(({ key }) => key)).toContain('ann');
    expect((await world.directory.people.assertions(ann))[0]?.rememberedGroups).toEqual(['User', 'Side']);
    const bob = (await world.personOf('bob'))?.id ?? '';
    expect((await world.directory.people.assertions(bob))[0]).toMatchObject({ active: true });
    expect((await world.directory.people.get(bob))?.leftAt).toBeUndefined();
  });
});

describe('of somebody who was listed before and is not now, or is inactive,', () => {
  beforeEach(async () => {
    await world.apply();
    const { people, accounts, ledger } = world.directory;
    for (const { id } of await people.list(10)) {
      await accounts.remove(id, 'bi');
      await ledger.withdraw(id, 'bi', []);
    }
  });

  it('nothing is ours by what the source has stopped saying', async () => {
    world.hr.people.delete('ann');
    world.hr.add('bob', { groups: ['User'] }, false);
    expect((await adoption.apply(undefined, options)).rows.map(({ key }) => key)).toEqual(['cyd']);
  });

  it('nothing is shown as ours when they are disabled', async () => {
    const ann = (await world.personOf('ann'))?.id ?? '';
    await world.directory.people.setDisabled(ann, true);
    await world.login('bob', { groups: ['User'] });
    const bob = (await world.directory.people.search('bob', 5)).map(({ id }) => id);
    for (const id of bob) await world.directory.people.setDisabled(id, true);
    expect((await adoption.apply(undefined, options)).rows.map(({ key }) => key)).toEqual(['cyd']);
  });
});

it('nothing is adopted in a target that did not show every account: the one that fits may be one of two', async () => {
  const setup = world.adoptSetup();
  const planning = {
    name: 'bi',
    type: setup.planning.type,
    can: setup.planning.can,
    adapt: setup.planning.adapt,
    find: setup.planning.find,
    probe: setup.planning.probe,
    apply: () => Promise.reject(new Error('nothing is written')),
    read: async (...[scope, signal]: Parameters<typeof setup.planning.read>) => {
      const { accounts } = await setup.planning.read(scope, signal);
      return { complete: scope.kind === 'person', accounts };
    },
  };
  const half = createAdoption({ ...world.deps, openTargets: async () => [{ ...setup, planning }] });
  const plan = await half.apply(undefined, options);
  expect(plan.rows).toEqual([]);
  expect(plan.held.map(({ code }) => code)).toEqual(['target_incomplete', 'target_incomplete']);
  expect(await world.directory.accounts.count('bi')).toBe(0);
});
