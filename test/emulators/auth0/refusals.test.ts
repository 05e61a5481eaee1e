import type { Answer, ProbeOptions } from '../raw-request.ts';
import { probe } from './probe.ts';
import { type Auth0Emulator, startAuth0Emulator } from './server.ts';

const DATABASE = 'Username-Password-Authentication';
const ALICE = { user_id: 'auth0|alice', email: 'alice@example.com' };
const NEW = { connection: DATABASE, email: 'new@example.com', password: 'Correct-horse-9' };

describe('the Auth0 emulator refuses what the service refuses:', () => {
  let emulator: Auth0Emulator;
  const ask = (method: string, path: string, options?: ProbeOptions): Promise<Answer> =>
    probe(emulator, method, path, options);

  beforeAll(async () => {
    emulator = await startAuth0Emulator({
      seed: {
        connections: [
          { name: DATABASE, id: 'con_0123456789abcdef' },
          { name: 'google', strategy: 'google-oauth2' },
        ],
        roles: [{ id: 'rol_admin', name: 'Admin' }],
        users: [ALICE, { user_id: 'google-oauth2|1', email: 'Bob@example.com', connection: 'google' }],
      },
    });
  });
  afterAll(() => emulator.close());
  beforeEach(() => emulator.reset());

  it.each([
    ['no token', null, 401, undefined],
    ['a token nobody gave', 'nonsense', 401, 'invalid_token'],
  ])('%s', async (_name, bearer, status, errorCode) => {
    const answer = await ask('GET', '/users', { bearer });
    expect([answer.status, answer.body.statusCode, answer.body.errorCode]).toEqual([status, status, errorCode]);
  });

  it('a token that was ended', async () => {
    const bearer = emulator.token();
    expect((await ask('GET', '/users', { bearer })).status).toBe(200);
    emulator.endTokens();
    expect((await ask('GET', '/users', { bearer })).body.errorCode).toBe('invalid_token');
  });

  it('a call that the scopes of the token do not cover', async () => {
    const bearer = emulator.token(['read:users']);
    expect((await ask('GET', '/users', { bearer })).status).toBe(200);
    expect((await ask('POST', '/users', { bearer, body: NEW })).body).toEqual({
      statusCode: 403,
      error: 'Forbidden',
      message: 'Insufficient scope, expected any of: create:users',
      errorCode: 'insufficient_scope',
    });
  });

  it.each([
    ['more than 100 users a page', '/users?per_page=101', 'invalid_query_string'],
    ['rows beyond the first 1,000', '/users?per_page=100&page=10', 'invalid_paging'],
    ['members beyond the first 1,000 by page', '/roles/rol_admin/users?per_page=100&page=10', 'invalid_paging'],
    ['the connection parameter with search engine v3', '/users?connection=google', 'invalid_query_string'],
    ['an old search engine', '/users?search_engine=v2', 'invalid_query_string'],
    ['a broken query', '/users?q=email:"a', 'invalid_query_string'],
    ['a query with an unquoted special', '/users?q=user_id:a:b', 'invalid_query_string'],
    ['a range without an end', '/users?q=created_at:[2020-01-01 TO', 'invalid_query_string'],
    ['a parameter nobody defined', '/users?perpage=10', 'invalid_query_string'],
    ['a sort of no order', '/users?sort=created_at', 'invalid_query_string'],
    ['users by no e-mail', '/users-by-email', 'invalid_query_string'],
    ['a checkpoint that is none', '/roles/rol_admin/users?take=10&from=x', 'invalid_query_string'],
  ])('%s', async (_name, path, errorCode) => {
    const answer = await ask('GET', path);
    expect([answer.status, answer.body.errorCode]).toEqual([400, errorCode]);
  });

  it.each([
    ['a member nobody defined', { ...NEW, role: 'Admin' }, 400, 'invalid_body'],
    ['no connection', { email: 'new@example.com', password: 'Correct-horse-9' }, 400, 'invalid_body'],
    ['no password', { connection: DATABASE, email: 'new@example.com' }, 400, 'invalid_body'],
    ['no e-mail', { connection: DATABASE, password: 'Correct-horse-9' }, 400, 'invalid_body'],
    ['an e-mail that is none', { ...NEW, email: 'new' }, 400, 'invalid_body'],
    ['a weak password', { ...NEW, password: 'short' }, 400, 'password_strength_error'],
    ['a given name of 151 characters', { ...NEW, given_name: 'x'.repeat(151) }, 400, 'invalid_body'],
    ['an empty family name', { ...NEW, family_name: '' }, 400, 'invalid_body'],
    ['a user name where the connection has none', { ...NEW, username: 'new' }, 400, 'invalid_body'],
    ['an unknown connection', { ...NEW, connection: 'nowhere' }, 400, 'inexistent_connection'],
    ['a social connection', { ...NEW, connection: 'google' }, 400, 'operation_not_supported'],
    ['the e-mail of another, in other case', { ...NEW, email: 'ALICE@example.com' }, 409, 'auth0_idp_error'],
    ['the id of another', { ...NEW, user_id: 'alice' }, 409, 'auth0_idp_error'],
  ])('to create a user with %s', async (_name, body, status, errorCode) => {
    const answer = await ask('POST', '/users', { body });
    expect([answer.status, answer.body.errorCode]).toEqual([status, errorCode]);
    expect(emulator.state.users.size).toBe(2);
  });

  it.each([
    ['nothing', 'auth0%7Calice', {}, 'invalid_body'],
    [
      'e-mail and password at once',
      'auth0%7Calice',
      { email: 'a@example.com', password: 'Correct-9-horse' },
      'invalid_body',
    ],
    ['a connection of somebody else', 'auth0%7Calice', { connection: 'google', name: 'A' }, 'invalid_body'],
    ['the e-mail of nobody’s database', 'google-oauth2%7C1', { email: 'b@example.com' }, 'operation_not_supported'],
    ['a name that comes from a provider', 'google-oauth2%7C1', { given_name: 'Bob' }, 'operation_not_supported'],
  ])('to change %s', async (_name, id, body, errorCode) => {
    const answer = await ask('PATCH', `/users/${id}`, { body });
    expect([answer.status, answer.body.errorCode]).toEqual([400, errorCode]);
  });

  it('the e-mail of another user of the connection', async () => {
    await ask('POST', '/users', { body: NEW });
    const answer = await ask('PATCH', '/users/auth0%7Calice', { body: { email: 'New@example.com' } });
    expect([answer.status, answer.body.errorCode]).toEqual([400, 'auth0_idp_error']);
  });

  it.each([
    ['POST', '/users/auth0%7Calice/roles', { roles: [] }, 400],
    ['DELETE', '/users/auth0%7Calice/roles', { roles: [] }, 400],
    ['POST', '/users/auth0%7Calice/roles', { roles: ['rol_none'] }, 404],
    ['POST', '/users/auth0%7Cnobody/roles', { roles: ['rol_admin'] }, 404],
    ['POST', '/roles/rol_admin/users', { users: [] }, 400],
    ['POST', '/roles/rol_admin/users', { users: ['auth0|nobody'] }, 404],
    ['POST', '/roles/rol_none/users', { users: ['auth0|alice'] }, 404],
    ['POST', '/roles', { name: 'Admin' }, 409],
    ['POST', '/roles', { description: 'without a name' }, 400],
    ['POST', '/tickets/password-change', {}, 400],
    ['POST', '/tickets/password-change', { user_id: 'auth0|nobody' }, 404],
    ['POST', '/tickets/password-change', { user_id: 'google-oauth2|1' }, 400],
    ['POST', '/jobs/users-exports', { connection_id: 'con_none' }, 400],
    ['POST', '/users', 'no JSON', 400],
  ])('%s %s %j', async (method, path, body, status) => {
    const answer = await ask(method, path, { body });
    expect([answer.status, answer.body.statusCode]).toEqual([status, status]);
  });

  it('roles to delete without a body, and a body of another type', async () => {
    expect((await ask('DELETE', '/users/auth0%7Calice/roles')).status).toBe(415);
    expect((await ask('POST', '/users', { body: 'a=b', headers: { 'content-type': 'text/plain' } })).status).toBe(415);
  });

  it('paths that nobody serves, and methods', async () => {
    expect((await ask('GET', '/nothing')).status).toBe(404);
    expect((await ask('PUT', '/users')).status).toBe(405);
    expect((await ask('GET', '/users/auth0|alice')).status).toBe(400);
  });

  it('files of users that are too long, and a third job at once', async () => {
    const send = (users: string) => {
      const form = new FormData();
      form.set('connection_id', 'con_0123456789abcdef');
      form.set('users', new Blob([users], { type: 'application/json' }), 'users.json');
      return ask('POST', '/jobs/users-imports', { body: form });
    };
    expect((await send(`["${'x'.repeat(500_000)}"]`)).status).toBe(413);
    expect((await send('{}')).status).toBe(400);
    const slow = await startAuth0Emulator({
      jobMs: 60_000,
      seed: { connections: [{ name: DATABASE, id: 'con_0123456789abcdef' }] },
    });
    try {
      const form = new FormData();
      form.set('connection_id', 'con_0123456789abcdef');
      form.set('users', new Blob(['[]'], { type: 'application/json' }), 'users.json');
      const statuses = [];
      for (let i = 0; i < 3; i += 1)
        statuses.push((await probe(slow, 'POST', '/jobs/users-imports', { body: form })).status);
      expect(statuses).toEqual([202, 202, 429]);
    } finally {
      await slow.close();
    }
  });

  it.each([
    ['no grant type', {}, 400, 'invalid_request'],
    ['another grant', { grant_type: 'password' }, 403, 'unauthorized_client'],
    ['a wrong secret', { grant_type: 'client_credentials', client_secret: 'x' }, 401, 'access_denied'],
    ['no audience', { grant_type: 'client_credentials', audience: undefined }, 403, 'access_denied'],
    ['an audience without its slash', { grant_type: 'client_credentials', slash: '' }, 403, 'access_denied'],
  ])('a token for %s', async (_name, sent, status, error) => {
    const { slash = '/', ...rest } = sent as Record<string, string>;
    const known = {
      client_id: 'emulator-client',
      client_secret: 'emulator-secret',
      audience: `${emulator.url}/api/v2${slash}`,
    };
    const answer = await fetch(`${emulator.url}/oauth/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...known, ...rest, ...('audience' in sent ? { audience: undefined } : {}) }),
    });
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([status, error]);
  });
});
