import type { Lookup } from '../../../src/targets/target.ts';
import { accountOf, addRole, addUser, group, role, signal } from './people.ts';
import { type SupersetInMemory, startInMemory } from './subject.ts';

let superset: SupersetInMemory;

beforeEach(async () => {
  superset = await startInMemory();
});
afterEach(() => superset.close());

const names = async (lookup: Lookup) =>
  (await superset.target.read({ kind: 'person', lookup }, new AbortController().signal)).accounts.map(
    ({ userName }) => userName,
  );
const calls = () => superset.emulator.requests.map(({ method, path }) => `${method} ${path.split('?')[0]}`);

describe('finding an account', () => {
  it('takes one call when it is linked and nothing differs', async () => {
    const user = addUser(superset.emulator.state, { username: 'alice', email: 'Alice@Example.com' });
    expect(await names({ accountId: String(user.id), userNames: [], email: 'alice@example.com' })).toEqual(['alice']);
    expect(calls()).toEqual([`GET /api/v1/security/users/${user.id}`]);
  });

  it('looks who has the e-mail when that is a new one', async () => {
    const { state } = superset.emulator;
    const user = addUser(state, { username: 'alice' });
    addUser(state, { username: 'bob', email: 'New@Example.com' });
    const lookup = { accountId: String(user.id), userNames: ['alice'], email: 'new@example.com' };
    expect(await names(lookup)).toEqual(['alice', 'bob']);
    expect(calls()).toHaveLength(2);
  });

  it('goes by the other keys when the linked account is gone or its id is another one’s', async () => {
    const { state } = superset.emulator;
    const reused = addUser(state, { username: 'mallory' });
    addUser(state, { username: 'alice', email: 'alice@example.com' });
    expect(await names({ accountId: '999', userNames: ['alice'] })).toEqual(['alice']);
    const lookup = { accountId: String(reused.id), userNames: [], email: 'alice@example.com' };
    expect(await names(lookup)).toEqual(['mallory', 'alice']);
  });

  it('finds both of two names that differ only in case, and e-mails in every spelling', async () => {
    const { state } = superset.emulator;
    for (const [username, email] of [
      ['u1', 'one@example.com'],
      ['U1', 'two@example.com'],
      ['longer.name', 'Longer@Example.COM'],
      ['LONGER.NAME', 'longer@example.com'],
      ['longer.name.2', 'x-longer@example.com'],
    ] as const) {
      addUser(state, { username, email });
    }
    expect(await names({ userNames: ['u1'] })).toEqual(['u1', 'U1']);
    expect(await names({ userNames: ['longer.name'] })).toEqual(['longer.name', 'LONGER.NAME']);
    expect(await names({ userNames: [], email: 'LONGER@example.com' })).toEqual(['longer.name', 'LONGER.NAME']);
  });

  it.each(["o'brien", 'a!b', 'x y', 'a:b,c)', 'josé', '12345', 'true', '!t', '%', '____', 'corp\\alice', "'", '-1'])(
    'takes %s for a name like any other',
    async (username) => {
      const { state } = superset.emulator;
      for (let n = 0; n < 150; n += 1) addUser(state, { username: `other-${n}` });
      addUser(state, { username, email: 'one@example.com' });
      expect(await names({ userNames: [username] })).toEqual([username]);
      expect(calls().length).toBeLessThanOrEqual(3);
    },
  );

  it('never gets an answer meant for somebody else, however many ask at once', async () => {
    await superset.close();
    superset = await startInMemory({}, { mixesFilters: true });
    const { state } = superset.emulator;
    const users = Array.from({ length: 15 }, (_, n) => addUser(state, { username: `person-${n}` }));
    const roles = users.map(({ username }) => addRole(state, `role of ${username}`));
    const found = await Promise.all(users.map(({ username }) => names({ userNames: [username] })));
    expect(found).toEqual(users.map(({ username }) => [username]));
    const there = await Promise.all(
      roles.map(({ name }) => superset.target.find([role(name)], new AbortController().signal)),
    );
    expect(there.flat().map(({ name }) => name)).toEqual(roles.map(({ name }) => name));
  });
});

describe('what an account is', () => {
  it('has roles and groups, each with an id of its own kind', async () => {
    const { state } = superset.emulator;
    state.groups.set(4, { id: 4, name: 'Gamma', label: 'G', description: null, roles: [] });
    const user = addUser(state, { username: 'alice', roles: [4], groups: [4], active: false });
    expect(await accountOf(superset.target, user)).toEqual({
      id: String(user.id),
      userName: 'alice',
      active: false,
      profile: { givenName: 'Some', familyName: 'Body', email: 'alice@example.com' },
      entitlements: [
        { kind: 'role', name: 'Gamma', id: 'role:4' },
        { kind: 'group', name: 'Gamma', id: 'group:4' },
      ],
      isProtected: false,
    });
  });

  it('is protected when it is a service account', async () => {
    const { state } = superset.emulator;
    const service = state.users.get(2);
    const other = addUser(state, { username: 'second-gateway', roles: [6] });
    for (const user of [service, other]) {
      expect(user && (await accountOf(superset.target, user)).isProtected).toBe(true);
    }
  });
});

describe('finding roles and groups', () => {
  it('finds exactly the names that are asked for', async () => {
    const { state } = superset.emulator;
    for (const name of ["O'Neil", 'a,b)', 'Finance']) addRole(state, name);
    const wanted = ["O'Neil", 'a,b)', 'finance', 'Fin%', 'Alpha'].map(role);
    expect((await superset.target.find([...wanted, group('Alpha')], signal)).map(({ name }) => name).sort()).toEqual([
      'Alpha',
      "O'Neil",
      'a,b)',
    ]);
  });

  it('finds many in requests that are not too long', async () => {
    const { state } = superset.emulator;
    const wanted = Array.from({ length: 130 }, (_, n) => addRole(state, `${'日本'.repeat(20)} ${n}`)).map(({ name }) =>
      role(name),
    );
    expect(await superset.target.find(wanted, signal)).toHaveLength(130);
    expect(superset.emulator.requests.every(({ status }) => status === 200)).toBe(true);
  });
});

describe('listing', () => {
  it('is not complete while accounts come and go', async () => {
    const { emulator, target } = superset;
    for (let n = 0; n < 250; n += 1) addUser(emulator.state, { username: `other-${n}` });
    expect((await target.read({ kind: 'all' }, signal)).complete).toBe(true);
    let next = 3;
    emulator.faults.set({ match: () => !emulator.state.users.delete(next++) });
    expect((await target.read({ kind: 'all' }, signal)).complete).toBe(false);
  });
});
