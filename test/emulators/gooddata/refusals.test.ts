import { probe, userDocument } from './probe.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from './server.ts';

const USERS = '/api/v1/entities/users';
const GROUPS = '/api/v1/entities/userGroups';

let emulator: GoodDataEmulator;

beforeAll(async () => {
  emulator = await startGoodDataEmulator({
    seed: {
      groups: [{ id: 'sales', name: 'Sales' }, { id: 'finance' }],
      users: [{ id: 'alice', authenticationId: 'auth0|alice', email: 'alice@example.org', groups: ['sales'] }],
      workspaces: [{ id: 'w1' }],
    },
  });
});
afterAll(() => emulator.close());
beforeEach(() => emulator.reset());

describe('what a write is refused for', () => {
  const data = (more: Record<string, unknown>) => ({ data: { id: 'bob', type: 'user', ...more } });

  it.each<[string, unknown]>([
    ['a body without data', { id: 'bob', type: 'user' }],
    ['an unknown member beside data', { ...data({}), included: [] }],
    ['an unknown member in data', data({ permissions: [] })],
    ['an unknown attribute', data({ attributes: { firstName: 'Bob' } })],
    ['an attribute that is no text', data({ attributes: { firstname: 7 } })],
    ['an attribute that is null', data({ attributes: { email: null } })],
    ['an attribute of 256 characters', data({ attributes: { lastname: 'x'.repeat(256) } })],
    ['the relationship userGroup', data({ relationships: { userGroup: { data: [] } } })],
    ['a relationship without data', data({ relationships: { userGroups: [] } })],
    [
      'a single group instead of a list',
      data({ relationships: { userGroups: { data: { id: 'sales', type: 'userGroup' } } } }),
    ],
    [
      'a group reference of another type',
      data({ relationships: { userGroups: { data: [{ id: 'sales', type: 'group' }] } } }),
    ],
    ['a group that does not exist', userDocument('bob', {}, ['sales', 'ghosts'])],
    ['another type', { data: { id: 'bob', type: 'userGroup' } }],
    ['no type', { data: { id: 'bob' } }],
    ['no id', { data: { type: 'user' } }],
    ['a member called __proto__', '{"data":{"id":"bob","type":"user","__proto__":{}}}'],
    ['text that is not JSON', '{"data":'],
    ['an empty body', ''],
  ])('%s: 400, and nothing is created', async (_what, body) => {
    const { status, headers, body: answer } = await probe(emulator, 'POST', USERS, { body });
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(answer).toEqual({
      detail: expect.any(String),
      status: 400,
      title: 'Bad Request',
      traceId: expect.any(String),
    });
    expect(emulator.state.users.has('bob')).toBe(false);
  });

  it.each(['auth0|alice', 'team:eu', 'Sales EU', '.hidden', '', 'x'.repeat(256), 'ü'])('the id %j', async (id) => {
    expect((await probe(emulator, 'POST', USERS, { body: userDocument(id) })).status).toBe(400);
    const group = { data: { id, type: 'userGroup' } };
    expect((await probe(emulator, 'POST', GROUPS, { body: group })).status).toBe(400);
  });

  it.each([
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/vnd.api+json', 415],
    ['application/json; charset=utf-8', 201],
    ['application/vnd.gooddata.api+json', 201],
  ])('content type %s: %i', async (type, expected) => {
    const headers = { 'Content-Type': type };
    expect((await probe(emulator, 'POST', USERS, { body: userDocument('bob'), headers })).status).toBe(expected);
  });

  it('JSON:API for a layout or an action, which speak plain JSON alone', async () => {
    const headers = { 'Content-Type': 'application/vnd.gooddata.api+json' };
    const put = await probe(emulator, 'PUT', '/api/v1/layout/workspaces/w1/permissions', { body: {}, headers });
    const post = await probe(emulator, 'POST', '/api/v1/actions/workspaces/w1/managePermissions', {
      body: [],
      headers,
    });
    expect([put.status, post.status]).toEqual([415, 415]);
  });

  it('an id that exists: 409, and the first one stays as it was', async () => {
    const answer = await probe(emulator, 'POST', USERS, {
      body: userDocument('alice', { email: 'other@example.org' }),
    });
    expect(answer.status).toBe(409);
    expect(emulator.state.users.get('alice')?.attributes.email).toBe('alice@example.org');
  });

  it('an id in the body that is not the one in the path', async () => {
    for (const method of ['PUT', 'PATCH']) {
      const answer = await probe(emulator, method, `${USERS}/alice`, { body: userDocument('alicia') });
      expect(answer.status).toBe(400);
    }
  });

  it('a user that does not exist, for every method that needs one', async () => {
    for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
      const body = method.startsWith('P') ? { body: userDocument('nobody') } : {};
      expect((await probe(emulator, method, `${USERS}/nobody`, body)).status).toBe(404);
    }
  });

  it('a group that would be its own ancestor', async () => {
    const parents = (id: string) => ({ parents: { data: [{ id, type: 'userGroup' }] } });
    const put = (id: string, parent: string) =>
      probe(emulator, 'PUT', `${GROUPS}/${id}`, {
        body: { data: { id, type: 'userGroup', relationships: parents(parent) } },
      });
    expect((await put('sales', 'finance')).status).toBe(200);
    expect((await put('finance', 'sales')).status).toBe(400);
    expect((await put('finance', 'finance')).status).toBe(400);
  });

  it('a permission that does not exist, and one for nobody or on nothing', async () => {
    const give = (id: string, name: string, workspace = 'w1') =>
      probe(emulator, 'POST', `/api/v1/actions/workspaces/${workspace}/managePermissions`, {
        body: [{ assigneeIdentifier: { id, type: 'userGroup' }, permissions: [name] }],
      });
    expect((await give('sales', 'READ')).status).toBe(400);
    expect((await give('ghosts', 'VIEW')).status).toBe(400);
    expect((await give('sales', 'VIEW', 'w9')).status).toBe(404);
    expect((await give('sales', 'VIEW')).status).toBe(204);
  });

  it('a layout with the same id twice or with a group it does not list', async () => {
    const users = (list: unknown[]) => probe(emulator, 'PUT', '/api/v1/layout/users', { body: { users: list } });
    expect((await users([{ id: 'admin' }, { id: 'admin' }])).status).toBe(400);
    expect((await users([{ id: 'admin', userGroups: [{ id: 'ghosts', type: 'userGroup' }] }])).status).toBe(400);
    expect((await users([{ id: 'admin', authenticationId: 'x' }])).status).toBe(400);
    expect([...emulator.state.users.keys()]).toEqual(['admin', 'alice']);
  });

  it('a key that is not an RSA signing key', async () => {
    const good = { alg: 'RS256', kty: 'RSA', use: 'sig', kid: 'k1', n: 'AQAB', e: 'AQAB' };
    const post = (content: unknown) =>
      probe(emulator, 'POST', '/api/v1/entities/jwks', {
        body: { data: { id: 'k1', type: 'jwk', attributes: { content } } },
      });
    for (const wrong of [{ alg: 'ES256' }, { kty: 'EC' }, { use: 'enc' }, { kid: '.k' }, { d: 'secret' }]) {
      expect((await post({ ...good, ...wrong })).status).toBe(400);
    }
    expect((await post(good)).status).toBe(201);
  });
});

