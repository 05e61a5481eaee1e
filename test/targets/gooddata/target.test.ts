import type { ChangeSet } from '../../../src/model/change.ts';
import type { DesiredAccount } from '../../../src/model/desired.ts';
import type { Entitlement } from '../../../src/model/entitlement.ts';
import { deriveId } from '../../../src/targets/names.ts';
import type { Lookup } from '../../../src/targets/target.ts';
import { type Organisation, type OrganisationOptions, startOrganisation } from './subject.ts';

const SEED = {
  users: [
    {
      id: 'alice',
      authenticationId: 'auth0|alice',
      email: 'alice@example.com',
      firstname: 'Alice',
      lastname: 'Ace',
      groups: ['sales', 'manual'],
    },
    { id: 'bot', authenticationId: 'bot', systemAccount: true },
  ],
  groups: [{ id: 'sales' }, { id: 'manual' }, { id: 'analysts', name: 'Analysts of the house' }],
};

const ALICE: Lookup = { accountId: 'alice', externalId: 'auth0|alice', userNames: [], email: 'alice@example.com' };
const signal = new AbortController().signal;

let organisation: Organisation;

async function start(options: OrganisationOptions = {}): Promise<Organisation> {
  organisation = await startOrganisation({ seed: SEED, ...options });
  await organisation.target.probe(signal);
  organisation.emulator.requests.length = 0;
  return organisation;
}

afterEach(async () => {
  await organisation.close();
});

function asked(): string[] {
  return organisation.emulator.requests.map(
    ({ method, path }) => `${method} ${decodeURIComponent(path.replace('/api/v1/', ''))}`,
  );
}

function group(name: string): Entitlement {
  const id = deriveId(name);
  return { kind: 'group', name: id, ...(id === name ? {} : { label: name }) };
}

function desired(more: Partial<DesiredAccount> = {}): DesiredAccount {
  return {
    person: 'p_1',
    target: 'gooddata',
    externalId: 'auth0|new',
    matchExternalId: true,
    key: 'auth0|new',
    userNames: ['new'],
    active: true,
    profile: {},
    profileIfNew: {},
    emailTrusted: false,
    entitlements: [],
    leaveAlone: [],
    ...more,
  };
}

function changes(more: Partial<ChangeSet> = {}): ChangeSet {
  return { desired: desired(), profile: {}, userName: 'new', add: [], drop: [], create: [], changes: [], ...more };
}

async function alice() {
  const { accounts } = await organisation.target.read({ kind: 'person', lookup: ALICE }, signal);
  const [account] = accounts;
  if (account === undefined) throw new Error('alice is gone');
  organisation.emulator.requests.length = 0;
  return account;
}

describe('reading one person', () => {
  it('takes one GET for a known account', async () => {
    const { target } = await start();
    const { accounts } = await target.read({ kind: 'person', lookup: ALICE }, signal);
    expect(asked()).toEqual(['GET entities/users/alice?include=userGroups']);
    expect(accounts).toEqual([
      {
        id: 'alice',
        userName: 'alice',
        externalId: 'auth0|alice',
        active: true,
        isProtected: false,
        profile: { givenName: 'Alice', familyName: 'Ace', email: 'alice@example.com' },
        entitlements: [
          { kind: 'group', name: 'sales', id: 'sales' },
          { kind: 'group', name: 'manual', id: 'manual' },
        ],
      },
    ]);
  });

  it('takes one GET for a known external id', async () => {
    const { target } = await start();
    const { accounts } = await target.read(
      { kind: 'person', lookup: { externalId: 'auth0|alice', userNames: [] } },
      signal,
    );
    expect(asked()).toEqual([
      "GET entities/users?filter=authenticationId=='auth0|alice'&size=2&include=userGroups&sort=id",
    ]);
    expect(accounts.map(({ id }) => id)).toEqual(['alice']);
  });

  it('asks who we are once, before it says of any account that it may be written to', async () => {
    organisation = await startOrganisation({ seed: SEED });
    for (let at = 0; at < 3; at += 1) await organisation.target.read({ kind: 'person', lookup: ALICE }, signal);
    expect(asked().filter((line) => line === 'GET profile')).toHaveLength(1);
  });

  it('looks by every key of the lookup when there is no link', async () => {
    const { target, emulator } = await start();
    emulator.state.users.set('by-mail', {
      id: 'by-mail',
      attributes: { email: 'Alice@Example.com' },
      relationships: {},
    });
    emulator.state.users.set('new', { id: 'new', attributes: {}, relationships: {} });
    const lookup = { externalId: 'auth0|alice', email: 'Alice@Example.com', userNames: ['new', 'not valid', 'absent'] };
    const { accounts } = await target.read({ kind: 'person', lookup }, signal);
    expect(accounts.map(({ id }) => id).sort()).toEqual(['alice', 'by-mail', 'new']);
  });

  it('goes on by the other keys when the linked account is gone', async () => {
    const { target } = await start();
    const { accounts } = await target.read({ kind: 'person', lookup: { ...ALICE, accountId: 'gone' } }, signal);
    expect(accounts.map(({ id }) => id)).toEqual(['alice']);
  });

  it('does not take a token that lost its rights for an account that is gone', async () => {
    const { target, emulator } = await start();
    emulator.state.organizationPermissions = [];
    await expect(
      target.read({ kind: 'person', lookup: { accountId: 'alice', userNames: [] } }, signal),
    ).rejects.toMatchObject({
      code: 'target_refused',
    });
  });

  it('gives the users of one authenticationId in the order in which GoodData takes them, and warns', async () => {
    const { target, emulator, warnings } = await start();
    emulator.state.users.set('aaa', { id: 'aaa', attributes: { authenticationId: 'auth0|alice' }, relationships: {} });
    const { accounts } = await target.read(
      { kind: 'person', lookup: { externalId: 'auth0|alice', userNames: [] } },
      signal,
    );
    expect(accounts.map(({ id }) => id)).toEqual(['aaa', 'alice']);
    expect(warnings).toEqual([expect.stringContaining('several GoodData users have one authenticationId')]);
    expect(warnings.join()).not.toContain('auth0|alice');
  });

  it.each(["x'y", 'x\\', "\\'", 'a"b', '*', 'a;b,c', 'a&b=c#d', 'a+b c%20', 'ünï'])(
    'finds the external id %j itself',
    async (externalId) => {
      const { target, emulator } = await start();
      emulator.state.users.set('odd', { id: 'odd', attributes: { authenticationId: externalId }, relationships: {} });
      const { accounts } = await target.read({ kind: 'person', lookup: { externalId, userNames: [] } }, signal);
      expect(accounts.map(({ id }) => id)).toEqual(['odd']);
    },
  );
});

