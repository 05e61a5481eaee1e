import { contractFolder, type RecordedExchange, recordedExchanges, Spec } from '../gooddata/spec.ts';
import { type Auth0Emulator, startAuth0Emulator } from './server.ts';
import { type IdKind, type Role, storeUser, type User } from './state.ts';

const folder = contractFolder('auth0');
const CONNECTION = { id: 'con_ftSSLHb0O7rcUGmF', name: 'Username-Password-Authentication', requiresUsername: true };
const DECOY = {
  user_id: 'auth0|decoy',
  email: 'decoy@example.com',
  username: 'decoy',
  created_at: '2020-01-01T00:00:00.000Z',
};
const ASSIGNED_AT = Date.parse('2023-03-14T13:41:28.961Z');
const LONG_AGO = '2023-01-01T00:00:00.000Z';

/** What the recorded tenant made up by itself: the ids it gave and the time it was. */
interface Planned {
  readonly ids: Partial<Record<IdKind, string>>;
  readonly now: number;
}

// biome-ignore lint/suspicious/noExplicitAny: recorded documents of every shape
type Body = any;

function plannedFor({ request, response }: RecordedExchange): Planned {
  const body = (response.body ?? {}) as Body;
  const time = request.method === 'PATCH' ? body.updated_at : body.created_at;
  const job = String(body.id ?? '').startsWith('job_') ? { job: body.id } : {};
  const role = String(body.id ?? '').startsWith('rol_') ? { role: body.id } : {};
  const ids = { ...job, ...role, user: body.identities?.[0]?.user_id ?? 'aaaaaaaaaaaaaaaaaaaaaaaa' };
  return { ids, now: Date.parse(time ?? LONG_AGO) };
}

// Not the console: jest keeps to itself what a wholly skipped file says there.
if (!folder) process.stderr.write('Auth0 contract: skipped, no folder with recordings (set LATCHGATE_SHARED)\n');
const exchanges = folder ? recordedExchanges(folder) : [];
const describeContract = folder ? describe : describe.skip;
const numbered = exchanges.map((exchange, index) => ({
  name: `${exchange.request.method} ${exchange.request.url}`,
  index,
  exchange,
}));

