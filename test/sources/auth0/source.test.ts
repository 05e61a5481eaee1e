import { createLimiters } from '../../../src/ops/limiter.ts';
import { plantUser, removeUser, storeUser, type User } from '../../emulators/auth0/state.ts';
import { DATABASE, listAll, startTenant, type Tenant, users } from './tenant.ts';

const ROLES = [{ name: 'User' }, { name: 'Admin' }];
const OTHER = { name: 'google', strategy: 'google-oauth2' };
const CONNECTIONS = [{ name: DATABASE, id: 'con_0123456789abcdef' }, OTHER];

describe.each(['search', 'export'])('people of Auth0 listed by %s', (list) => {
  let tenant: Tenant;
  const start = async (seedUsers: ReturnType<typeof users>, config = {}, options = {}) => {
    const seed = { connections: CONNECTIONS, roles: ROLES, users: seedUsers };
    tenant = await startTenant({ seed, ...options }, { list, ...config });
    return tenant;
  };
  const subjects = async () => (await listAll(tenant.source)).people.map(({ subject }) => subject).sort();

  afterEach(() => tenant.close());

  it('each come once, with all their roles, their connections and what their profile says', async () => {
    await start([
      {
        user_id: 'auth0|a',
        email: 'a@example.com',
        given_name: 'A',
        roles: ['User', 'Admin'],
        app_metadata: { team: 'x' },
      },
      { user_id: 'auth0|b', email: 'b@example.com', blocked: true },
    ]);
    const { people, end } = await listAll(tenant.source);
    expect(end).toEqual({ complete: true, unreadable: 0, notes: [] });
    expect(people.map(({ subject, active }) => [subject, active])).toEqual([
      ['auth0|a', true],
      ['auth0|b', false],
    ]);
    expect(people[0]?.claims).toMatchObject({
      email: 'a@example.com',
      email_verified: false,
      given_name: 'A',
      roles: ['Admin', 'User'],
      connections: [DATABASE],
      app_metadata: { team: 'x' },
    });
    expect(people[1]?.claims).toMatchObject({ roles: [] });
    expect(people[1]?.claims).not.toHaveProperty('family_name');
  });

  it('go beyond 1,000, through bulks created at one moment', async () => {
    const bulk = (index: number) => (index > 100 && index < 900 ? { created_at: '2025-01-01T00:00:00.101Z' } : {});
    await start(users(2_345, bulk));
    const { people, end } = await listAll(tenant.source);
    expect(new Set(people.map(({ subject }) => subject)).size).toBe(2_345);
    expect([people.length, end.complete]).toEqual([2_345, true]);
  });

  it('are one person for each user id, whatever is linked to it, and two where the ids differ', async () => {
    const linked = [{ connection: 'google', user_id: '9', provider: 'google-oauth2', isSocial: true }];
    await start([
      { user_id: 'auth0|a', email: 'a@example.com', linked },
      { user_id: 'google-oauth2|1', email: 'a@example.com', connection: 'google' },
    ]);
    const { people } = await listAll(tenant.source);
    expect(people.map(({ subject, claims, aliases }) => [subject, claims['connections'], aliases])).toEqual([
      ['auth0|a', [DATABASE, 'google'], ['google-oauth2|9']],
      ['google-oauth2|1', ['google'], undefined],
    ]);
  });

  it('are those of one connection where one is named, linked identities too', async () => {
    const linked = [{ connection: 'google', user_id: '9', provider: 'google-oauth2', isSocial: true }];
    const all = [
      { user_id: 'auth0|a', email: 'a@example.com', roles: ['Admin'] },
      { user_id: 'auth0|b', email: 'b@example.com', linked },
      { user_id: 'google-oauth2|1', email: 'c@example.com', connection: 'google' },
    ];
    await start(all, { connection: 'google' });
    expect(await subjects()).toEqual(['auth0|b', 'google-oauth2|1']);
  });

  it('are not complete where Auth0 counts more than it shows', async () => {
    await start(users(150));
    if (list === 'search') tenant.emulator.state.search.lost.add('auth0|000042');
    else tenant.emulator.state.users.delete('auth0|000042');
    const { people, end } = await listAll(tenant.source);
    expect([people.length, end.complete]).toEqual([149, false]);
    expect(end.why).toMatch(/Auth0 count/);
  });

  it('include who has a role and is not in the lagging list yet', async () => {
    await start(users(3), {}, { lagMs: 3_600_000 });
    tenant.emulator.settle();
    const late = {
      user_id: 'auth0|late',
      email: 'late@example.com',
      identities: [],
      created_at: '2026-01-01T00:00:00.000Z',
    };
    storeUser(
      tenant.emulator.state,
      { ...late, updated_at: late.created_at } as User,
      { now: Date.now(), newId: () => 'x' },
      'created',
    );
    const admin = [...tenant.emulator.state.roles.values()].find(({ name }) => name === 'Admin');
    admin?.members.set('auth0|late', Date.now());
    admin?.members.set('auth0|gone', Date.now());
    const { people, end } = await listAll(tenant.source);
    expect(people.find(({ subject }) => subject === 'auth0|late')?.claims).toMatchObject({ roles: ['Admin'] });
    expect(people).toHaveLength(4);
    expect(end.complete).toBe(true);
    if (list === 'search') expect(end.notes).toHaveLength(1);
  });

  it('are found by their ids when the list lacks them, and only those who are there and of the connection', async () => {
    const all = [
      { user_id: 'auth0|a', email: 'a@example.com', roles: ['User', 'Admin'] },
      { user_id: 'auth0|b', email: 'b@example.com', blocked: true },
      { user_id: 'google-oauth2|1', email: 'c@example.com', connection: 'google' },
    ];
    await start(all, { connection: DATABASE });
    const signal = AbortSignal.timeout(10_000);
    const ids = ['auth0|a', 'auth0|gone', 'google-oauth2|1', 'auth0|b', 'no id'];
    const found = await tenant.source.lookUp?.(ids, signal);
    const listed = (await listAll(tenant.source)).people;
    expect(found?.map(({ subject, active }) => [subject, active])).toEqual([
      ['auth0|a', true],
      ['auth0|b', false],
    ]);
    expect(found?.map(({ claims }) => claims['roles'])).toEqual(listed.map(({ claims }) => claims['roles']));
    if (list === 'search') expect(found).toEqual(listed);
  });

  it.each([
    [{ times: 3, status: 503 }, 'source_unavailable', 'ok'],
    [{ times: 4, status: 503 }, 'source_unavailable', 'fails'],
    [{ times: 1, html: true }, 'source_answer_invalid', 'fails'],
    [{ times: 2, reset: true }, 'source_unavailable', 'ok'],
    [{ times: 1, status: 403 }, 'source_refused', 'fails'],
  ])('meet %j: %s or not: %s', async (fault, code, outcome) => {
    await start(users(5));
    tenant.emulator.faults.set({ ...fault, match: (_method, path) => path === '/api/v2/users' });
    if (outcome === 'ok') expect((await listAll(tenant.source)).people).toHaveLength(5);
    else await expect(listAll(tenant.source)).rejects.toMatchObject({ code });
  });

  it('are given up with the signal', async () => {
    await start(users(500));
    const stop = new AbortController();
    const listing = tenant.source.list(stop.signal);
    await listing.next();
    stop.abort();
    const rest = (async () => {
      while ((await listing.next()).done !== true);
    })();
    await expect(rest).rejects.toMatchObject({ code: 'source_unavailable' });
  });

  it('never need a call that writes, and leave nothing open', async () => {
    await start(users(10, () => ({ roles: ['User'] })));
    await listAll(tenant.source);
    const writes = tenant.calls().filter((call) => !call.startsWith('GET '));
    expect(writes).toEqual(['POST /oauth/token', ...(list === 'export' ? ['POST /api/v2/jobs/users-exports'] : [])]);
  });
});

