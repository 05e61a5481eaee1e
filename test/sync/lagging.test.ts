import { startTenant } from '../targets/auth0/subject.ts';
import { lines, SyncWorld, type SyncWorldOptions } from './world.ts';

/** A target whose list of all lacks what was made a moment ago, while it is found by its id. */
let world: SyncWorld;

async function start(options: SyncWorldOptions = {}) {
  world = await new SyncWorld().open(options);
  world.hr.add('ann', { groups: ['User'] });
  world.hr.add('bob', { groups: ['User'] });
  await world.apply();
  world.hr.people.delete('bob');
}
afterEach(() => world.close());

it('somebody who left is switched off, also while the list lacks them', async () => {
  await start();
  world.planning = (target) => ({
    name: target.name,
    type: target.type,
    can: target.can,
    adapt: (desired) => target.adapt(desired),
    find: (entitlements, signal) => target.find(entitlements, signal),
    probe: (signal) => target.probe(signal),
    apply: () => Promise.reject(new Error('a plan writes nothing')),
    read: async (scope, signal) => {
      const { complete, accounts } = await target.read(scope, signal);
      const lacking = accounts.filter(({ userName }) => scope.kind === 'person' || userName !== 'bob');
      return { complete, accounts: lacking };
    },
  });
  expect(lines((await world.plan()).changes)).toEqual(['disable bob']);
  await world.apply();
  expect(world.accounts()).toMatchObject({ bob: '(group:analysts role:Alpha)' });
});

describe('of a source whose list is behind', () => {
  const asked: string[][] = [];
  beforeEach(async () => {
    asked.length = 0;
    await start();
    const bob = { subject: 'bob', active: true, claims: { email: 'bob@acme.test', groups: ['User'] } };
    world.hr.lookUp = async (subjects) => {
      asked.push([...subjects]);
      return subjects.includes('bob') ? [bob] : [];
    };
  });

  it('nobody is gone who is there when asked for, and the notes say so', async () => {
    const { changes, notes } = await world.plan();
    expect(changes).toEqual([]);
    expect(notes.at(-1)).toBe('not in the list and there all the same, so read one by one: 1');
    await world.apply();
    expect(world.accounts()).toMatchObject({ bob: 'group:analysts role:Alpha' });
    expect(asked).toEqual([['bob'], ['bob']]);
  });

  it('nobody is out whom it shows blocked and who is active when asked for', async () => {
    world.hr.add('bob', { groups: [] }, false);
    const { changes, notes } = await world.plan();
    expect(changes).toEqual([]);
    expect(notes.at(-1)).toBe('blocked in the list and active all the same, so read one by one: 1');
    await world.apply();
    expect(world.accounts()).toMatchObject({ bob: 'group:analysts role:Alpha' });
    expect(asked).toEqual([['bob'], ['bob']]);
  });

  it.each([
    ['blocked', async () => [{ subject: 'bob', active: false, claims: {} }]],
    ['not there', async () => []],
  ])('whoever it shows blocked and who is %s when asked for is out, and is asked for no more', async (_, lookUp) => {
    world.hr.add('bob', { groups: ['User'] }, false);
    world.hr.lookUp = async (subjects) => {
      asked.push([...subjects]);
      return lookUp();
    };
    await world.apply();
    expect(world.accounts()).toMatchObject({ bob: '(group:analysts role:Alpha)' });
    await world.plan();
    expect(asked).toEqual([['bob']]);
  });

  it('nobody loses a group who has it when asked for: they changed groups while these were read', async () => {
    world.hr.add('bob', { groups: [] });
    const { changes, notes } = await world.plan();
    expect(changes).toEqual([]);
    expect(notes.at(-1)).toBe('in fewer groups by the list and in them all the same, so read one by one: 1');
    expect(asked).toEqual([['bob']]);
  });

  it('whoever has other groups when asked for gets these, and is asked for no more', async () => {
    world.hr.add('bob', { groups: [] });
    world.hr.lookUp = async (subjects) => {
      asked.push([...subjects]);
      return [{ subject: 'bob', active: true, claims: { email: 'bob@acme.test', groups: ['team-a'] } }];
    };
    await world.apply();
    expect(world.accounts()).toMatchObject({ bob: 'group:team-a' });
    world.hr.add('bob', { groups: ['team-a'] });
    expect((await world.plan()).changes).toEqual([]);
    expect(asked).toEqual([['bob']]);
  });

  it('whoever is not there then is gone, and is asked for no more', async () => {
    world.hr.people.delete('ann');
    world.hr.add('cyd', { groups: ['User'] });
    await world.apply();
    expect(world.accounts()).toMatchObject({ ann: '(group:analysts role:Alpha)', bob: 'group:analysts role:Alpha' });
    await world.plan();
    expect(asked.map((subjects) => subjects.sort())).toEqual([['ann', 'bob'], ['bob']]);
  });

  it('more than can be asked for are gone only when a person says so, however few they are of all', async () => {
    for (let at = 0; at < 1_001; at += 1) world.hr.add(`p${at}`, { groups: ['Other'] });
    await world.apply();
    for (let at = 0; at < 1_001; at += 1) world.hr.people.delete(`p${at}`);
    asked.length = 0;
    expect((await world.plan()).brake).toMatchObject({ code: 'source_short' });
    expect(asked).toEqual([]);
  });

  it('nobody is asked for when it lists nobody, or says itself that it is not whole', async () => {
    world.hr.end = { complete: false, unreadable: 0, notes: [] };
    await world.plan();
    world.hr.end = { complete: true, unreadable: 0, notes: [] };
    world.hr.people.clear();
    expect((await world.plan()).brake).toMatchObject({ code: 'source_empty' });
    expect(asked).toEqual([]);
  });
});

