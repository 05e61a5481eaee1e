import { gunzipSync } from 'node:zlib';
import type { Answer, ProbeOptions } from '../raw-request.ts';
import { probe } from './probe.ts';
import { type Auth0Emulator, type Auth0EmulatorOptions, startAuth0Emulator } from './server.ts';

const DATABASE = { name: 'Username-Password-Authentication', id: 'con_0123456789abcdef' };
const NEW = { connection: DATABASE.name, email: 'New@Example.com', password: 'Correct-horse-9' };

describe('the Auth0 emulator has the traps of the service:', () => {
  let emulator: Auth0Emulator;
  let now = Date.parse('2026-01-01T00:00:00.000Z');
  const ask = (method: string, path: string, options?: ProbeOptions): Promise<Answer> =>
    probe(emulator, method, path, options);
  const start = async (options: Auth0EmulatorOptions = {}) => {
    emulator = await startAuth0Emulator({ clock: () => now, seed: { connections: [DATABASE] }, ...options });
  };
  const people = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      user_id: `auth0|${String(index).padStart(5, '0')}`,
      email: `p${index}@example.com`,
      created_at: new Date(Date.parse('2025-01-01T00:00:00.000Z') + index).toISOString(),
    }));

  afterEach(() => emulator.close());

  it('the list of users shows a write only after its lag, a single user at once', async () => {
    await start({ lagMs: 2_000 });
    const { body } = await ask('POST', '/users', { body: NEW });
    const list = async () => (await ask('GET', '/users?include_totals=true')).body.total;
    expect([await list(), (await ask('GET', `/users/${encodeURIComponent(body.user_id)}`)).status]).toEqual([0, 200]);
    expect((await ask('GET', '/users-by-email?email=new@example.com')).body).toHaveLength(1);
    now += 2_000;
    expect(await list()).toBe(1);
    await ask('DELETE', `/users/${encodeURIComponent(body.user_id)}`);
    expect(await list()).toBe(1);
    emulator.settle();
    expect(await list()).toBe(0);
  });

  it('a list may count users whom it does not show', async () => {
    await start({ seed: { connections: [DATABASE], users: people(3) } });
    emulator.state.search.lost.add('auth0|00001');
    const { users, total, length } = (await ask('GET', '/users?include_totals=true')).body;
    expect([users.length, total, length]).toEqual([2, 3, 2]);
  });

  it('ranges of created_at cut a list, with either bracket, and a connection is quoted', async () => {
    const connections = [DATABASE, { name: 'other "db"' }];
    await start({ seed: { connections, users: [...people(5), { email: 'x@example.com', connection: 'other "db"' }] } });
    const count = async (q: string) =>
      (await ask('GET', `/users?include_totals=true&q=${encodeURIComponent(q)}`)).body.total;
    const [a, b] = ['2025-01-01T00:00:00.001Z', '2025-01-01T00:00:00.003Z'];
    expect(await count(`created_at:[${a} TO ${b}]`)).toBe(3);
    expect(await count(`created_at:[${a} TO ${b}}`)).toBe(2);
    expect(await count(`created_at:{${a} TO ${b}}`)).toBe(1);
    expect(await count(`created_at:[${b} TO *]`)).toBe(3);
    expect(await count('identities.connection:"other \\"db\\""')).toBe(1);
    expect(await count(`identities.connection:"${DATABASE.name}" AND created_at:[* TO ${a}]`)).toBe(2);
    expect(await count('NOT email:p1@example.com AND (email:p* OR email:"X@example.com")')).toBe(5);
    expect(await count('_exists_:blocked')).toBe(0);
    expect(await count('email.domain:"example.com"')).toBe(6);
  });

  it('lists come sorted both ways, with or without members, and 50 at a time unless told', async () => {
    await start({ seed: { connections: [DATABASE], users: people(60) } });
    expect((await ask('GET', '/users')).body).toHaveLength(50);
    const last = await ask('GET', '/users?sort=created_at:-1&per_page=1&fields=email');
    expect(last.body).toEqual([{ email: 'p59@example.com' }]);
    const without = await ask('GET', '/users?per_page=1&fields=email,identities&include_fields=false');
    expect(Object.keys(without.body[0])).not.toContain('email');
    expect(Object.keys(without.body[0])).toContain('user_id');
  });

  it('members of a role come by checkpoint beyond 1,000, the last page without next', async () => {
    const users = people(1_050).map((user) => ({ ...user, roles: ['Admin'] }));
    await start({ seed: { connections: [DATABASE], roles: [{ id: 'rol_a', name: 'Admin' }], users } });
    const seen: string[] = [];
    const sizes: number[] = [];
    let from = '';
    for (;;) {
      const { body } = await ask('GET', `/roles/rol_a/users?take=100${from}`);
      seen.push(...body.users.map((user: { user_id: string }) => user.user_id));
      sizes.push(body.users.length);
      if (!('next' in body)) break;
      from = `&from=${encodeURIComponent(body.next)}`;
    }
    expect([new Set(seen).size, sizes.length, sizes.at(-1)]).toEqual([1_050, 11, 50]);
  });

  it('name_filter is a part of the name', async () => {
    await start({
      seed: { connections: [DATABASE], roles: [{ name: 'Admin' }, { name: 'Super admin' }, { name: 'User' }] },
    });
    expect((await ask('GET', '/roles?name_filter=Admin')).body).toHaveLength(2);
  });

  it('addresses are kept in lower case and looked up exactly', async () => {
    await start();
    expect((await ask('POST', '/users', { body: NEW })).body.email).toBe('new@example.com');
    expect((await ask('GET', '/users-by-email?email=New@Example.com')).body).toEqual([]);
  });

  it('metadata are merged, null takes away, another address is not verified, a deletion is never missed', async () => {
    await start();
    const body = { ...NEW, email_verified: true, given_name: 'A', app_metadata: { a: 1, b: { c: 1 } } };
    const id = encodeURIComponent((await ask('POST', '/users', { body })).body.user_id);
    const changes = { app_metadata: { a: null, b: { d: 1 } }, given_name: null, email: 'other@example.com' };
    const changed = (await ask('PATCH', `/users/${id}`, { body: changes })).body;
    expect(changed).toMatchObject({ app_metadata: { b: { d: 1 } }, email: 'other@example.com', email_verified: false });
    expect(changed).not.toHaveProperty('given_name');
    expect((await ask('DELETE', `/users/${id}`)).status).toBe(204);
    expect((await ask('DELETE', `/users/${id}`)).status).toBe(204);
  });

  it('a new user is sent a mail unless that is refused, and is the owner of a ticket', async () => {
    await start();
    await ask('POST', '/users', { body: NEW });
    await ask('POST', '/users', { body: { ...NEW, email: 'quiet@example.com', verify_email: false } });
    expect(emulator.state.mails).toHaveLength(1);
    const ticket = { email: 'quiet@example.com', connection_id: DATABASE.id };
    expect((await ask('POST', '/tickets/password-change', { body: ticket })).status).toBe(201);
    expect(emulator.state.tickets[0]?.userId).toBe(emulator.state.addresses.get(`${DATABASE.name}\nquiet@example.com`));
  });

  it('a token lives as long as it says', async () => {
    await start({ tokenSeconds: 60 });
    const form = { grant_type: 'client_credentials', client_id: 'emulator-client', client_secret: 'emulator-secret' };
    const body = new URLSearchParams({ ...form, audience: `${emulator.url}/api/v2/` });
    const answer = await fetch(`${emulator.url}/oauth/token`, { method: 'POST', body });
    const token = (await answer.json()) as { access_token: string; expires_in: number; scope: string };
    expect([token.expires_in, token.scope.split(' ').includes('read:users')]).toEqual([60, true]);
    expect((await ask('GET', '/users', { bearer: token.access_token })).status).toBe(200);
    now += 60_000;
    expect((await ask('GET', '/users', { bearer: token.access_token })).body.message).toMatch(/^Expired/);
  });

  it('a bucket gives what it holds, then drop by drop, and says when', async () => {
    await start({ rateLimit: { perSecond: 2, burst: 3 } });
    const take = async () => {
      const { status, headers } = await ask('GET', '/roles');
      return [status, headers.get('x-ratelimit-remaining')];
    };
    expect([await take(), await take(), await take(), await take()]).toEqual([
      [200, '2'],
      [200, '1'],
      [200, '0'],
      [429, '0'],
    ]);
    const { body, headers } = await ask('GET', '/roles');
    expect([body.errorCode, headers.get('x-ratelimit-limit')]).toEqual(['too_many_requests', '3']);
    expect(Number(headers.get('x-ratelimit-reset'))).toBe(Math.floor(now / 1_000) + 1);
    now += 500;
    expect([await take(), await take()]).toEqual([
      [200, '0'],
      [429, '0'],
    ]);
    now += 60_000;
    expect(await take()).toEqual([200, '2']);
  });

  it('an export is behind a link that lives for a minute; a new one is given when asked again', async () => {
    await start({
      jobMs: 5_000,
      seed: {
        connections: [DATABASE, { name: 'b' }],
        users: [...people(3), { email: 'b@example.com', connection: 'b' }],
      },
    });
    const fields = [{ name: 'user_id' }, { name: 'identities[0].connection', export_as: 'connection' }];
    const { id, status } = (await ask('POST', '/jobs/users-exports', { body: { connection_id: DATABASE.id, fields } }))
      .body;
    expect([status, (await ask('GET', `/jobs/${id}`)).body.status]).toEqual(['pending', 'pending']);
    now += 5_000;
    const { location } = (await ask('GET', `/jobs/${id}`)).body;
    const file = Buffer.from(await (await fetch(location)).arrayBuffer());
    const rows = gunzipSync(file)
      .toString()
      .trim()
      .split('\n')
      .map((row) => JSON.parse(row));
    expect(rows).toHaveLength(3);
    expect(rows[0]).toEqual({ user_id: 'auth0|00000', connection: DATABASE.name });
    now += 60_000;
    expect((await fetch(location)).status).toBe(403);
    expect((await fetch((await ask('GET', `/jobs/${id}`)).body.location)).status).toBe(200);
  });

  it('an import that overwrites loses metadata, and completes though rows failed', async () => {
    await start({
      seed: { connections: [DATABASE], users: [{ email: 'a@example.com', app_metadata: { kept: true } }] },
    });
    const form = new FormData();
    form.set('connection_id', DATABASE.id);
    form.set('upsert', 'true');
    const users = [
      { email: 'A@example.com', name: 'A' },
      { email: 'b@example.com', user_id: 'b' },
      { name: 'no address' },
    ];
    form.set('users', new Blob([JSON.stringify(users)], { type: 'application/json' }), 'users.json');
    const { id } = (await ask('POST', '/jobs/users-imports', { body: form })).body;
    const job = (await ask('GET', `/jobs/${id}`)).body;
    expect([job.status, job.summary]).toEqual(['completed', { failed: 1, updated: 1, inserted: 1, total: 3 }]);
    expect((await ask('GET', `/jobs/${id}/errors`)).body).toHaveLength(1);
    const [a] = (await ask('GET', '/users-by-email?email=a@example.com')).body;
    expect(a).not.toHaveProperty('app_metadata');
    expect((await ask('GET', '/users/auth0%7Cb')).status).toBe(200);
  });

  it('misbehaves as it is told to', async () => {
    await start({ seed: { connections: [DATABASE], users: people(2) } });
    emulator.faults.set({ times: 1, status: 503 }, { times: 1, status: 429 }, { times: 1, html: true });
    const statuses = [];
    for (let i = 0; i < 4; i += 1) statuses.push((await ask('GET', '/roles')).status);
    expect(statuses).toEqual([503, 429, 200, 200]);
    emulator.faults.set({ stale: true });
    await ask('DELETE', '/users/auth0%7C00000');
    expect((await ask('GET', '/users')).body).toHaveLength(2);
    emulator.faults.set({ times: 1, dropAfterApply: 'cut' });
    await expect(ask('DELETE', '/users/auth0%7C00001')).rejects.toThrow();
    expect((await ask('GET', '/users')).body).toHaveLength(0);
    emulator.faults.set({ times: 1, reset: true });
    await expect(ask('GET', '/users')).rejects.toThrow();
  });

  it('the tenant log can be read on from any entry', async () => {
    await start();
    for (const email of ['a@example.com', 'b@example.com', 'c@example.com'])
      await ask('POST', '/users', { body: { ...NEW, email } });
    const [newest] = (await ask('GET', '/logs?per_page=1')).body;
    const oldest = emulator.state.logs[0];
    expect((await ask('GET', `/logs?from=${oldest?.log_id}&take=10`)).body).toHaveLength(2);
    expect((await ask('GET', `/logs?from=${newest.log_id}`)).body).toEqual([]);
  });
});
