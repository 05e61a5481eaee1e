/** What the tests need of a Superset: its API by two callers, and its answers as they are. */
export interface SupersetSubject {
  readonly url: string;
  /** Headers by which the administrator is signed in for the API. */
  admin(): Promise<Readonly<Record<string, string>>>;
  cleanup(): Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
type Body = any;

interface Answer {
  readonly status: number;
  readonly body: Body;
}

type Send = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** What the security API of Superset 6.1 does, as far as the gateway leans on it. The real one runs this too. */
export function describeSuperset(name: string, start: () => Promise<SupersetSubject>, timeoutMs = 15_000): void {
  describe(`superset ${name}`, () => {
    let subject: SupersetSubject;
    const send: Send = async (method, path, body) => call(subject.url, await subject.admin(), method, path, body);

    beforeAll(async () => {
      subject = await start();
    }, 300_000);
    afterAll(async () => {
      await subject?.cleanup();
    }, 60_000);

    const prove = (title: string, test: () => Promise<void>) => it(title, test, timeoutMs);
    describeUsers(prove, send);
    describeNames(prove, send);
    describeLists(prove, send);
    describePermissions(prove, send);
    describeCallers(prove, () => subject.url);
  });
}

type Prove = (title: string, test: () => Promise<void>) => void;

let made = 0;
const run = Date.now().toString(36);
const unique = (what: string) => {
  made += 1;
  return `${what}-${run}-${made}`;
};

function newUser(more: Record<string, unknown> = {}): Record<string, unknown> {
  const username = unique('user');
  const names = { username, first_name: 'A', last_name: 'B', email: `${username}@example.com` };
  return { ...names, password: 'x', roles: [4], groups: [], ...more };
}

async function addUser(
  send: Send,
  more: Record<string, unknown> = {},
): Promise<{ id: number; username: string; email: string }> {
  const user = newUser(more);
  const { status, body } = await send('POST', 'users/', user);
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return { id: body.id, username: String(user['username']), email: String(user['email']) };
}

const UNKNOWN = 999_999;

function describeUsers(prove: Prove, send: Send): void {
  prove('gives a user back as it was made', async () => {
    const { body: group } = await send('POST', 'groups/', { name: unique('group'), label: 'L' });
    const { id, username, email } = await addUser(send, { groups: [group.id], active: false });
    const { status, body } = await send('GET', `users/${id}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id,
      result: {
        id,
        username,
        email,
        first_name: 'A',
        last_name: 'B',
        active: false,
        roles: [{ id: 4, name: 'Gamma' }],
      },
    });
    expect(body.result.groups).toEqual([expect.objectContaining({ id: group.id, label: 'L' })]);
    expect(body.result).not.toHaveProperty('password');
  });

  prove('demands every member, and a role or a group', async () => {
    for (const member of ['username', 'first_name', 'last_name', 'email', 'password']) {
      const { status, body } = await send('POST', 'users/', newUser({ [member]: undefined }));
      expect([status, body]).toEqual([400, { message: { [member]: ['Missing data for required field.'] } }]);
    }
    expect(await send('POST', 'users/', newUser({ roles: [] }))).toMatchObject({
      status: 400,
      body: { message: { _schema: [expect.any(String)] } },
    });
    expect((await send('POST', 'users/', newUser({ nickname: 'A' }))).status).toBe(400);
  });

  prove('refuses a user name or an e-mail that is taken, and minds case', async () => {
    const { id, username, email } = await addUser(send);
    expect((await send('POST', 'users/', newUser({ username }))).status).toBe(422);
    expect((await send('POST', 'users/', newUser({ email }))).status).toBe(422);
    const twin = await addUser(send, { username: username.toUpperCase() });
    expect((await send('PUT', `users/${id}`, { email: twin.email })).status).toBe(500);
    expect((await send('PUT', `users/${id}`, { username: twin.username })).status).toBe(500);
  });

  prove('refuses roles and groups that it does not have, each in its own way', async () => {
    const { id } = await addUser(send);
    expect((await send('POST', 'users/', newUser({ roles: [4, UNKNOWN] }))).body).toEqual({
      message: { roles: [`Role(s) with ID(s) [${UNKNOWN}] not found.`] },
    });
    expect((await send('POST', 'users/', newUser({ groups: [UNKNOWN] }))).status).toBe(400);
    expect((await send('PUT', `users/${id}`, { roles: [UNKNOWN], groups: [] })).status).toBe(500);
    expect((await send('PUT', `users/${id}`, { roles: [4], groups: [UNKNOWN] })).status).toBe(500);
    expect((await send('GET', `users/${id}`)).body.result.roles).toHaveLength(1);
  });

  prove('never lets a user be without role and group', async () => {
    const { id } = await addUser(send);
    expect((await send('PUT', `users/${id}`, { roles: [], groups: [] })).status).toBe(400);
    expect((await send('PUT', `users/${id}`, { roles: [] })).status).toBe(400);
    expect((await send('PUT', `users/${id}`, { groups: [] })).status).toBe(200);
  });

  prove('changes what is sent and nothing else', async () => {
    const { id, username } = await addUser(send);
    expect(await send('PUT', `users/${id}`, { last_name: 'C' })).toEqual({
      status: 200,
      body: { result: { last_name: 'C' } },
    });
    expect((await send('PUT', `users/${id}`, {})).status).toBe(200);
    expect((await send('PUT', `users/${id}`, { nickname: 'A' })).status).toBe(400);
    expect((await send('PUT', `users/${id}`, { active: 'maybe' })).status).toBe(400);
    expect((await send('GET', `users/${id}`)).body.result).toMatchObject({ username, first_name: 'A', last_name: 'C' });
  });

  prove('says in three ways that there is no such user', async () => {
    expect(await send('GET', `users/${UNKNOWN}`)).toEqual({ status: 404, body: { message: 'Not found' } });
    expect(await send('PUT', `users/${UNKNOWN}`, { active: false })).toEqual({
      status: 500,
      body: { message: 'Fatal error' },
    });
    expect((await send('DELETE', `users/${UNKNOWN}`)).status).toBe(404);
    expect((await send('GET', 'nothing/')).body).toHaveProperty('errors');
  });

  prove('gives the id of a deleted user to the next one', async () => {
    const { id } = await addUser(send);
    expect(await send('DELETE', `users/${id}`)).toEqual({ status: 200, body: { message: 'OK' } });
    expect((await addUser(send)).id).toBe(id);
  });
}

function describeNames(prove: Prove, send: Send): void {
  prove('has its own refusals for roles', async () => {
    const name = unique('role');
    const { status, body } = await send('POST', 'roles/', { name });
    expect([status, body]).toEqual([201, { id: expect.any(Number), result: { name } }]);
    expect((await send('POST', 'roles/', { name })).status).toBe(500);
    expect((await send('POST', 'roles/', { name: 'x'.repeat(65) })).status).toBe(422);
    expect((await send('PUT', `roles/${body.id}`, { name: 'Alpha' })).status).toBe(422);
    expect((await send('PUT', `roles/${body.id}`, { name: unique('renamed') })).status).toBe(200);
    expect((await send('PUT', `roles/${UNKNOWN}`, { name })).status).toBe(404);
    expect((await send('DELETE', `roles/${body.id}`)).status).toBe(200);
    expect((await send('DELETE', `roles/${body.id}`)).status).toBe(404);
  });

  prove('has others for groups', async () => {
    const name = unique('group');
    const { status, body } = await send('POST', 'groups/', { name });
    expect([status, body]).toEqual([201, { id: expect.any(Number) }]);
    expect((await send('POST', 'groups/', { name })).status).toBe(422);
    expect((await send('POST', 'groups/', { name: 'x'.repeat(101) })).status).toBe(400);
    expect((await send('POST', 'groups/', { name: '' })).status).toBe(400);
    const other = (await send('POST', 'groups/', { name: unique('group') })).body.id;
    expect((await send('PUT', `groups/${other}`, { name })).status).toBe(500);
    expect((await send('PUT', `groups/${UNKNOWN}`, { name })).status).toBe(404);
    expect((await send('GET', `groups/${body.id}`)).body.result).toEqual({
      id: body.id,
      name,
      label: null,
      description: null,
      roles: [],
      users: [],
    });
    expect((await send('DELETE', `groups/${body.id}`)).status).toBe(200);
  });

  prove('takes a role or group away from its users when it is deleted', async () => {
    const role = (await send('POST', 'roles/', { name: unique('role') })).body.id;
    const group = (await send('POST', 'groups/', { name: unique('group') })).body.id;
    const { id } = await addUser(send, { roles: [4, role], groups: [group] });
    await send('DELETE', `roles/${role}`);
    await send('DELETE', `groups/${group}`);
    expect((await send('GET', `users/${id}`)).body.result).toMatchObject({ roles: [{ id: 4 }], groups: [] });
  });
}

function describePermissions(prove: Prove, send: Send): void {
  prove('says what a caller may do', async () => {
    for (const resource of ['users', 'roles', 'groups']) {
      const { status, body } = await send('GET', `${resource}/_info?q=(keys:!(permissions))`);
      expect(status).toBe(200);
      expect(body.permissions).toEqual(
        expect.arrayContaining(['can_info', 'can_get', 'can_post', 'can_put', 'can_delete']),
      );
    }
  });
}

function describeLists(prove: Prove, send: Send): void {
  const search = async (rison: string) => {
    const { status, body } = await send('GET', `users/?q=${encodeURIComponent(rison)}`);
    return status === 200 ? body.result.map(({ username }: { username: string }) => username) : status;
  };
  const by = (opr: string, value: string, col = 'username') =>
    search(`(filters:!((col:${col},opr:${opr},value:${value})),columns:!(id,username),page_size:100)`);

  prove('finds by text, with and without case', async () => {
    const { username, email } = await addUser(send);
    const upper = username.toUpperCase();
    expect(await by('eq', `'${username}'`)).toEqual([username]);
    expect(await by('eq', `'${upper}'`)).toEqual([]);
    expect(await by('in', `!('${upper}','${username}','x')`)).toEqual([username]);
    expect(await by('sw', `'${upper}'`)).toEqual([username]);
    expect(await by('ew', `'${upper.slice(-8)}'`)).toContain(username);
    expect(await by('eq', `'${email}'`, 'email')).toEqual([username]);
    const both = `(filters:!((col:username,opr:sw,value:'${upper}'),(col:username,opr:ew,value:'nothing')))`;
    expect(await search(both)).toEqual([]);
  });

  prove('takes wildcards at the ends, and nowhere else', async () => {
    const { username } = await addUser(send);
    const pattern = `${username.slice(0, -1)}_`;
    expect(await by('eq', `'${pattern}'`)).toEqual([]);
    expect(await by('sw', `'${pattern}'`)).toContain(username);
    expect(await by('sw', `'%${username.slice(5)}'`)).toContain(username);
  });

  prove('reads quoted Rison text as it stands', async () => {
    for (const odd of ["o'brien!", 'a:b,c)', 'x y', 'josé', '!t', '%_\\']) {
      const username = `${odd}${unique('q')}`;
      await addUser(send, { username });
      const quoted = `'${username.replace(/[!']/g, '!$&')}'`;
      expect([username, await by('eq', quoted)]).toEqual([username, [username]]);
    }
  });

  prove('lets everybody through an operator that it does not know', async () => {
    const { username } = await addUser(send);
    expect(await by('like', `'${username}'`)).toEqual(expect.arrayContaining(['admin']));
    expect(await by('eq', "'x'", 'nickname')).toBe(400);
    expect(await search('(((')).toBe(500);
  });

  prove('gives at most a hundred, in order, and an empty page past the end', async () => {
    for (let n = 0; n < 101; n += 1) await send('POST', 'groups/', { name: unique('listed') });
    const page = async (number: number, size: number) => {
      const rison = `(columns:!(id,name),keys:!(none),order_column:id,order_direction:asc,page:${number},page_size:${size})`;
      return (await send('GET', `groups/?q=${encodeURIComponent(rison)}`)).body;
    };
    const first = await page(0, 1_000);
    const second = await page(1, 1_000);
    const ids = [...first.result, ...second.result].map(({ id }: { id: number }) => id);
    expect(first.result).toHaveLength(100);
    expect(ids).toHaveLength(first.count);
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(Object.keys(first.result[0]).sort()).toEqual(['id', 'name']);
    expect(Object.keys(first).sort()).toEqual(['count', 'ids', 'result']);
    expect(await page(99, 100)).toMatchObject({ count: first.count, result: [] });
    expect((await send('GET', 'groups/')).body.result).toHaveLength(20);
  });
}

