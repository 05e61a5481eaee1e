import { createHttpClient } from '../../../src/ops/http.ts';
import { createScimSource } from '../../../src/sources/scim/source.ts';
import type { Source } from '../../../src/sources/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll } from '../../conformance/source.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE } from './people.ts';
import { listResponse, type ScimResource, type ScriptedScim, startScriptedScim, TOKEN } from './scripted-scim.ts';

const http = createHttpClient({ readOnly: true });
const services: ScriptedScim[] = [];
afterAll(async () => {
  for (const { server } of services) await server.close();
  await http.close();
});

async function service(): Promise<ScriptedScim> {
  const scim = await startScriptedScim();
  services.push(scim);
  return scim;
}

const sourceOf = (url: string, members: Readonly<Record<string, unknown>> = {}): Source =>
  createScimSource({
    name: 'hub',
    config: sourceConfig('scim', { url, token: TOKEN, page_size: 10, ...members }),
    http,
  });

describeSource('SCIM on a scripted service', async () => {
  const scim = await service();
  const failing = await service();
  failing.before = (endpoint, startIndex) =>
    endpoint === 'Users' && startIndex > 10
      ? { status: 400, body: { detail: `no, ada@example.com ${TOKEN}` } }
      : undefined;
  return {
    source: sourceOf(scim.url),
    people: PEOPLE,
    read: ({ email, groups }) => ({ email, groups }),
    failsInTheMiddle: async () => sourceOf(failing.url),
    unreachable: async () => sourceOf('http://127.0.0.1:1/scim/v2'),
    contents: async () => scim.server.requests.filter(({ method }) => method !== 'GET'),
    secrets: [TOKEN, 'ada@example.com'],
    cleanup: async () => {},
  };
});

describe('pages', () => {
  it('are as long as the service makes them, down to one resource', async () => {
    for (const most of [1, 2, 3, 24, 25, 26, 1_000]) {
      const scim = await service();
      scim.most = most;
      const { people, end } = await listAll(sourceOf(scim.url));
      expect(people).toHaveLength(PEOPLE.length);
      expect(end.complete).toBe(true);
    }
  });

  it('of nobody are an empty listing, with or without a list in it', async () => {
    const scim = await service();
    scim.users = [];
    scim.groups = [];
    expect(await listAll(sourceOf(scim.url))).toEqual({
      people: [],
      end: { complete: true, unreadable: 0, notes: [] },
    });
    scim.before = () => ({ body: { totalResults: 0 } });
    expect((await listAll(sourceOf(scim.url))).end.complete).toBe(true);
  });

  it.each([
    ['counts more than it gives', (scim: ScriptedScim) => listResponse(scim.users.length + 1, scim.users)],
    ['counts fewer than it gives', (scim: ScriptedScim) => listResponse(scim.users.length - 1, scim.users)],
    ['gives the same page again and again', (scim: ScriptedScim) => listResponse(100, scim.users.slice(0, 10))],
    ['gives nobody of many', () => listResponse(100, [])],
    ['gives somebody twice', (scim: ScriptedScim) => listResponse(2, [scim.users[0], scim.users[0]])],
  ])('are not complete where the service %s', async (_, body) => {
    const scim = await service();
    scim.before = (endpoint) => (endpoint === 'Users' ? { body: body(scim) } : undefined);
    const { people, end } = await listAll(sourceOf(scim.url));
    expect(end).toMatchObject({ complete: false, why: expect.any(String) });
    expect(new Set(people.map(({ subject }) => subject)).size).toBe(people.length);
  });

  it('are read again when somebody goes meanwhile, and then complete', async () => {
    const scim = await service();
    scim.before = (endpoint, startIndex) => {
      if (endpoint === 'Users' && startIndex > 1 && scim.users.length === PEOPLE.length) scim.users.shift();
      return undefined;
    };
    const { people, end } = await listAll(sourceOf(scim.url));
    expect(people.map(({ subject }) => subject)).toEqual(scim.users.map(({ id }) => id));
    expect(end.complete).toBe(true);
  });

  it('leave nobody out when one goes and another comes, which the count does not show', async () => {
    const scim = await service();
    let changes = 0;
    scim.before = (endpoint, startIndex) => {
      if (endpoint === 'Users' && startIndex > 1 && changes === 0) {
        changes += 1;
        scim.users.shift();
        scim.users.push({ id: 'new', userName: 'new' });
      }
      return undefined;
    };
    const { people, end } = await listAll(sourceOf(scim.url));
    expect(people.map(({ subject }) => subject)).toEqual(scim.users.map(({ id }) => id));
    expect(end.complete).toBe(true);
  });

  it('that never hold still are not complete', async () => {
    const scim = await service();
    let made = 0;
    scim.before = (endpoint) => {
      made += 1;
      if (endpoint === 'Users') scim.users.unshift({ id: `made-${made}`, userName: `made-${made}` });
      return undefined;
    };
    expect((await listAll(sourceOf(scim.url))).end.complete).toBe(false);
  });
});

