import { keysOf } from '../../conformance/target-subject.ts';
import {
  ALPHA,
  accountOf,
  addGroup,
  addRole,
  addUser,
  change,
  creation,
  desiredFor,
  GAMMA,
  group,
  role,
  roleId,
  signal,
} from './people.ts';
import { MISSING, type SupersetInMemory, startInMemory } from './subject.ts';

let superset: SupersetInMemory;

beforeEach(async () => {
  superset = await startInMemory();
});
afterEach(() => superset.close());

const writes = () =>
  superset.emulator.requests
    .filter(({ method }) => method !== 'GET')
    .map(({ method, path }) => `${method} ${path.slice(17)}`);
const people = () => [...superset.emulator.state.users.values()].filter(({ id }) => id > 2);

/** Does something in Superset just before a request of this kind is worked on. */
function before(method: string, act: () => void): void {
  let isDone = false;
  superset.emulator.faults.set({
    match: (verb) => {
      if (verb === method && !isDone) {
        isDone = true;
        act();
      }
      return false;
    },
  });
}

describe('creating an account', () => {
  it('takes one POST, with a password that nobody knows', async () => {
    const { target, emulator } = superset;
    const group7 = addGroup(emulator.state, 'Sales');
    const { outcome, account } = await target.apply(creation({ add: [ALPHA, group('Sales')] }), signal);
    expect(outcome).toBe('applied');
    expect(writes()).toEqual(['POST users/']);
    const [user] = people();
    expect(user).toMatchObject({ username: 'ada', roles: [3], groups: [group7.id], active: true });
    expect(user?.password).toMatch(/^[\w-]{43}!Aa1Aa1a$/);
    expect(user && (await accountOf(target, user))).toEqual(account);
  });

  it('ends with one account and no error when fifty do it at once, over five instances', async () => {
    const instances = [superset.target, ...Array.from({ length: 4 }, () => superset.another({ timeout: 10_000 }))];
    const set = creation({ add: [ALPHA, group('New')], create: [group('New')] });
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        (instances[n % 5] ?? superset.target).apply(set, new AbortController().signal),
      ),
    );
    expect(people()).toHaveLength(1);
    expect(superset.emulator.state.groups.size).toBe(1);
    expect(all.filter(({ outcome }) => outcome === 'applied')).toHaveLength(1);
    for (const { account } of all) expect(keysOf(account)).toEqual(['group:New', 'role:Alpha']);
  });

  it('goes on with the account of an instance that died before the roles were set', async () => {
    const user = addUser(superset.emulator.state, { username: 'ada', email: 'ADA@example.com', roles: [4] });
    const { outcome, account } = await superset.target.apply(creation(), signal);
    expect(outcome).toBe('applied');
    expect(account.id).toBe(String(user.id));
    expect(keysOf(account)).toEqual(['role:Alpha', 'role:Gamma']);
  });

  it('does not take over an account with the user name alone, or the e-mail alone', async () => {
    const { state } = superset.emulator;
    addUser(state, { username: 'ada', email: 'other@example.com' });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'user_name_taken' });
    addUser(state, { username: 'other', email: 'Ada@example.com' });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'target_conflict' });
    expect(people()).toHaveLength(2);
    expect(writes().every((call) => call === 'POST users/')).toBe(true);
  });

  it('does not switch on an account that was switched off', async () => {
    addUser(superset.emulator.state, { username: 'ada', email: 'ada@example.com', active: false });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'target_conflict' });
    expect(people()[0]?.active).toBe(false);
  });

  it('gives people with hostile names accounts of their own, and finds them again', async () => {
    const { target } = superset;
    const seen = new Set<string>();
    for (const [n, name] of [
      "o'brien",
      '*',
      '%',
      '%%%%',
      '____',
      "x' or '1'=='1",
      '!t',
      'a,b)',
      '12345',
      'ünï 日本',
      '\\',
    ].entries()) {
      const set = creation({ userName: name, email: `p${n}@example.com` });
      const { account } = await target.apply(set, signal);
      expect(seen).not.toContain(account.id);
      seen.add(account.id);
      expect(await target.apply(set, signal)).toEqual({ outcome: 'already', account });
      const { accounts } = await target.read({ kind: 'person', lookup: { userNames: [name] } }, signal);
      expect(accounts).toEqual([account]);
    }
  });

  it('never goes back to a name that the plan found taken, if only but for case', async () => {
    const { state } = superset.emulator;
    addUser(state, { username: 'ADA', email: 'other@example.com' });
    addUser(state, { username: 'ada@example.com', email: 'third@example.com' });
    const desired = desiredFor(['ada', 'ada@example.com'], 'ada@example.com');
    await expect(
      superset.target.apply(creation({ desired, userName: 'ada@example.com' }), signal),
    ).rejects.toMatchObject({ code: 'user_name_taken' });
  });

  it('makes a role again that vanished after it was found, or says that it is missing', async () => {
    const { state } = superset.emulator;
    const vanishing = (name: string) => {
      const { id } = addRole(state, name);
      before('POST', () => void state.roles.delete(id));
    };
    vanishing('Finance');
    const { account } = await superset.target.apply(creation({ add: [role('Finance')] }), signal);
    expect(keysOf(account)).toEqual(['role:Finance']);
    const refusing = superset.another({ missing: { ...MISSING, roles: 'refuse' } });
    vanishing('Legal');
    await expect(
      refusing.apply(creation({ userName: 'bob', email: 'bob@example.com', add: [role('Legal')] }), signal),
    ).rejects.toMatchObject({ code: 'role_missing' });
    expect(writes().at(-1)).toBe('POST users/');
    expect(people()).toHaveLength(1);
  });

  it('says so when Superset does not take a value', async () => {
    superset.emulator.faults.set({ match: (method) => method === 'POST', status: 400 });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'profile_invalid' });
  });

  it('tells a broken Superset from a name that is taken', async () => {
    superset.emulator.faults.set({ match: (method) => method === 'POST', status: 500 });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'target_unavailable' });
    superset.emulator.faults.set({ match: (method) => method === 'POST', status: 422 });
    await expect(superset.target.apply(creation(), signal)).rejects.toMatchObject({ code: 'target_conflict' });
  });
});