describe('reading all', () => {
  it('pages to the end and protects our own, the first and service accounts', async () => {
    const { target, emulator } = await start();
    for (let at = 0; at < 1_200; at += 1)
      emulator.state.users.set(`u${at}`, { id: `u${at}`, attributes: {}, relationships: {} });
    const { complete, accounts } = await target.read({ kind: 'all' }, signal);
    expect([complete, accounts.length]).toEqual([true, 1_203]);
    expect(accounts.filter(({ isProtected }) => isProtected).map(({ id }) => id)).toEqual(['admin', 'bot']);
    expect(asked()).toHaveLength(3);
  });

  it('is not complete while accounts come and go between two pages', async () => {
    const { target, emulator } = await start();
    for (let at = 0; at < 600; at += 1)
      emulator.state.users.set(`u${at}`, { id: `u${at}`, attributes: {}, relationships: {} });
    let gone = 0;
    emulator.faults.set({
      match: (_method, path) => {
        gone += 1;
        emulator.state.users.delete(`u${gone}`);
        return path === '';
      },
    });
    expect((await target.read({ kind: 'all' }, signal)).complete).toBe(false);
  });
});

describe('creating an account', () => {
  it('takes one POST with the groups in it', async () => {
    const { target, emulator } = await start();
    const profile = { givenName: 'New', familyName: null, email: 'new@example.com' };
    const { outcome, account } = await target.apply(changes({ profile, add: [group('sales')] }), signal);
    expect(asked()).toEqual(['POST entities/users?include=userGroups']);
    expect(emulator.requests[0]?.body).toEqual({
      data: {
        id: 'new',
        type: 'user',
        attributes: { authenticationId: 'auth0|new', firstname: 'New', email: 'new@example.com' },
        relationships: { userGroups: { data: [{ id: 'sales', type: 'userGroup' }] } },
      },
    });
    expect([outcome, account.id, account.entitlements.map(({ id }) => id)]).toEqual(['applied', 'new', ['sales']]);
  });

  it('makes missing groups first, empty, with the raw text as their name', async () => {
    const { target, emulator } = await start();
    const wanted = [group('Sales EU'), group('g'.repeat(300))];
    await target.apply(changes({ add: wanted, create: wanted }), signal);
    expect(asked().slice(0, 2)).toEqual(['POST entities/userGroups', 'POST entities/userGroups']);
    expect(emulator.state.userGroups.get(deriveId('Sales EU'))?.attributes).toEqual({ name: 'Sales EU' });
    expect(emulator.state.userGroups.get(deriveId('g'.repeat(300)))?.attributes.name).toHaveLength(255);
  });

  it('adds the hash to an id that is another account', async () => {
    const { target, emulator } = await start();
    const { userNames } = target.adapt(desired({ key: 'auth0|alice', externalId: 'partners|alice' }));
    const set = changes({ userName: 'alice', desired: desired({ externalId: 'partners|alice', userNames }) });
    const { account } = await target.apply(set, signal);
    expect(account).toMatchObject({ id: userNames[1], externalId: 'partners|alice' });
    expect(emulator.state.users.get('alice')?.attributes.authenticationId).toBe('auth0|alice');
  });

  it('takes over no account of another origin that has the same ids, made a moment ago', async () => {
    const { target } = await start();
    const set = changes({
      userName: 'alice',
      desired: desired({ externalId: 'auth0|alice', matchExternalId: false, userNames: ['alice', 'alice-2'] }),
      add: [group('sales')],
    });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'target_conflict' });
  });

  it('gives up when every id is another account', async () => {
    const { target } = await start();
    const set = changes({ userName: 'alice', desired: desired({ userNames: ['alice', 'bot'] }) });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'user_name_taken' });
  });

  it('adds what is missing to the account that another instance just made', async () => {
    const { target, emulator } = await start();
    const attributes = { authenticationId: 'auth0|new', firstname: 'Newer' };
    emulator.state.users.set('new', {
      id: 'new',
      attributes,
      relationships: { userGroups: [{ id: 'manual', type: 'userGroup' }] },
    });
    const { outcome, account } = await target.apply(
      changes({ profile: { givenName: 'Older' }, add: [group('sales')] }),
      signal,
    );
    expect([outcome, account.entitlements.map(({ id }) => id).sort()]).toEqual(['applied', ['manual', 'sales']]);
    expect(emulator.state.users.get('new')?.attributes.firstname).toBe('Newer');
  });

  it('never takes over a service account that has the same ids', async () => {
    const { target } = await start();
    const set = changes({
      userName: 'bot',
      desired: desired({ externalId: 'bot', userNames: ['bot'] }),
      add: [group('sales')],
    });
    await expect(target.apply(set, signal)).rejects.toMatchObject({ code: 'account_protected' });
  });

  it('refuses to make a vanished group again where the config says so', async () => {
    const { target, emulator } = await start({ missingGroups: 'refuse' });
    await expect(target.apply(changes({ add: [group('absent')] }), signal)).rejects.toMatchObject({
      code: 'group_missing',
    });
    expect([emulator.state.users.has('new'), emulator.state.userGroups.has('absent')]).toEqual([false, false]);
  });

  it('says when GoodData does not take a value', async () => {
    const { target } = await start();
    await expect(target.apply(changes({ profile: { email: 'x'.repeat(300) } }), signal)).rejects.toMatchObject({
      code: 'profile_invalid',
    });
  });
});

