import { systemClock } from '../../../src/ops/clock.ts';
import { createHttpClient } from '../../../src/ops/http.ts';
import { createKeycloakSource } from '../../../src/sources/keycloak/source.ts';
import type { Source } from '../../../src/sources/source.ts';
import { describeSource, failureOf, listAll, type SuitePerson } from '../../conformance/source.ts';
import { type RunningKeycloak, startKeycloak } from '../../services/keycloak.ts';
import { sourceConfig } from '../config-of.ts';

const CLIENT = 'latchgate-sync';
const SECRET = 'secret-of-the-sync-client';
const http = createHttpClient({ readOnly: true });
let keycloak: RunningKeycloak;

/** Those of the realm file, and more than a page of others. */
const PEOPLE: readonly SuitePerson[] = [
  { email: 'alice@acme.test', groups: ['/Admin'], active: true },
  { email: 'bob@acme.test', groups: ['/User'], active: true },
  { email: 'carol@acme.test', groups: [], active: true },
  { email: 'dave@acme.test', groups: ['/User', '/company/eng'], active: true },
  { email: 'erin@acme.test', groups: ['/User', '/bi-suspended'], active: true },
  { email: 'jürgen@acme.test', groups: ['/company/eng/Bücher'], active: true },
  { email: 'gone@acme.test', groups: ['/User'], active: false },
  ...Array.from({ length: 12 }, (_, index) => ({
    email: `person${index}@acme.test`,
    groups: ['/crowd'],
    active: true,
  })),
];

const sourceOf = (members: Readonly<Record<string, unknown>> = {}): Source => {
  const config = sourceConfig('keycloak', {
    url: keycloak.issuer,
    client_id: CLIENT,
    client_secret: SECRET,
    page_size: 5,
    ...members,
  });
  return createKeycloakSource({ name: 'realm', config, http, clock: systemClock });
};

beforeAll(async () => {
  keycloak = await startKeycloak({ gatewayUrl: 'http://127.0.0.1:4180' });
  const { admin } = keycloak;
  await admin.createServiceAccount(CLIENT, SECRET, ['view-users', 'query-groups', 'query-users', 'view-realm']);
  await admin.createServiceAccount('too-weak', SECRET, ['query-users']);
  for (const { email, groups, active } of PEOPLE.slice(5)) {
    const username = email.split('@')[0] ?? '';
    await admin.createUser({ username, password: 'x', email, groups });
    if (!active) await admin.disableUser(username);
  }
}, 600_000);
afterAll(async () => {
  await http.close();
  await keycloak?.stop();
});

describeSource(
  'Keycloak',
  async () => ({
    source: sourceOf(),
    people: PEOPLE,
    read: ({ email, groups }) => ({ email, groups }),
    failsInTheMiddle: async () => sourceOf(),
    unreachable: async () => sourceOf({ url: 'http://127.0.0.1:1/realms/acme' }),
    contents: () => keycloak.admin.contents(),
    secrets: [SECRET, 'alice@acme.test'],
    cleanup: async () => {},
  }),
  {
    timeoutMs: 300_000,
    skip: {
      'fails, and ends in nothing, when it breaks in the middle':
        'Keycloak does not fail by itself; the scripted service does',
    },
  },
);

it('gives the members of its users, and lists by the sub of their tokens', async () => {
  const { people } = await listAll(sourceOf());
  const alice = people.find(({ claims }) => claims['username'] === 'alice');
  expect(alice).toMatchObject({
    subject: await keycloak.admin.userId('alice'),
    claims: { firstName: 'Alice', lastName: 'Adams', emailVerified: true, groups: ['/Admin'] },
  });
  const dave = people.find(({ claims }) => claims['username'] === 'dave');
  expect(dave?.claims['emailVerified']).toBe(false);
  expect(alice?.claims).not.toHaveProperty('roles');
});

it('reads realm roles in place of groups', async () => {
  await keycloak.admin.addRealmRole('bi/analyst & more', ['alice', 'dave']);
  const { people } = await listAll(sourceOf({ claims: { groups: 'roles' } }));
  const roles = Object.fromEntries(people.map(({ claims }) => [claims['username'], claims['roles']]));
  expect(roles).toMatchObject({ alice: ['bi/analyst & more'], bob: [], dave: ['bi/analyst & more'] });
  expect(people.filter(({ claims }) => 'groups' in claims)).toEqual([]);
});

it.each([
  ['groups', {}],
  ['realm roles', { claims: { groups: 'roles' } }],
])(
  'says of whoever is asked for what the list says, with their %s, and nothing of who is not there',
  async (_, members) => {
    const source = sourceOf(members);
    const { people } = await listAll(source);
    const gone = '00000000-0000-0000-0000-000000000000';
    const found = await source.lookUp?.([gone, ...people.map(({ subject }) => subject)], new AbortController().signal);
    expect(found).toEqual(people);
  },
);

it('sees who moved, was disabled and was deleted since', async () => {
  const { admin } = keycloak;
  const source = sourceOf();
  const id = await admin.createUser({ username: 'zoe', password: 'x', email: 'zoe@acme.test', groups: ['/User'] });
  const found = async () => (await listAll(source)).people.find(({ subject }) => subject === id);
  expect(await found()).toMatchObject({ active: true, claims: { groups: ['/User'] } });
  await admin.setUserGroups('zoe', ['/company/sales']);
  await admin.disableUser('zoe');
  expect(await found()).toMatchObject({ active: false, claims: { groups: ['/company/sales'] } });
  await admin.deleteUser('zoe');
  expect(await found()).toBeUndefined();
});

it.each([
  ['a wrong secret', { client_secret: 'wrong' }],
  ['a client that nobody knows', { client_id: 'nobody' }],
  ['a client that is no account', { client_id: 'latchgate', client_secret: 'gateway-local-secret' }],
  ['an account without the rights', { client_id: 'too-weak' }],
])('is refused for %s', async (_, members) => {
  expect(await failureOf(listAll(sourceOf(members)))).toMatchObject({ code: 'source_refused' });
});

it('is refused for a realm that is not there', async () => {
  const url = keycloak.issuer.replace('/acme', '/nowhere');
  expect(await failureOf(listAll(sourceOf({ url })))).toMatchObject({ code: 'source_refused' });
});