describe('groups', () => {
  it('that never hold still fail the listing: half of them would look like people who left', async () => {
    const scim = await service();
    let made = 0;
    scim.before = (endpoint) => {
      made += 1;
      if (endpoint === 'Groups')
        scim.groups.unshift(...[1, 2, 3].map((n) => ({ id: `made-${made}-${n}`, members: [] })));
      return undefined;
    };
    scim.most = 2;
    expect(await failureOf(listAll(sourceOf(scim.url)))).toMatchObject({ code: 'source_unavailable' });
  });

  it('of groups count for the people in them, circles included', async () => {
    const scim = await service();
    scim.users = ['u1', 'u2'].map((id) => ({ id, userName: id }));
    scim.groups = [
      { id: 'team', displayName: 'Team', members: [{ value: 'u1' }, { value: 'all', type: 'Group' }] },
      { id: 'unit', displayName: 'Unit', members: [{ value: 'team', type: 'Group' }] },
      { id: 'all', members: [{ value: 'unit', type: 'Group' }, { value: 'u2' }, { value: 'stranger' }, null, {}] },
    ];
    const { people } = await listAll(sourceOf(scim.url));
    const groups = people.map(({ claims }) => [...(claims['groups'] as string[])].sort());
    expect(groups).toEqual([
      ['Team', 'Unit', 'all'],
      ['Team', 'Unit', 'all'],
    ]);
  });

  it('are what users say where groups come without their members', async () => {
    const scim = await service();
    scim.users = [{ id: 'u1', userName: 'a', groups: [{ value: 'g1', display: 'old name' }, { value: 'g2' }] }];
    scim.groups = [
      { id: 'g1', displayName: 'One' },
      { id: 'g2', displayName: 'Two', members: [] },
    ];
    const { people } = await listAll(sourceOf(scim.url));
    expect(people.map(({ claims }) => claims['groups'])).toEqual([['One']]);
  });

  it.each([404, 501])('are what users say where there is no such endpoint (%i)', async (status) => {
    const scim = await service();
    scim.users = [
      { id: 'u1', userName: 'a', groups: [{ value: 'g1', display: 'One' }, { value: 'g2' }] },
      { id: 'u2', userName: 'b' },
    ];
    scim.before = (endpoint) => (endpoint === 'Groups' ? { status, body: {} } : undefined);
    scim.types = ['User'];
    const { people, end } = await listAll(sourceOf(scim.url));
    expect(people.map(({ claims }) => claims['groups'])).toEqual([['One', 'g2'], []]);
    expect(end.complete).toBe(true);
    scim.types = undefined;
    expect((await listAll(sourceOf(scim.url, { memberships: 'users' }))).end.complete).toBe(true);
  });

  it.each([
    ['the service says that there is one', ['User', 'Group']],
    ['the service does not say what there is', undefined],
  ])('are not all there when the endpoint is not found and %s', async (_, types) => {
    const scim = await service();
    scim.users = [
      { id: 'u1', userName: 'a', groups: [{ value: 'g1', display: 'One' }] },
      { id: 'u2', userName: 'b' },
    ];
    scim.types = types;
    scim.before = (endpoint) => (endpoint === 'Groups' ? { status: 404, body: {} } : undefined);
    expect((await listAll(sourceOf(scim.url))).end).toMatchObject({
      complete: false,
      why: expect.stringContaining('/Groups'),
    });
  });

  it('are not all there when none is listed and somebody is in one', async () => {
    const scim = await service();
    scim.users = [{ id: 'u1', userName: 'a', groups: [{ value: 'g1', display: 'One' }] }];
    scim.groups = [];
    expect((await listAll(sourceOf(scim.url))).end).toMatchObject({ complete: false });
  });

  it('that are nowhere are no groups only when the config says so', async () => {
    const scim = await service();
    scim.before = (endpoint) => (endpoint === 'Groups' ? { status: 404, body: {} } : undefined);
    expect(await failureOf(listAll(sourceOf(scim.url)))).toMatchObject({ code: 'source_refused' });
    const { people } = await listAll(sourceOf(scim.url, { memberships: 'none' }));
    expect(people).toHaveLength(PEOPLE.length);
    expect(people.filter(({ claims }) => 'groups' in claims)).toEqual([]);
  });
});

it.each([
  ['the primary e-mail', [{ value: 'a@x' }, { value: 'b@x', primary: true }], 'b@x'],
  [
    'that of work where none is primary',
    [
      { value: 'a@x', type: 'home' },
      { value: 'b@x', type: 'Work' },
    ],
    'b@x',
  ],
  [
    'the first where there is neither',
    [
      { value: 'a@x', type: 'home' },
      { value: 'b@x', type: 'other' },
    ],
    'a@x',
  ],
  ['none of an empty list', [], undefined],
  ['none of what is no list', 'a@x', undefined],
])('takes %s', async (_, emails, email) => {
  const scim = await service();
  scim.users = [{ id: 'u1', userName: 'a', emails }];
  expect((await listAll(sourceOf(scim.url))).people[0]?.claims['email']).toBe(email);
});