function describeCallers(prove: Prove, url: () => string): void {
  prove('tells no caller, a broken token and a wrong password apart', async () => {
    expect(await call(url(), {}, 'GET', 'users/')).toEqual({
      status: 401,
      body: { msg: 'Missing Authorization Header' },
    });
    expect(await call(url(), { Authorization: 'Bearer x' }, 'GET', 'users/')).toEqual({
      status: 422,
      body: { msg: 'Not enough segments' },
    });
    const forged = { Authorization: 'Bearer eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxIn0.AAAA' };
    expect(await call(url(), forged, 'GET', 'users/')).toMatchObject({
      status: 422,
      body: { msg: expect.any(String) },
    });
    const login = { username: 'admin', password: 'wrong', provider: 'db' };
    expect(await call(url(), {}, 'POST', 'login', login)).toEqual({ status: 401, body: { message: 'Not authorized' } });
    expect((await call(url(), {}, 'POST', 'login', { ...login, provider: undefined })).status).toBe(500);
  });

  prove('sends who is not signed in from a page to the login', async () => {
    const page = await fetch(`${url()}/superset/welcome/`, { redirect: 'manual' });
    expect([page.status, page.headers.get('location')]).toEqual([302, '/login/?next=%2Fsuperset%2Fwelcome%2F']);
    const health = await fetch(`${url()}/health`);
    expect([health.status, await health.text()]).toEqual([200, 'OK']);
  });
}

async function call(
  url: string,
  headers: Readonly<Record<string, string>>,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const answer = await fetch(`${url}/api/v1/security/${path}`, {
    method,
    redirect: 'manual',
    headers: {
      Accept: 'application/json',
      ...headers,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: await answer.json() };
}
