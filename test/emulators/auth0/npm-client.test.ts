import { ManagementClient } from 'auth0';
import { type Auth0Emulator, startAuth0Emulator } from './server.ts';

const DATABASE = 'Username-Password-Authentication';

/** Auth0's own client, which knows its service by `https://DOMAIN` alone, sent to the emulator. */
function clientOf(emulator: Auth0Emulator): ManagementClient {
  return new ManagementClient({
    domain: 'tenant.test',
    clientId: 'emulator-client',
    clientSecret: 'emulator-secret',
    maxRetries: 0,
    fetch: (input, init) => fetch(String(input).replace('https://tenant.test', emulator.url), init as RequestInit),
  });
}

describe("Auth0's own npm client", () => {
  let emulator: Auth0Emulator;
  let client: ManagementClient;

  beforeAll(async () => {
    emulator = await startAuth0Emulator({ seed: { connections: [{ name: DATABASE, id: 'con_0123456789abcdef' }] } });
    client = clientOf(emulator);
  });
  afterAll(() => emulator.close());
  beforeEach(() => emulator.reset());
  // Every answer was one that the service gives, too.
  afterEach(() => expect(emulator.requests.filter(({ status }) => status === 0 || status >= 500)).toEqual([]));

  const create = (email: string, more: object = {}) =>
    client.users.create({ connection: DATABASE, email, password: 'Correct-horse-9', ...more });

  it('creates, reads, changes, blocks and deletes users', async () => {
    const made = await create('Alice@example.com', { given_name: 'Alice', app_metadata: { team: 'red' } });
    const id = made.user_id ?? '';
    expect(made).toMatchObject({
      email: 'alice@example.com',
      given_name: 'Alice',
      identities: [{ connection: DATABASE }],
    });
    await client.users.update(id, { blocked: true, app_metadata: { team: 'blue' } });
    expect(await client.users.get(id)).toMatchObject({ blocked: true, app_metadata: { team: 'blue' } });
    expect(await client.users.listUsersByEmail({ email: 'alice@example.com' })).toHaveLength(1);
    await client.users.delete(id);
    await expect(client.users.get(id)).rejects.toMatchObject({
      statusCode: 404,
      body: { errorCode: 'inexistent_user' },
    });
    await expect(create('x')).rejects.toMatchObject({ statusCode: 400 });
    await create('b@example.com');
    await expect(create('B@example.com')).rejects.toMatchObject({ statusCode: 409 });
  });

  it('walks lists to their end', async () => {
    for (let i = 0; i < 7; i += 1) await create(`p${i}@example.com`);
    const found: string[] = [];
    for await (const user of await client.users.list({
      per_page: 3,
      q: 'email:p*',
      search_engine: 'v3',
      sort: 'created_at:1',
    })) {
      found.push(user.email ?? '');
    }
    expect(found).toEqual(['p0', 'p1', 'p2', 'p3', 'p4', 'p5', 'p6'].map((name) => `${name}@example.com`));
    await expect(client.users.list({ per_page: 100, page: 10 })).rejects.toMatchObject({ statusCode: 400 });
  });

  it('makes roles, gives them one by one and in bulk, and takes them by a DELETE with a body', async () => {
    const ids = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => (await create(`${name}@example.com`)).user_id ?? ''),
    );
    const admin = (await client.roles.create({ name: 'Admin', description: 'may do all' })).id ?? '';
    await client.roles.users.assign(admin, { users: ids });
    const members: string[] = [];
    for await (const member of await client.roles.users.list(admin, { take: 2 })) members.push(member.user_id ?? '');
    expect(members.sort()).toEqual([...ids].sort());
    await client.users.roles.delete(ids[0] ?? '', { roles: [admin] });
    expect((await client.users.roles.list(ids[0] ?? '')).data).toEqual([]);
    await client.users.roles.assign(ids[0] ?? '', { roles: [admin] });
    expect((await client.users.roles.list(ids[0] ?? '')).data).toEqual([
      { id: admin, name: 'Admin', description: 'may do all' },
    ]);
    await client.roles.delete(admin);
    await expect(client.roles.get(admin)).rejects.toMatchObject({ statusCode: 404 });
  });

  it('exports, makes tickets and lists connections', async () => {
    const { user_id } = await create('a@example.com');
    const { id } = await client.jobs.usersExports.create({ connection_id: 'con_0123456789abcdef', format: 'json' });
    expect(await client.jobs.get(id)).toMatchObject({
      status: 'completed',
      location: expect.stringContaining('/exports/'),
    });
    const { ticket } = await client.tickets.changePassword({ user_id: user_id ?? '' });
    expect(ticket).toMatch(/\/u\/reset-verify\?ticket=/);
    const page = await client.connections.list({ name: DATABASE });
    expect(page.data).toMatchObject([{ id: 'con_0123456789abcdef', strategy: 'auth0' }]);
  });

  it('follows the event stream', async () => {
    const stream = await client.events.subscribe({});
    await create('a@example.com');
    for await (const message of stream) {
      expect(message).toMatchObject({ event: { type: 'user.created', data: { object: { email: 'a@example.com' } } } });
      break;
    }
  });
});