describeContract(`Auth0 emulator against recordings${folder ? '' : ' (skipped: recordings not found)'}`, () => {
  let emulator: Auth0Emulator;
  let spec: Spec;
  let planned: Planned = { ids: {}, now: Date.parse(LONG_AGO) };
  let counter = 0;

  beforeAll(async () => {
    emulator = await startAuth0Emulator({
      clock: () => planned.now,
      newId: (kind) => planned.ids[kind] ?? `${kind}_${String(counter++).padStart(8, '0')}`,
      seed: { connections: [CONNECTION], users: [DECOY], roles: [{ id: 'rol_decoy', name: 'Decoy' }] },
    });
    spec = new Spec(folder ?? '');
  });
  afterAll(() => emulator.close());
  beforeEach(() => {
    planned = { ids: {}, now: Date.parse(LONG_AGO) };
    emulator.reset();
  });

  async function send({ method, url, headers, body }: RecordedExchange['request']) {
    const bytes = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await fetch(`${emulator.url}/api/v2${url}`, {
      method,
      headers: { Authorization: `Bearer ${emulator.token()}`, ...headers },
      ...(body === undefined ? {} : { body: bytes }),
    });
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, body: text === '' ? undefined : JSON.parse(text) };
  }

  function plantUser(user: Partial<User>): void {
    const world = { now: planned.now, newId: () => 'evt' };
    const identity = { connection: CONNECTION.name, user_id: '', provider: 'auth0', isSocial: false };
    const bare = { created_at: LONG_AGO, updated_at: LONG_AGO, identities: [identity], user_id: '' };
    storeUser(emulator.state, { ...bare, ...user }, world, 'created');
  }

  function plantRole(role: Partial<Role>, members: readonly string[] = []): void {
    const bare = { id: '', name: role.id ?? '', members: new Map(members.map((id) => [id, ASSIGNED_AT])) };
    emulator.state.roles.set(role.id ?? '', { ...bare, ...role });
  }

  function plantOrganization(id: string, members: Readonly<Record<string, string[]>>, more: Body = {}): void {
    const { id: _, name = id, ...rest } = more;
    emulator.state.organizations.set(id, { id, name, more: rest, members: new Map(Object.entries(members)) });
  }

  /** Members of a role as all recorded pages together show them. */
  function recordedMembers(roleId: string): Body[] {
    const pages = exchanges.filter(({ request }) => request.url.startsWith(`/roles/${roleId}/users?`));
    return pages.flatMap(({ response }) => (response.body as Body).users);
  }

  /** Makes the tenant what it was when the exchange took place. */
  async function setTheScene(exchange: RecordedExchange): Promise<void> {
    const { request, response } = exchange;
    const [path = ''] = request.url.split('?');
    const [, collection, rawId = '', below] = path.split('/');
    const id = decodeURIComponent(rawId);
    if (response.status === 404) return;
    if (collection === 'users') sceneOfUser(exchange, id, below);
    else if (collection === 'users-by-email') for (const user of response.body as Body) plantUser(user);
    else if (collection === 'roles') sceneOfRole(exchange, id, below);
    else if (collection === 'organizations') sceneOfOrganization(exchange, id, path);
    else await sceneOfJob(exchange, path);
  }

  function sceneOfUser({ request, response }: RecordedExchange, id: string, below: string | undefined): void {
    const body = response.body as Body;
    if (id === '') for (const user of body.users ?? []) plantUser(user);
    else if (request.method === 'PATCH') {
      const { last_password_reset: _, app_metadata, ...before } = body;
      plantUser({ ...before, updated_at: before.created_at, app_metadata: { ...app_metadata, foo: 'before' } });
    } else plantUser(below === undefined && body ? body : { user_id: id });
    for (const organization of body?.organizations ?? [])
      plantOrganization(organization.id, { [id]: [] }, organization);
    for (const role of body?.roles ?? []) plantRole(role, [id]);
    for (const role of (request.body as Body)?.roles ?? [])
      plantRole({ id: role }, request.method === 'POST' ? [] : [id]);
  }

  function sceneOfRole({ request, response }: RecordedExchange, id: string, below: string | undefined): void {
    if (id === '') for (const role of (response.body as Body).roles ?? []) plantRole(role);
    else if (below === undefined) {
      const body = response.body as Body;
      plantRole({ ...body, id, ...(request.method === 'PATCH' ? { description: 'before' } : {}) });
    } else {
      const members = request.method === 'GET' ? recordedMembers(id) : [];
      for (const user of members) plantUser(user);
      for (const user of (request.body as Body)?.users ?? []) plantUser({ user_id: user });
      plantRole(
        { id },
        members.map(({ user_id }) => user_id),
      );
    }
  }

  function sceneOfOrganization({ request, response }: RecordedExchange, id: string, path: string): void {
    const [body, sent] = [response.body as Body, request.body as Body];
    const about = decodeURIComponent(path.split('/')[4] ?? '');
    const members: Record<string, string[]> = about === '' ? {} : { [about]: [] };
    for (const member of body?.members ?? []) {
      plantUser({ user_id: member.user_id });
      members[member.user_id] = member.roles.map((role: Role) => role.id);
      for (const role of member.roles) plantRole(role);
    }
    for (const user of sent?.members ?? []) plantUser({ user_id: user });
    for (const role of sent?.roles ?? []) plantRole({ id: role });
    for (const role of body?.roles ?? []) plantRole(role);
    if (body?.roles) members[about] = body.roles.map((role: Role) => role.id);
    plantOrganization(id, members);
  }

  async function sceneOfJob({ response }: RecordedExchange, path: string): Promise<void> {
    const id = /\/jobs\/(job_\w+)/.exec(path)?.[1];
    const isDuplicate = (users: Body) => Array.isArray(users) && users[0]?.errors[0].code === 'DUPLICATED_USER';
    if (isDuplicate(response.body)) plantUser({ user_id: 'auth0|there', email: 'chuck630@example.com' });
    if (id === undefined) return;
    const began = exchanges.find((one) => (one.response.body as Body)?.id === id && one.response.status === 202);
    planned = plannedFor(began as RecordedExchange);
    await send((began as RecordedExchange).request);
  }

  /** The service looks at its clock several times in one call, some milliseconds apart. */
  function comparable(body: Body): unknown {
    if (!body?.created_at) return body;
    const toTheSecond = Object.entries(body).map(([name, value]) => {
      const isTime = name === 'updated_at' || name === 'last_password_reset';
      return [name, isTime ? String(value).slice(0, 19) : value] as const;
    });
    return Object.fromEntries(toTheSecond);
  }

  /** The fields of a form with the types they stand for. */
  async function describedBody({ headers, body }: RecordedExchange['request']): Promise<unknown> {
    if (typeof body !== 'string') return body;
    const form = await new Response(body, { headers }).formData();
    const fields = await Promise.all([...form].map(async ([name, value]) => [name, await asText(value)] as const));
    return Object.fromEntries(
      fields.map(([name, text]) => [name, /^(true|false)$/.test(text) ? text === 'true' : text]),
    );
  }

  async function asText(value: string | Blob): Promise<string> {
    return typeof value === 'string' ? value : value.text();
  }

  it('has all 93 exchanges', () => {
    expect(exchanges).toHaveLength(93);
  });

  it.each(numbered)('answers $index $name as the real service did', async ({ exchange }) => {
    const { request, response } = exchange;
    const [path = ''] = request.url.split('?');
    await setTheScene(exchange);
    if (response.status !== 200 || !path.startsWith('/jobs/job_')) planned = plannedFor(exchange);

    const answer = await send(request);

    expect(answer.status).toBe(response.status);
    expect(answer.headers.get('content-type')).toBe(response.headers['content-type'] ?? null);
    expect(comparable(answer.body)).toEqual(comparable(response.body));
    const sent = await describedBody(request);
    expect(spec.requestErrors(request.method, path, request.headers['content-type'], sent)).toEqual([]);
    const type = answer.headers.get('content-type') ?? undefined;
    // The service says `{}` where its description has no body.
    const said = JSON.stringify(answer.body) === '{}' ? undefined : answer.body;
    expect(spec.responseErrors(request.method, path, answer.status, type, said)).toEqual([]);
  });

  it('has every operation of the description, and reads fit their schemas', async () => {
    plantUser({ user_id: 'auth0|x', email: 'x@example.com' });
    plantRole({ id: 'rol_x' }, ['auth0|x']);
    plantOrganization('org_x', { 'auth0|x': ['rol_x'] });
    const ids: Record<string, string> = {
      users: 'auth0%7Cx',
      roles: 'rol_x',
      organizations: 'org_x',
      members: 'auth0%7Cx',
    };
    planned = { ids: { job: 'job_0123456789abcdef' }, now: planned.now };
    await send({
      method: 'POST',
      url: '/jobs/users-exports',
      headers: { 'content-type': 'application/json' },
      body: {},
    });
    const failures: string[] = [];
    expect(spec.operations()).toHaveLength(32);
    for (const { method, template } of spec.operations()) {
      const path = template.replace(/(\w+)\/\{\w+\}/g, (_all, collection: string) => {
        return `${collection}/${ids[collection] ?? 'job_0123456789abcdef'}`;
      });
      if (method === 'GET' && path !== '/events') {
        const query = path === '/users-by-email' ? '?email=x@example.com' : '';
        const answer = await send({ method, url: `${path}${query}`, headers: {} });
        const type = answer.headers.get('content-type') ?? undefined;
        const errors = spec.responseErrors(method, path, answer.status, type, answer.body);
        if (answer.status >= 400 || errors.length > 0) failures.push(`${method} ${path}: ${answer.status} ${errors}`);
      } else if (method !== 'DELETE' && path !== '/events') {
        // A body no operation takes: whoever knows the operation says 400, whoever does not 404 or 405.
        const headers = { 'content-type': 'application/json' };
        const { status } = await send({ method, url: path, headers, body: { no: 'such member' } });
        if (status !== 400) failures.push(`${method} ${path}: ${status}`);
      }
    }
    expect(failures).toEqual([]);
  });

  it('would notice a wrong request and a wrong answer', () => {
    expect(spec.requestErrors('POST', '/users', 'application/json', { email: 'a@example.com' })).not.toEqual([]);
    expect(spec.requestErrors('POST', '/users/x/roles', 'application/json', { roles: [] })).not.toEqual([]);
    expect(spec.responseErrors('GET', '/roles/x', 200, 'application/json', { id: 'x', members: [] })).not.toEqual([]);
    expect(spec.responseErrors('GET', '/users', 200, undefined, undefined)).toEqual(['a body is missing']);
    expect(spec.responseErrors('DELETE', '/users/x', 404, 'application/json', {})).toEqual([
      'status 404 is not described',
    ]);
  });
});