describe('what a read is refused for', () => {
  it('an unknown path, an unknown id: 404, and the body does not say which', async () => {
    for (const path of ['/api/entities/users', '/api/v1/entities/people', `${USERS}/nobody`, '/elsewhere']) {
      const { status, headers, body } = await probe(emulator, 'GET', path);
      expect(status).toBe(404);
      expect(headers.get('content-type')).toBe('application/problem+json');
      expect(body).toEqual({
        detail: 'The requested endpoint does not exist or you do not have permission to access it.',
        status: 404,
        title: 'Not Found',
        traceId: headers.get('x-gdc-trace-id'),
      });
    }
  });

  it.each([
    [`${USERS}/auth0%7Calice`, 400],
    [`${USERS}/%E0%A4%A`, 400],
    [`${USERS}?filters=id==alice`, 400],
    [`${USERS}?include=userGroups&include=ALL`, 400],
    [`${USERS}?include=groups`, 400],
    [`${USERS}?metaInclude=pages`, 400],
    [`${USERS}?size=ten`, 400],
    [`${USERS}?size=-1`, 400],
    [`${USERS}?sort=shoeSize`, 400],
    [`${USERS}?sort=id,up`, 400],
  ])('%s: %i', async (path, expected) => {
    expect((await probe(emulator, 'GET', path)).status).toBe(expected);
  });

  it('a method the path does not have', async () => {
    expect((await probe(emulator, 'PATCH', USERS, { body: {} })).status).toBe(405);
    expect((await probe(emulator, 'POST', '/anything', { body: {} })).status).toBe(405);
  });

  it.each([
    ['text/html', 406],
    ['application/xml, text/plain;q=0.5', 406],
    ['application/vnd.gooddata.api+json;q=0', 406],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 200],
  ])('Accept: %s: %i', async (accept, expected) => {
    expect((await probe(emulator, 'GET', USERS, { headers: { Accept: accept } })).status).toBe(expected);
  });

  it('JSON:API asked of a layout', async () => {
    const headers = { Accept: 'application/vnd.gooddata.api+json' };
    expect((await probe(emulator, 'GET', '/api/v1/layout/users', { headers })).status).toBe(406);
    expect((await probe(emulator, 'GET', USERS, { headers })).headers.get('content-type')).toBe(headers.Accept);
  });
});

