import { createHttpClient } from '../../../src/ops/http.ts';
import { createKeycloakSource } from '../../../src/sources/keycloak/source.ts';
import type { Source } from '../../../src/sources/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll } from '../../conformance/source.ts';
import { sourceConfig } from '../config-of.ts';
import type { ScriptedRequest } from '../scripted-server.ts';
import { PEOPLE, type ScriptedKeycloak, SECRET, startScriptedKeycloak } from './scripted-keycloak.ts';

const http = createHttpClient({ readOnly: true });
const realms: ScriptedKeycloak[] = [];
afterAll(async () => {
  for (const { server } of realms) await server.close();
  await http.close();
});

async function realm(): Promise<ScriptedKeycloak> {
  const keycloak = await startScriptedKeycloak();
  realms.push(keycloak);
  return keycloak;
}

let now = Date.now();
const sourceOf = (url: string, members: Readonly<Record<string, unknown>> = {}): Source => {
  const access = { client_id: 'sync', client_secret: SECRET };
  const config = sourceConfig('keycloak', { url, page_size: 6, ...access, ...members });
  return createKeycloakSource({ name: 'realm', config, http, clock: { now: () => now } });
};

const isUsers = ({ path }: ScriptedRequest) => path === '/admin/realms/bi/users';
const isMembers = ({ path }: ScriptedRequest) => path.endsWith('/members');

describeSource('Keycloak, scripted', async () => {
  const keycloak = await realm();
  const failing = await realm();
  failing.before = (request) =>
    isUsers(request) && Number(request.query.get('first')) > 10
      ? { status: 400, body: { errorMessage: `no, ada@example.com ${SECRET}` } }
      : undefined;
  return {
    source: sourceOf(keycloak.url),
    people: PEOPLE,
    read: ({ email, groups }) => ({ email, groups }),
    failsInTheMiddle: async () => sourceOf(failing.url),
    unreachable: async () => sourceOf('http://127.0.0.1:1/realms/bi'),
    contents: async () =>
      keycloak.server.requests.filter(({ method, path }) => method !== 'GET' && !path.endsWith('/token')),
    secrets: [SECRET, 'ada@example.com'],
    cleanup: async () => {},
  };
});

it('asks by group and not by person, and for the token once', async () => {
  const keycloak = await realm();
  await listAll(sourceOf(keycloak.url));
  const asked = keycloak.server.requests.map(({ path }) => path.replace('/admin/realms/bi/', ''));
  expect(asked.filter((path) => path.endsWith('/token'))).toHaveLength(1);
  expect(asked.filter((path) => /^users\/(?!count)/.test(path))).toEqual([]);
  expect(new Set(asked.filter((path) => path.endsWith('/members'))).size).toBe(5);
  expect(keycloak.server.requests.find(isUsers)?.query.get('briefRepresentation')).toBe('false');
});

it('asks for no group when no claim names them', async () => {
  const keycloak = await realm();
  await listAll(sourceOf(keycloak.url, { claims: { groups: 'attributes.teams' } }));
  expect(keycloak.server.requests.filter(({ path }) => path.includes('/groups'))).toEqual([]);
});

it('takes a new token when the old one runs out or is not taken any more', async () => {
  const keycloak = await realm();
  const source = sourceOf(keycloak.url);
  const tokens = () => keycloak.server.requests.filter(({ path }) => path.endsWith('/token')).length;
  await listAll(source);
  await listAll(source);
  expect(tokens()).toBe(1);
  now += 55_000;
  await listAll(source);
  expect(tokens()).toBe(2);
  keycloak.revoked.add('token-2');
  await listAll(source);
  expect(tokens()).toBe(3);
});

it.each([
  ['counts more people than it lists', (keycloak: ScriptedKeycloak) => (keycloak.count = () => PEOPLE.length + 1)],
  ['counts fewer', (keycloak: ScriptedKeycloak) => (keycloak.count = () => PEOPLE.length - 1)],
])('is not complete when Keycloak %s', async (_, change) => {
  const keycloak = await realm();
  change(keycloak);
  const { people, end } = await listAll(sourceOf(keycloak.url));
  expect(people).toHaveLength(PEOPLE.length);
  expect(end).toMatchObject({ complete: false, why: expect.stringContaining('counts') });
});

it('is not complete when a page comes short', async () => {
  const keycloak = await realm();
  keycloak.before = (request) =>
    isUsers(request) ? { body: keycloak.users.slice(0, 3).map(({ memberOf: _, ...user }) => user) } : undefined;
  expect((await listAll(sourceOf(keycloak.url))).end.complete).toBe(false);
});