it('somebody made in Auth0 a moment ago is blocked there when they are gone from the source', async () => {
  const { target, emulator, close } = await startTenant({ emulated: { lagMs: 600_000 } });
  const rules = { users: { when: { groups: 'User' }, grant: { bi: {} } } };
  await start({ target: { ...target, name: 'bi' }, rules });
  const blocked = () =>
    Object.fromEntries([...emulator.state.users.values()].map(({ email, blocked }) => [email, blocked === true]));
  expect(blocked()).toEqual({ 'ann@acme.test': false, 'bob@acme.test': false });
  await world.apply();
  emulator.settle();
  await world.apply();
  expect(blocked()).toEqual({ 'ann@acme.test': false, 'bob@acme.test': true });
  await close();
});

describe('a second plan is empty while the list still shows what was before', () => {
  const rules = {
    users: { when: { groups: 'User' }, grant: { bi: { roles: ['viewer'] } } },
    admins: { when: { groups: 'Admin' }, grant: { bi: { roles: ['admin'] } } },
  };
  let tenant: Awaited<ReturnType<typeof startTenant>>;

  async function lagging(options: SyncWorldOptions = {}) {
    tenant = await startTenant({ emulated: { lagMs: 600_000 } });
    for (const name of ['viewer', 'admin']) {
      tenant.emulator.state.roles.set(`rol_${name}`, { id: `rol_${name}`, name, members: new Map() });
    }
    world = await new SyncWorld().open({ target: { ...tenant.target, name: 'bi' }, rules, ...options });
    world.hr.add('ann', { groups: ['User'], given_name: 'Ann', family_name: 'Lee' });
    world.hr.add('bob', { groups: ['User'], given_name: 'Bob', family_name: 'Lee' });
    await applied();
    tenant.emulator.settle();
  }
  afterEach(() => tenant.close());

  async function applied() {
    expect(await world.apply()).toMatchObject({ outcome: 'applied' });
    expect(await world.plan()).toMatchObject({ changes: [], held: [] });
    expect(await world.apply()).toMatchObject({ outcome: 'applied', applied: 0 });
  }

  it('after accounts are made', () => lagging());

  it('after names, roles and the switch are turned, and turned back', async () => {
    await lagging();
    world.hr.add('ann', { groups: ['Admin'], given_name: 'Anne', family_name: 'Lee' });
    world.hr.people.delete('bob');
    await applied();
    world.hr.add('ann', { groups: ['User'], given_name: 'Ann', family_name: 'Lee' });
    world.hr.add('bob', { groups: ['User'], given_name: 'Bob', family_name: 'Lee' });
    await applied();
    tenant.emulator.settle();
    await applied();
  });

  it('after accounts of nobody are switched off', async () => {
    await lagging({ manage: 'all' });
    tenant.plant({ email: 'carl@acme.test' });
    tenant.emulator.settle();
    expect(lines((await world.plan()).changes)).toEqual(['disable carl@acme.test']);
    await applied();
  });

  it('and looks at nobody by themselves of whom nothing was written lately', async () => {
    await lagging();
    world.now += 3_600_000;
    world.hr.add('ann', { groups: ['User'], given_name: 'Anne', family_name: 'Lee' });
    tenant.calls();
    expect(lines((await world.plan()).changes)).toEqual(['update ann@acme.test']);
    expect(tenant.calls().filter((call) => call.startsWith('GET users/'))).toEqual([]);
  });
});