describe('the token of the source', () => {
  let tenant: Tenant;
  afterEach(() => tenant.close());
  const asked = () => tenant.calls().filter((call) => call === 'POST /oauth/token').length;

  it('is kept from run to run, and made anew once when it is refused', async () => {
    tenant = await startTenant({ seed: { users: users(3) }, tokenSeconds: 3_600 });
    await listAll(tenant.source);
    await listAll(tenant.source);
    expect(asked()).toBe(1);
    tenant.emulator.endTokens();
    expect((await listAll(tenant.source)).people).toHaveLength(3);
    expect(asked()).toBe(2);
    tenant.emulator.faults.set({ status: 401, match: (_method, path) => path.startsWith('/api/v2/') });
    await expect(listAll(tenant.source)).rejects.toMatchObject({ code: 'source_refused' });
    expect(asked()).toBe(3);
  });

  it('lives less than a minute: is made for each call rather than used beyond its end', async () => {
    tenant = await startTenant({ seed: { users: users(3) }, tokenSeconds: 30 });
    await tenant.source.probe(new AbortController().signal);
    expect(asked()).toBeGreaterThan(1);
  });

  it('without its scopes, or for a wrong secret, is refused before anybody is listed', async () => {
    const client = { id: 'emulator-client', secret: 'emulator-secret', scopes: ['read:roles'] };
    tenant = await startTenant({ clients: [client], seed: { users: users(3) } });
    const refusal = { code: 'source_refused', detail: { missing: 'read:users' } };
    await expect(listAll(tenant.source)).rejects.toMatchObject(refusal);
    await expect(tenant.source.probe(new AbortController().signal)).rejects.toMatchObject(refusal);
    await tenant.close();
    tenant = await startTenant({ clients: [{ ...client, secret: 'other' }] });
    await expect(tenant.source.probe(new AbortController().signal)).rejects.toMatchObject({ code: 'source_refused' });
  });
});