describe('changing an account', () => {
  it('takes one PUT of what differs', async () => {
    const { target, emulator } = superset;
    const actual = await accountOf(target, addUser(emulator.state, { username: 'ada' }));
    const set = change(actual, { profile: { familyName: 'Byron', givenName: 'Some' } });
    expect((await target.apply(set, signal)).account.profile.familyName).toBe('Byron');
    expect(writes()).toEqual([`PUT users/${actual.id}`]);
    expect((await target.apply(set, signal)).outcome).toBe('already');
    expect(writes()).toHaveLength(1);
  });

  it('keeps what was given by hand since the plan, and takes only what is to go', async () => {
    const { target, emulator } = superset;
    const { state } = emulator;
    const user = addUser(state, { username: 'ada', roles: [3, 4] });
    const actual = await accountOf(target, user);
    user.groups = [addGroup(state, 'By hand').id];
    const drop = [{ ...ALPHA, id: roleId(state, 'Alpha') }];
    await target.apply(change(actual, { add: [group('Sales')], create: [group('Sales')], drop }), signal);
    expect(keysOf(await accountOf(target, user))).toEqual(['group:By hand', 'group:Sales', 'role:Gamma']);
  });

  it('takes a role by its id, whatever it is called now', async () => {
    const { target, emulator } = superset;
    const finance = addRole(emulator.state, 'Finance');
    const user = addUser(emulator.state, { username: 'ada', roles: [4, finance.id] });
    const actual = await accountOf(target, user);
    finance.name = 'Controlling';
    await target.apply(change(actual, { drop: [{ ...role('Finance'), id: `role:${finance.id}` }] }), signal);
    expect(keysOf(await accountOf(target, user))).toEqual(['role:Gamma']);
  });

  it('tries again when another writer made it fail, and gives up when it goes on', async () => {
    const { target, emulator } = superset;
    const user = addUser(emulator.state, { username: 'ada' });
    const actual = await accountOf(target, user);
    emulator.faults.set({ match: (method) => method === 'PUT', status: 500, times: 2 });
    expect((await target.apply(change(actual, { add: [ALPHA] }), signal)).outcome).toBe('applied');
    emulator.faults.set({ match: (method) => method === 'PUT', status: 500 });
    await expect(target.apply(change(actual, { profile: { givenName: 'A' } }), signal)).rejects.toMatchObject({
      code: 'target_unavailable',
    });
  });

  it('is done when the writer that made it fail had the same in mind', async () => {
    const { target, emulator } = superset;
    const user = addUser(emulator.state, { username: 'ada' });
    const actual = await accountOf(target, user);
    emulator.faults.set({
      match: (method) => {
        if (method === 'PUT') user.roles = [3, 4];
        return method === 'PUT';
      },
      status: 500,
    });
    const { outcome, account } = await target.apply(change(actual, { add: [ALPHA] }), signal);
    expect([outcome, keysOf(account)]).toEqual(['already', ['role:Alpha', 'role:Gamma']]);
  });

  it('tells the 500 of a role that vanished from that of an e-mail that is taken', async () => {
    const { state } = superset.emulator;
    const user = addUser(state, { username: 'ada' });
    const actual = await accountOf(superset.target, user);
    const finance = addRole(state, 'Finance');
    before('PUT', () => void state.roles.delete(finance.id));
    const refusing = superset.another({ missing: { ...MISSING, roles: 'refuse' } });
    await expect(refusing.apply(change(actual, { add: [role('Finance')] }), signal)).rejects.toMatchObject({
      code: 'role_missing',
    });
    before('PUT', () => void addUser(state, { username: 'bob', email: 'new@example.com' }));
    await expect(
      superset.target.apply(change(actual, { profile: { email: 'new@example.com' } }), signal),
    ).rejects.toMatchObject({ code: 'target_conflict' });
    expect(user).toMatchObject({ email: 'ada@example.com', roles: [4] });
  });

  it('never leaves an account without role and group', async () => {
    const { target, emulator } = superset;
    const user = addUser(emulator.state, { username: 'ada', roles: [3, 4] });
    const actual = await accountOf(target, user);
    user.roles = [3];
    const drop = [{ ...ALPHA, id: roleId(emulator.state, 'Alpha') }];
    await expect(target.apply(change(actual, { drop }), signal)).rejects.toMatchObject({ code: 'target_conflict' });
    expect(writes()).toEqual([]);
  });

  it('never touches the account that has the id since then', async () => {
    const { target, emulator } = superset;
    const user = addUser(emulator.state, { username: 'ada' });
    const actual = await accountOf(target, user);
    addUser(emulator.state, { username: 'mallory', id: user.id } as never);
    await expect(target.apply(change(actual, { active: false }), signal)).rejects.toMatchObject({
      code: 'target_conflict',
    });
    expect((await target.apply(change(actual, { remove: true }), signal)).outcome).toBe('already');
    expect(writes()).toEqual([]);
  });

  it.each(['remove', 'profile', 'add', 'active'] as const)('never touches a service account: %s', async (what) => {
    const { target, emulator } = superset;
    const own = emulator.state.users.get(2);
    const actual = own && (await accountOf(target, own));
    const set = {
      remove: { remove: true },
      profile: { profile: { givenName: 'X' } },
      add: { add: [GAMMA] },
      active: { active: false },
    };
    await expect(target.apply(change(actual as never, set[what]), signal)).rejects.toMatchObject({
      code: 'account_protected',
    });
    // One that became a service account since the plan is as safe.
    const late = addUser(emulator.state, { username: 'late' });
    const read = await accountOf(target, late);
    late.roles = [6];
    await expect(target.apply(change(read, set[what]), signal)).rejects.toMatchObject({ code: 'account_protected' });
    expect(writes()).toEqual([]);
  });
});

