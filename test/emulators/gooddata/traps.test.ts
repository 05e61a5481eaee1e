import { probe, userDocument } from './probe.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from './server.ts';
import { userWhoLogsIn } from './state.ts';

const USERS = '/api/v1/entities/users';
const GROUPS = '/api/v1/entities/userGroups';

let emulator: GoodDataEmulator;

beforeAll(async () => {
  emulator = await startGoodDataEmulator({
    organization: 'acme',
    seed: {
      groups: [
        { id: 'sales', name: 'Sales' },
        { id: 'sales-eu', name: 'Sales EU', parents: ['sales'] },
        { id: 'finance' },
      ],
      users: [
        {
          id: 'alice',
          authenticationId: 'auth0|alice',
          email: 'alice@example.org',
          firstname: 'Alice',
          groups: ['sales-eu'],
        },
        { id: 'bob', authenticationId: "o'neil\\", groups: ['finance'] },
      ],
      workspaces: [{ id: 'parent' }, { id: 'child', parent: 'parent' }],
      dataSources: [{ id: 'warehouse' }],
    },
  });
});
afterAll(() => emulator.close());
beforeEach(() => emulator.reset());

const get = async (path: string) => (await probe(emulator, 'GET', path)).body;
const ids = async (path: string) => (await get(path)).data.map(({ id }: { id: string }) => id);
const filterIds = (filter: string) => ids(`${USERS}?filter=${encodeURIComponent(filter)}`);
const groupsOf = (id: string) => emulator.state.users.get(id)?.relationships['userGroups']?.map((ref) => ref.id);

describe('reading entities', () => {
  it('shows relationships only to those who include them', async () => {
    expect(await get(`${USERS}/alice`)).not.toHaveProperty('data.relationships');
    const asked = await get(`${USERS}/alice?include=userGroups`);
    expect(asked.data.relationships).toEqual({ userGroups: { data: [{ id: 'sales-eu', type: 'userGroup' }] } });
    expect(asked.included).toEqual([expect.objectContaining({ id: 'sales-eu', attributes: { name: 'Sales EU' } })]);
    const made = await probe(emulator, 'POST', USERS, { body: userDocument('carol', {}, ['sales']) });
    expect(made.body).not.toHaveProperty('data.relationships');
    const madeAsked = await probe(emulator, 'POST', `${USERS}?include=userGroups`, {
      body: userDocument('dan', {}, ['sales']),
    });
    expect(madeAsked.body.data.relationships.userGroups.data).toHaveLength(1);
  });

  it('links to a next page even where there is none, and 20 is a page', async () => {
    for (let n = 10; n < 30; n += 1) await probe(emulator, 'POST', USERS, { body: userDocument(`user${n}`) });
    const first = await get(`${USERS}?metaInclude=page`);
    expect(first.data).toHaveLength(20);
    expect(first.meta.page).toEqual({ number: 0, size: 20, totalElements: 23, totalPages: 2 });
    const beyond = await get(`${USERS}?page=7&size=5`);
    expect(beyond.data).toEqual([]);
    expect(beyond.links.next).toBe(`${emulator.url}${USERS}?page=8&size=5`);
    expect(beyond).not.toHaveProperty('meta');
  });

  it('sorts by id unless told otherwise', async () => {
    await probe(emulator, 'POST', USERS, { body: userDocument('aaron', { email: 'z@example.org' }) });
    expect(await ids(USERS)).toEqual(['aaron', 'admin', 'alice', 'bob']);
    expect(await ids(`${USERS}?sort=id,desc`)).toEqual(['bob', 'alice', 'admin', 'aaron']);
    expect((await ids(`${USERS}?sort=email,desc`))[0]).toBe('aaron');
  });

  it('finds the organization behind a redirect', async () => {
    const { status, headers } = await probe(emulator, 'GET', '/api/v1/entities/organization');
    expect([status, headers.get('location')]).toEqual([302, '/api/v1/entities/admin/organizations/acme']);
    expect((await get('/api/v1/entities/admin/organizations/acme')).data.id).toBe('acme');
    expect((await probe(emulator, 'GET', '/api/v1/entities/admin/organizations/other')).status).toBe(404);
  });

  it('lets several users share an authentication id, of whom the first in the alphabet logs in', async () => {
    await probe(emulator, 'POST', USERS, { body: userDocument('a-second-alice', { authenticationId: 'auth0|alice' }) });
    expect(await filterIds("authenticationId=='auth0|alice'")).toEqual(['a-second-alice', 'alice']);
    expect(userWhoLogsIn(emulator.state, 'auth0|alice')).toBe('a-second-alice');
  });
});