describe('updating an account', () => {
  it('patches what differs and nothing else', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    await target.apply(changes({ actual, userName: 'alice', profile: { familyName: 'Byron', email: null } }), signal);
    expect(asked()).toEqual([
      'GET entities/users/alice?include=userGroups',
      'PATCH entities/users/alice?include=userGroups',
    ]);
    expect(emulator.requests[1]?.body).toEqual({
      data: { id: 'alice', type: 'user', attributes: { lastname: 'Byron', email: '' } },
    });
  });

  it('leaves a group alone that somebody gives by hand while it writes', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    emulator.state.userGroups.set('extra', { id: 'extra', attributes: {}, relationships: {} });
    let isGiven = false;
    const match = (method: string): boolean => {
      if (method === 'GET' || isGiven) return false;
      isGiven = true;
      emulator.state.users.get('alice')?.relationships['userGroups']?.push({ id: 'analysts', type: 'userGroup' });
      return false;
    };
    emulator.faults.set({ match, status: 500 });
    const drop = actual.entitlements.filter(({ id }) => id === 'sales');
    const set = changes({ actual, userName: 'alice', profile: { givenName: 'A' }, add: [group('extra')], drop });
    const { account } = await target.apply(set, signal);
    expect(asked()).toEqual([
      'GET entities/users/alice?include=userGroups',
      'POST actions/userManagement/userGroups/sales/removeMembers',
      'POST actions/userManagement/userGroups/extra/addMembers',
      'PATCH entities/users/alice?include=userGroups',
    ]);
    expect(account.entitlements.map(({ id }) => id).sort()).toEqual(['analysts', 'extra', 'manual']);
  });

  it('makes a group again that vanished, and refuses where its account did', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    const set = changes({ actual, userName: 'alice', add: [group('absent')] });
    expect((await target.apply(set, signal)).outcome).toBe('applied');
    expect(emulator.state.userGroups.has('absent')).toBe(true);
    emulator.faults.set({
      match: (method) => {
        if (method !== 'GET') emulator.state.users.delete('alice');
        return false;
      },
      status: 500,
    });
    await expect(target.apply({ ...set, add: [group('analysts')] }, signal)).rejects.toMatchObject({
      code: 'target_conflict',
    });
  });

  it('writes nothing when another instance was faster', async () => {
    const { target } = await start();
    const actual = await alice();
    const set = changes({ actual: { ...actual, entitlements: [] }, userName: 'alice', add: [group('sales')] });
    expect((await target.apply(set, signal)).outcome).toBe('already');
    expect(asked()).toEqual(['GET entities/users/alice?include=userGroups']);
  });

  it('stops when the account has become another person’s', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    emulator.state.users.set('alice', {
      id: 'alice',
      attributes: { authenticationId: 'auth0|mallory' },
      relationships: {},
    });
    for (const more of [{ add: [group('analysts')] }, { profile: { givenName: 'Alice' } }, { remove: true }]) {
      await expect(target.apply(changes({ actual, userName: 'alice', ...more }), signal)).rejects.toMatchObject({
        code: 'target_conflict',
      });
    }
    expect(emulator.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('deletes nothing under an id that was free, whoever has it by then', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    emulator.state.users.delete('alice');
    expect((await target.apply(changes({ actual, userName: 'alice', remove: true }), signal)).outcome).toBe('already');
    expect(emulator.requests.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it.each(['remove', 'profile', 'add'] as const)('writes nothing to a protected account: %s', async (what) => {
    const { target, emulator } = await start();
    const { accounts } = await target.read({ kind: 'person', lookup: { accountId: 'admin', userNames: [] } }, signal);
    const set = { remove: { remove: true }, profile: { profile: { givenName: 'X' } }, add: { add: [group('sales')] } }[
      what
    ];
    const [actual] = accounts;
    await expect(
      target.apply(changes({ ...(actual === undefined ? {} : { actual }), ...set }), signal),
    ).rejects.toMatchObject({ code: 'account_protected' });
    expect(emulator.requests.every(({ method }) => method === 'GET')).toBe(true);
  });
});

describe('groups', () => {
  it('finds a group by its id, whatever people call it', async () => {
    const { target } = await start();
    expect(await target.find([group('analysts'), group('absent')], signal)).toEqual([
      { kind: 'group', name: 'analysts', id: 'analysts', label: 'Analysts of the house' },
    ]);
  });

  it('finds many in lists that fit into an address', async () => {
    const { target, emulator } = await start();
    const wanted = Array.from({ length: 120 }, (_, at) => group(`g${at}-${'x'.repeat(100)}`));
    for (const { name } of wanted) emulator.state.userGroups.set(name, { id: name, attributes: {}, relationships: {} });
    expect(await target.find(wanted, signal)).toHaveLength(120);
    expect(emulator.requests.length).toBeGreaterThan(1);
    expect(Math.max(...emulator.requests.map(({ path }) => path.length))).toBeLessThan(8_000);
  });

  it('refuses a group whose id was derived from another name', async () => {
    const { target, emulator } = await start();
    const id = deriveId('Sales EU');
    emulator.state.userGroups.set(id, { id, attributes: { name: 'Sales EU' }, relationships: {} });
    await expect(target.find([{ kind: 'group', name: id }], signal)).rejects.toMatchObject({
      code: 'entitlement_conflict',
    });
    expect(await target.find([group('Sales EU')], signal)).toHaveLength(1);
  });
});

describe('in GoodData’s terms', () => {
  it('drops what a user does not have and refuses what is too long', async () => {
    const { target } = await start();
    const entitlements = (['group', 'role'] as const).map((kind) => ({ kind, name: 'x', rule: 'r', origin: 'o' }));
    const profile = { givenName: '', displayName: 'New', email: null };
    expect(target.adapt(desired({ profile, entitlements }))).toMatchObject({
      profile: { givenName: null, email: null },
      entitlements: [{ kind: 'group', name: 'x' }],
    });
    expect(target.adapt(desired({ profile })).profile).not.toHaveProperty('displayName');
    for (const more of [
      { profile: { email: 'x'.repeat(256) } },
      { profileIfNew: { givenName: 'x'.repeat(256) } },
      { externalId: 'x'.repeat(256) },
    ]) {
      expect(() => target.adapt(desired(more))).toThrow(expect.objectContaining({ code: 'profile_invalid' }));
    }
  });

  it('never replaces anything whole, whatever is done', async () => {
    const { target, emulator } = await start();
    const actual = await alice();
    await target.apply(
      changes({ actual, userName: 'alice', profile: { givenName: 'A' }, add: [group('analysts')] }),
      signal,
    );
    await target.apply(changes({ add: [group('Sales EU')], create: [group('Sales EU')] }), signal);
    await target.apply(changes({ actual, userName: 'alice', remove: true }), signal);
    await target.read({ kind: 'all' }, signal);
    expect(emulator.requests.some(({ method, path }) => method === 'PUT' || path.includes('/layout/'))).toBe(false);
  });
});