describe('removing an account', () => {
  it('switches it off when something in Superset belongs to it', async () => {
    const { target, emulator } = superset;
    const user = addUser(emulator.state, { username: 'ada', owns: 1 });
    const { outcome, account } = await target.apply(change(await accountOf(target, user), { remove: true }), signal);
    expect(outcome).toBe('applied');
    expect(account).toMatchObject({ active: false, entitlements: [{ name: 'Gamma' }] });
    expect(user.active).toBe(false);
    expect(writes()).toEqual([`DELETE users/${user.id}`, `PUT users/${user.id}`]);
  });

  it('is only switching it off where its id could let a cookie live on', async () => {
    await superset.close();
    superset = await startInMemory({ sign_in: 'header' });
    expect(superset.target.can.delete).toBe(false);
    const user = addUser(superset.emulator.state, { username: 'ada' });
    await superset.target.apply(change(await accountOf(superset.target, user), { remove: true }), signal);
    expect(user.active).toBe(false);
    expect(writes().filter((call) => call.startsWith('DELETE'))).toEqual([]);
  });
});

describe('groups and roles that are missing', () => {
  it('are made with the whole name as label where it had to be cut', async () => {
    const { target, emulator } = superset;
    const long = 'g'.repeat(120);
    const given = { ...group(long), rule: 'r', origin: 'o' };
    const { entitlements } = target.adapt({ ...desiredFor(['ada'], 'ada@example.com'), entitlements: [given] });
    await target.apply(creation({ add: entitlements, create: entitlements }), signal);
    expect([...emulator.state.groups.values()]).toMatchObject([{ label: long, name: entitlements[0]?.name }]);
  });

  it('that cannot be made keep the account from being made without them', async () => {
    const { target, emulator } = superset;
    emulator.faults.set({ match: (method, path) => method === 'POST' && path.endsWith('/roles/'), status: 500 });
    await expect(target.apply(creation({ add: [role('New')], create: [role('New')] }), signal)).rejects.toMatchObject({
      code: 'target_unavailable',
    });
    expect(people()).toEqual([]);
  });
});