describe('filters', () => {
  it.each<[string, string[]]>([
    ['id==alice', ['alice']],
    ["authenticationId=='auth0|alice'", ['alice']],
    ['authenticationId=="auth0|alice"', ['alice']],
    [String.raw`authenticationId=='o\'neil\\'`, ['bob']],
    [String.raw`authenticationId=="o'neil\\"`, ['bob']],
    ["authenticationId=='*'", []],
    ["authenticationId=='x' or id!='x'", ['admin', 'alice', 'bob']],
    ["id=in=(alice,'bob',nobody)", ['alice', 'bob']],
    ['id=out=(alice,bob)', ['admin']],
    ['firstname==Alice;id==alice', ['alice']],
    ['firstname==Alice and id==bob', []],
    ['id==admin,id==bob', ['admin', 'bob']],
    ['(id==admin,id==bob);userGroups.id==finance', ['bob']],
    ["userGroups.name=='Sales EU'", ['alice']],
    ['email=isnull=true', ['admin', 'bob']],
    ["firstname=containsic='LIC'", ['alice']],
  ])('%s finds %j', async (filter, expected) => {
    expect(await filterIds(filter)).toEqual(expected);
  });

  it.each([
    'authenticationId==auth0|alice or',
    "authenticationId=='auth0",
    "id=='a' 'b'",
    'id=alice',
    'id==(a,b)',
    'id=in=()',
    'id=in=(a',
    '(id==a',
    'shoeSize==44',
    "id==o'neil",
    '',
  ])('%j is refused', async (filter) => {
    const { status } = await probe(emulator, 'GET', `${USERS}?filter=${encodeURIComponent(filter)}`);
    expect(status).toBe(400);
  });
});

describe('changing entities', () => {
  it('PUT replaces: what is left out is lost, groups too', async () => {
    const { status } = await probe(emulator, 'PUT', `${USERS}/alice`, {
      body: userDocument('alice', { lastname: 'Smith' }),
    });
    expect(status).toBe(200);
    expect(emulator.state.users.get('alice')?.attributes).toEqual({ lastname: 'Smith' });
    expect(groupsOf('alice') ?? []).toEqual([]);
  });

  it('PATCH changes what is sent and no more', async () => {
    const { status } = await probe(emulator, 'PATCH', `${USERS}/alice`, {
      body: userDocument('alice', { lastname: 'Smith' }),
    });
    expect(status).toBe(200);
    expect(emulator.state.users.get('alice')?.attributes).toEqual({
      authenticationId: 'auth0|alice',
      email: 'alice@example.org',
      firstname: 'Alice',
      lastname: 'Smith',
    });
    expect(groupsOf('alice')).toEqual(['sales-eu']);
  });

  it('a list in a PATCH replaces the whole list', async () => {
    await probe(emulator, 'PATCH', `${USERS}/alice`, { body: userDocument('alice', {}, ['finance']) });
    expect(groupsOf('alice')).toEqual(['finance']);
    await probe(emulator, 'PATCH', `${USERS}/alice`, { body: userDocument('alice', {}, []) });
    expect(groupsOf('alice')).toEqual([]);
    expect(await get(`${USERS}/alice?include=userGroups`)).not.toHaveProperty('data.relationships');
  });

  it('makes a group from its id alone', async () => {
    const { status, body } = await probe(emulator, 'POST', GROUPS, {
      body: { data: { id: 'empty', type: 'userGroup' } },
    });
    expect([status, body.data]).toEqual([201, { attributes: {}, id: 'empty', type: 'userGroup' }]);
  });

  it('a deleted group leaves its members and takes its permissions along', async () => {
    const give = [{ assigneeIdentifier: { id: 'sales-eu', type: 'userGroup' }, permissions: ['VIEW'] }];
    await probe(emulator, 'POST', '/api/v1/actions/workspaces/child/managePermissions', { body: give });
    expect((await probe(emulator, 'DELETE', `${GROUPS}/sales-eu`)).status).toBe(204);
    expect(groupsOf('alice')).toEqual([]);
    expect(emulator.state.workspaces.get('child')?.permissions).toEqual([]);
  });
});

describe('layouts', () => {
  it('PUT of the users deletes those left out, with their permissions and tokens', async () => {
    await probe(emulator, 'POST', `${USERS}/bob/apiTokens`, { body: { data: { id: 't', type: 'apiToken' } } });
    const mine = { permissions: [{ assignee: { id: 'bob', type: 'user' }, name: 'VIEW' }] };
    await probe(emulator, 'PUT', '/api/v1/layout/workspaces/child/permissions', { body: mine });
    const users = (await get('/api/v1/layout/users')).users.filter(({ id }: { id: string }) => id !== 'bob');
    expect((await probe(emulator, 'PUT', '/api/v1/layout/users', { body: { users } })).status).toBe(204);
    expect([...emulator.state.users.keys()]).toEqual(['admin', 'alice']);
    expect(emulator.state.workspaces.get('child')?.permissions).toEqual([]);
    expect(emulator.state.apiTokens.has('bob')).toBe(false);
    expect(emulator.state.users.get('alice')?.attributes.authenticationId).toBe('auth0|alice');
  });

  it('PUT of the groups deletes those left out, and members lose them', async () => {
    const body = { userGroups: [{ id: 'adminGroup' }, { id: 'sales', name: 'Sales' }] };
    expect((await probe(emulator, 'PUT', '/api/v1/layout/userGroups', { body })).status).toBe(204);
    expect([...emulator.state.userGroups.keys()].sort()).toEqual(['adminGroup', 'sales']);
    expect(groupsOf('alice')).toEqual([]);
    expect(groupsOf('admin')).toEqual(['adminGroup']);
  });

  it('PUT of the permissions of a workspace replaces all of them, managePermissions those of one', async () => {
    const layout = '/api/v1/layout/workspaces/child/permissions';
    const view = (id: string) => ({ assignee: { id, type: 'userGroup' }, name: 'VIEW' });
    await probe(emulator, 'PUT', layout, { body: { permissions: [view('sales'), view('finance')] } });
    const body = [{ assigneeIdentifier: { id: 'sales', type: 'userGroup' }, permissions: ['ANALYZE'] }];
    await probe(emulator, 'POST', '/api/v1/actions/workspaces/child/managePermissions', { body });
    expect((await get(layout)).permissions).toEqual([view('finance'), { ...view('sales'), name: 'ANALYZE' }]);
    await probe(emulator, 'PUT', layout, { body: { permissions: [view('sales')] } });
    expect((await get(layout)).permissions).toEqual([view('sales')]);
  });
});