it.each([
  [true, true],
  [undefined, true],
  [false, false],
  ['False', false],
  ['true', true],
])('takes active: %p as %p', async (active, expected) => {
  const scim = await service();
  scim.users = [{ id: 'u1', userName: 'a', active }];
  expect((await listAll(sourceOf(scim.url))).people[0]?.active).toBe(expected);
});

it('lists by another attribute when told to, and counts who has none or that of somebody else', async () => {
  const scim = await service();
  scim.users = [
    { id: 'u1', externalId: 'e1' },
    { id: 'u2' },
    { id: 'u3', externalId: '' },
    // Somebody who came back: which of the two counts is not for us to say.
    { id: 'u4', externalId: 'e1' },
    { id: 'u5', externalId: 'e5' },
  ];
  const { people, end } = await listAll(sourceOf(scim.url, { key: 'externalId' }));
  expect(people.map(({ subject }) => subject)).toEqual(['e5']);
  expect(end).toMatchObject({ complete: true, unreadable: 4 });
});

it('gives attributes of extensions under their own names', async () => {
  const scim = await service();
  const urn = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
  scim.users = [{ id: 'u1', schemas: [urn], meta: { version: '1' }, [urn]: { department: 'R&D' } }];
  scim.groups = [];
  expect((await listAll(sourceOf(scim.url))).people[0]?.claims).toEqual({
    id: 'u1',
    [urn]: { department: 'R&D' },
    groups: [],
  });
});

it.each([
  ['401', { status: 401, body: {} }, 'source_refused'],
  ['403', { status: 403, body: {} }, 'source_refused'],
  ['400', { status: 400, body: {} }, 'source_refused'],
  ['429', { status: 429, body: {} }, 'source_unavailable'],
  ['500', { status: 500, body: {} }, 'source_unavailable'],
  ['a redirect', { status: 302, body: {} }, 'source_answer_invalid'],
  ['a page', { body: '<html>', type: 'text/html' }, 'source_answer_invalid'],
  ['half of JSON', { body: '{"totalResults"' }, 'source_answer_invalid'],
  ['no list', { body: { Resources: [] } }, 'source_answer_invalid'],
  ['users without ids', { body: listResponse(1, [{ userName: 'ada@example.com' }]) }, 'source_answer_invalid'],
  ['no /Users', { status: 404, body: {} }, 'source_refused'],
  ['a broken connection', 'reset', 'source_unavailable'],
] as const)('%s fails, free of values', async (_, answer, code) => {
  const scim = await service();
  scim.before = () => answer;
  const source = sourceOf(scim.url);
  const failures = [await failureOf(listAll(source)), await failureOf(source.probe(new AbortController().signal))];
  for (const thrown of failures) {
    expect(thrown).toMatchObject({ code });
    expect(everythingSaidBy(thrown)).not.toMatch(/ada@|scim-token/);
  }
});

describe('whoever changes groups while they are read', () => {
  const moving = async () => {
    const scim = await service();
    scim.most = 1;
    const [first, last] = [scim.groups[0], scim.groups.at(-1)] as [ScimResource, ScimResource];
    scim.groups = scim.groups.map((group) => ({ ...group, members: group === last ? [{ value: 'u0' }] : [] }));
    // The first group has been read by the time that somebody comes into it.
    scim.before = (endpoint, startIndex) => {
      if (endpoint === 'Groups' && startIndex === scim.groups.length) {
        scim.groups = scim.groups.map((group) => ({
          ...group,
          members: group.id === first.id ? [{ value: 'u0' }] : [],
        }));
      }
      return undefined;
    };
    return { scim, source: sourceOf(scim.url), now: first['displayName'] };
  };
  const none = new AbortController().signal;

  it('and is listed in neither, is found in the new one when asked for', async () => {
    const { source, now } = await moving();
    const { people, end } = await listAll(source);
    expect(end).toMatchObject({ complete: true });
    expect(people.find(({ subject }) => subject === 'u0')?.claims['groups']).toEqual([]);
    const found = await source.lookUp?.(['u0', 'nobody'], none);
    expect(found).toMatchObject([{ subject: 'u0', active: true, claims: { groups: [now] } }]);
  });

  it('is not said to be in any by a second listing that is not whole', async () => {
    const { scim, source } = await moving();
    scim.before = (endpoint) =>
      endpoint === 'Users' ? { body: listResponse(scim.users.length + 1, scim.users) } : undefined;
    await expect(source.lookUp?.(['u0'], none)).rejects.toMatchObject({ code: 'source_unavailable' });
  });
});