describe('a large tenant', () => {
  let tenant: Tenant;
  afterEach(() => tenant.close());

  it('of 10,000 users with roles takes at most (roles x pages + users/100) calls and 5 %', async () => {
    const roles = ['Admin', 'Editor', 'Viewer', 'Guest'].map((name) => ({ name }));
    const roleOf = (index: number) => ({
      roles: [roles[index % 4]?.name ?? '', ...(index % 5 === 0 ? ['Admin'] : [])],
    });
    tenant = await startTenant({ seed: { roles, users: users(10_000, roleOf) } });
    const { people, end } = await listAll(tenant.source);
    expect([people.length, end.complete]).toEqual([10_000, true]);
    const pages = [...tenant.emulator.state.roles.values()].map(({ members }) => Math.ceil(members.size / 100));
    const budget = (pages.reduce((sum, count) => sum + count, 0) + 10_000 / 100) * 1.05;
    expect(tenant.calls().length).toBeLessThanOrEqual(budget);
    expect(people.every(({ claims }) => (claims['roles'] as string[]).length > 0)).toBe(true);
  });

  it('of 10,000 users is exported by a handful of calls', async () => {
    tenant = await startTenant({ seed: { users: users(10_000) } }, { list: 'export' });
    expect((await listAll(tenant.source)).people).toHaveLength(10_000);
    expect(tenant.calls().length).toBeLessThan(12);
  });

  it('is read within the limit that it sets', async () => {
    const seed = { roles: ROLES, users: users(700, () => ({ roles: ['User'] })) };
    tenant = await startTenant({ seed, rateLimit: { perSecond: 40, burst: 3 } }, {}, createLimiters());
    expect((await listAll(tenant.source)).people).toHaveLength(700);
    const refused = tenant.emulator.requests.map(({ status }) => status === 429);
    expect(refused.some((isRefused, index) => isRefused && refused[index + 1])).toBe(false);
  });

  it('that more than 1,000 people joined in one millisecond is not complete, and says so', async () => {
    const created_at = '2025-01-01T00:00:00.000Z';
    tenant = await startTenant({ seed: { users: users(1_101, () => ({ created_at })) } });
    const { people, end } = await listAll(tenant.source);
    expect([people.length, end.complete]).toEqual([1_000, false]);
    expect(end.why).toMatch(/same moment/);
  });

  it('loses nobody when people are deleted and created while it is read', async () => {
    tenant = await startTenant({ seed: { users: users(1_000) } });
    const { state } = tenant.emulator;
    const world = { now: Date.now(), newId: () => 'x' };
    const seen = new Set<string>();
    const listing = tenant.source.list(new AbortController().signal);
    for (let step = 0; ; step += 1) {
      const { value, done } = await listing.next();
      if (done === true) {
        expect(value).toMatchObject({ complete: true });
        break;
      }
      seen.add(value.subject);
      // The row just read goes, and at the far end one comes: pages by number would slip.
      if (step % 100 === 50) removeUser(state, value.subject, world);
      if (step % 200 === 60) plantUser(state, { email: `new${step}@example.com`, user_id: `auth0|new${step}` }, world);
    }
    for (let index = 0; index < 1_000; index += 1)
      expect(seen.has(`auth0|${String(index).padStart(6, '0')}`)).toBe(true);
  });
});