describe('actions of user management', () => {
  const base = '/api/v1/actions/userManagement';

  it('adds and removes one member without touching the rest', async () => {
    const body = { members: [{ id: 'alice' }] };
    expect((await probe(emulator, 'POST', `${base}/userGroups/finance/addMembers`, { body })).status).toBe(204);
    expect((await probe(emulator, 'POST', `${base}/userGroups/finance/addMembers`, { body })).status).toBe(204);
    expect(groupsOf('alice')).toEqual(['sales-eu', 'finance']);
    expect((await get(`${base}/userGroups/finance/members`)).members).toEqual([
      { id: 'alice', name: 'Alice' },
      { id: 'bob' },
    ]);
    await probe(emulator, 'POST', `${base}/userGroups/sales-eu/removeMembers`, { body });
    expect(groupsOf('alice')).toEqual(['finance']);
    expect((await probe(emulator, 'POST', `${base}/userGroups/ghosts/addMembers`, { body })).status).toBe(404);
    const stranger = { body: { members: [{ id: 'ghost' }] } };
    expect((await probe(emulator, 'POST', `${base}/userGroups/finance/addMembers`, stranger)).status).toBe(400);
  });

  it('assigns and revokes in bulk', async () => {
    const assignees = [
      { id: 'alice', type: 'user' },
      { id: 'finance', type: 'userGroup' },
    ];
    const workspaces = [{ id: 'parent', permissions: ['ANALYZE', 'VIEW'], hierarchyPermissions: ['VIEW'] }];
    const dataSources = [{ id: 'warehouse', permissions: ['USE'] }];
    const given = await probe(emulator, 'POST', `${base}/assignPermissions`, {
      body: { assignees, workspaces, dataSources },
    });
    expect([given.status, given.body, given.headers.get('content-type')]).toEqual([200, undefined, null]);
    const revoked = [{ id: 'parent', permissions: ['ANALYZE'], hierarchyPermissions: [] }];
    await probe(emulator, 'POST', `${base}/revokePermissions`, {
      body: { assignees: [assignees[0]], workspaces: revoked },
    });
    expect(await get(`${base}/users/alice/permissions`)).toEqual({
      dataSources: [{ id: 'warehouse', name: 'warehouse', permissions: ['USE'] }],
      workspaces: [{ id: 'parent', name: 'parent', permissions: ['VIEW'], hierarchyPermissions: ['VIEW'] }],
    });
    expect((await get(`${base}/userGroups/finance/permissions`)).workspaces[0].permissions).toEqual([
      'ANALYZE',
      'VIEW',
    ]);
    expect(await get(`${base}/users/bob/permissions`)).toEqual({ dataSources: [], workspaces: [] });
    expect((await get(`${base}/users/bob/permissions?includeInherited=true`)).workspaces).toHaveLength(1);
  });

  it('lists users with groups and permissions in one call', async () => {
    const { totalCount, users } = await get(`${base}/users?size=1&name=ALI`);
    expect(totalCount).toBe(1);
    expect(users[0]).toEqual({
      dataSources: [],
      email: 'alice@example.org',
      id: 'alice',
      name: 'Alice',
      organizationAdmin: false,
      systemAccount: false,
      userGroups: [{ id: 'sales-eu', name: 'Sales EU' }],
      workspaces: [],
    });
    expect((await get(`${base}/users?group=finance`)).users.map(({ id }: { id: string }) => id)).toEqual(['bob']);
    expect((await get(`${base}/userGroups?name=eu`)).userGroups[0]).toMatchObject({ id: 'sales-eu', userCount: 1 });
    expect((await get(`${base}/users?page=1&size=2`)).users).toHaveLength(1);
  });

  it('removeUsersUserGroups deletes, whatever its name suggests', async () => {
    const body = [
      { id: 'bob', type: 'user' },
      { id: 'finance', type: 'userGroup' },
    ];
    expect((await probe(emulator, 'POST', `${base}/removeUsersUserGroups`, { body })).status).toBe(200);
    expect(emulator.state.users.has('bob')).toBe(false);
    expect(emulator.state.userGroups.has('finance')).toBe(false);
  });
});