describe('who is not let in', () => {
  it('without a bearer: 401 and /appLogin for a script, a redirect to the login for anybody else', async () => {
    const script = await probe(emulator, 'GET', USERS, {
      bearer: null,
      headers: { 'X-Requested-With': 'XMLHttpRequest' },
    });
    expect([script.status, script.body]).toEqual([401, '/appLogin']);
    const browser = await probe(emulator, 'GET', USERS, { bearer: null });
    expect([browser.status, browser.headers.get('location')]).toEqual([302, '/oauth2/authorization/127.0.0.1']);
    const basic = await probe(emulator, 'GET', USERS, { bearer: null, headers: { Authorization: 'Basic YTpi' } });
    expect(basic.status).toBe(302);
  });

  it('an unknown API token: 401 without body and content type', async () => {
    const { status, headers, body } = await probe(emulator, 'GET', USERS, { bearer: 'wrong' });
    expect([status, body, headers.get('content-type')]).toEqual([401, undefined, null]);
    expect(headers.get('x-gdc-trace-id')).toMatch(/^[0-9a-f]{16}$/);
  });

  it('the token of an account that was deleted: who wipes the admin locks the house', async () => {
    const wipe = await probe(emulator, 'PUT', '/api/v1/layout/users', { body: { users: [{ id: 'alice' }] } });
    expect(wipe.status).toBe(204);
    expect((await probe(emulator, 'GET', '/api/v1/profile')).status).toBe(401);
  });

  it('an API token can be made, is shown once, works, and is gone when deleted', async () => {
    const tokens = `${USERS}/alice/apiTokens`;
    const made = await probe(emulator, 'POST', tokens, { body: { data: { id: 't1', type: 'apiToken' } } });
    const bearer: string = made.body.data.attributes.bearerToken;
    expect((await probe(emulator, 'GET', `${tokens}/t1`)).body.data.attributes).toEqual({});
    expect((await probe(emulator, 'GET', '/api/v1/profile', { bearer })).body.userId).toBe('alice');
    await probe(emulator, 'DELETE', `${tokens}/t1`);
    expect((await probe(emulator, 'GET', '/api/v1/profile', { bearer })).status).toBe(401);
  });
});