it('leaves nobody out when one goes and another comes meanwhile, which the count does not show', async () => {
  const keycloak = await realm();
  let isDone = false;
  keycloak.before = (request) => {
    if (isUsers(request) && Number(request.query.get('first')) > 0 && !isDone) {
      isDone = true;
      keycloak.users = [...keycloak.users.slice(1), { id: 'new', username: 'zz', memberOf: [] }];
    }
    return undefined;
  };
  const { people, end } = await listAll(sourceOf(keycloak.url));
  expect(people.map(({ subject }) => subject)).toEqual(keycloak.users.map(({ id }) => id));
  expect(end.complete).toBe(true);
});

it('fails when the members of a group never hold still: half of them would look like people who left', async () => {
  const keycloak = await realm();
  keycloak.before = (request) => {
    if (isMembers(request)) keycloak.users = [...keycloak.users.slice(3), ...keycloak.users.slice(0, 3)];
    return undefined;
  };
  expect(await failureOf(listAll(sourceOf(keycloak.url)))).toMatchObject({ code: 'source_unavailable' });
});

it('takes the groups of an older Keycloak, which come nested', async () => {
  const keycloak = await realm();
  const nested = { id: 'g1', path: '/company', subGroups: [{ id: 'g2', path: '/company/team', subGroups: [] }] };
  keycloak.before = ({ path }) => (path.endsWith('/groups') ? { body: [nested] } : undefined);
  const { people } = await listAll(sourceOf(keycloak.url));
  const [ada, grace] = people;
  expect([ada?.claims['groups'], grace?.claims['groups']]).toEqual([['/company/team'], ['/company']]);
});

it.each([
  ['users', { status: 403, body: {} }, 'source_refused'],
  ['users', { status: 429, body: {} }, 'source_unavailable'],
  ['users', { status: 500, body: {} }, 'source_unavailable'],
  ['users', { body: '<html>', type: 'text/html' }, 'source_answer_invalid'],
  ['users', { body: [{ username: 'ada@example.com' }] }, 'source_answer_invalid'],
  ['users', { status: 302, body: {} }, 'source_answer_invalid'],
  ['users', 'reset', 'source_unavailable'],
  ['members', { status: 403, body: {} }, 'source_refused'],
  ['members', { status: 500, body: {} }, 'source_unavailable'],
  ['groups', { status: 403, body: {} }, 'source_refused'],
  ['count', { status: 500, body: {} }, 'source_unavailable'],
  ['count', { body: 'many' }, 'source_answer_invalid'],
  ['token', { status: 401, body: { error: 'unauthorized_client' } }, 'source_refused'],
  ['token', { status: 404, body: {} }, 'source_refused'],
  ['token', { status: 503, body: {} }, 'source_unavailable'],
  ['token', { body: { access_token: '' } }, 'source_answer_invalid'],
  ['token', { body: '<html>', type: 'text/html' }, 'source_answer_invalid'],
  ['token', 'reset', 'source_unavailable'],
] as const)('%s answered with %j is %s', async (last, answer, code) => {
  const keycloak = await realm();
  keycloak.before = ({ path }) => (path.endsWith(`/${last}`) ? answer : undefined);
  const thrown = await failureOf(listAll(sourceOf(keycloak.url)));
  expect(thrown).toMatchObject({ code });
  expect(everythingSaidBy(thrown)).not.toMatch(/ada@|client-secret|token-\d/);
});

it('whoever changes groups while they are read, and is listed in neither, is found in the new one when asked for', async () => {
  const keycloak = await realm();
  const source = sourceOf(keycloak.url);
  const mover = keycloak.users[0] as { id: string; memberOf: string[] };
  mover.memberOf = ['g4'];
  // The group that is read first has been read by the time that somebody comes into it.
  keycloak.before = ({ path }) => {
    if (path.endsWith('/groups/g4/members')) mover.memberOf = ['g0'];
    return undefined;
  };
  const { people, end } = await listAll(source);
  expect(end).toMatchObject({ complete: true });
  expect(people.find(({ subject }) => subject === mover.id)?.claims['groups']).toEqual([]);
  const found = await source.lookUp?.([mover.id, 'nobody'], new AbortController().signal);
  const settled = (await listAll(source)).people.find(({ subject }) => subject === mover.id);
  expect(found).toEqual([settled]);
  expect(settled?.claims['groups']).toHaveLength(1);
});
