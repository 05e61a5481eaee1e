import { createHttpClient } from '../../../src/ops/http.ts';
import { createScimSource } from '../../../src/sources/scim/source.ts';
import { describeSource, listAll } from '../../conformance/source.ts';
import { type RunningScim2Server, startScim2Server } from '../../services/scim2-server.ts';
import { sourceConfig } from '../config-of.ts';
import { GROUPS, PEOPLE, userResource } from './people.ts';

let server: RunningScim2Server;
const http = createHttpClient({ readOnly: true });
const ids = new Map<string, string>();

async function call(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const answer = await fetch(`${server.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${server.token}`, 'content-type': 'application/scim+json' },
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`scim2-server: ${method} ${path}: ${answer.status} ${await answer.text()}`);
  const text = await answer.text();
  return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
}

beforeAll(async () => {
  server = await startScim2Server();
  for (const person of PEOPLE) {
    const { id } = await call('POST', '/Users', userResource(person));
    ids.set(person.email, String(id));
  }
  for (const displayName of GROUPS) {
    const members = PEOPLE.filter(({ groups }) => groups.includes(displayName)).map(({ email }) => ({
      value: ids.get(email),
    }));
    await call('POST', '/Groups', {
      schemas: ['urn:ietf:params:scim:schemas:core:2.0:Group'],
      displayName,
      members,
    });
  }
}, 600_000);
afterAll(async () => {
  await http.close();
  await server?.stop();
});

const sourceOf = (url: string, token: string) =>
  createScimSource({ name: 'hub', config: sourceConfig('scim', { url, token, page_size: 7 }), http });

describeSource(
  'SCIM on scim2-server',
  async () => ({
    source: sourceOf(server.url, server.token),
    people: PEOPLE,
    read: ({ email, groups }) => ({ email, groups }),
    failsInTheMiddle: async () => sourceOf(server.url, 'another-token'),
    unreachable: async () => sourceOf('http://127.0.0.1:1/v2', server.token),
    contents: async () => [await call('GET', '/Users?count=1000'), await call('GET', '/Groups?count=1000')],
    secrets: [server.token, 'ada@example.com'],
    cleanup: async () => {},
  }),
  {
    skip: {
      'fails, and ends in nothing, when it breaks in the middle':
        'the reference server does not fail by itself; the scripted service does',
    },
  },
);

it('sees who was added, changed and deleted since', async () => {
  const source = sourceOf(server.url, server.token);
  const { id } = await call('POST', '/Users', userResource({ email: 'new@example.com', groups: [], active: true }));
  const found = async () => (await listAll(source)).people.find(({ subject }) => subject === id);
  expect(await found()).toMatchObject({ active: true, claims: { email: 'new@example.com', groups: [] } });
  await call('PATCH', `/Users/${id}`, {
    schemas: ['urn:ietf:params:scim:api:messages:2.0:PatchOp'],
    Operations: [{ op: 'replace', path: 'active', value: false }],
  });
  expect(await found()).toMatchObject({ active: false });
  await fetch(`${server.url}/Users/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${server.token}` } });
  expect(await found()).toBeUndefined();
});
