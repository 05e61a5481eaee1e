import { randomUUID } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createGraphGroups } from '../../src/login/overage/graph.ts';
import { createOverage, type Overage } from '../../src/login/overage/overage.ts';
import { overageSchema } from '../../src/login/overage/schema.ts';
import { GROUPS_UNHEARD } from '../../src/mapping/groups.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import type { HttpClient } from '../../src/ops/http-client.ts';
import { type GraphEmulator, startGraph } from '../emulators/graph/server.ts';
import { refusal, SIGNAL } from './oidc-harness.ts';

const OID = '6e7b768e-07e2-4810-8459-485f84f8f204';
const LEFT_OUT = {
  _claim_names: { groups: 'src1' },
  _claim_sources: { src1: { endpoint: 'https://graph.example/x' } },
};

let graph: GraphEmulator;
let http: HttpClient;
let now: number;
let log: string[];

beforeEach(async () => {
  graph = await startGraph();
  http = createHttpClient({ timeoutMs: 1_000, maxBytes: 100_000 });
  now = 0;
  log = [];
});
afterEach(async () => {
  await http.close();
  await graph.close();
});

function overage(settings: Readonly<Record<string, unknown>> = {}, claims = ['groups']): Overage {
  const own = { tenant: graph.tenant, client_id: graph.clientId, client_secret: graph.clientSecret };
  const config = overageSchema.parse({ ...own, url: graph.url, authority: graph.url, ...settings });
  const directory = createGraphGroups({ login: 'staff', config, http, clock: { now: () => now } });
  const say = (text: string, fields?: object) => void log.push(`${text} ${JSON.stringify(fields)}`);
  return createOverage({ login: 'staff', claims, directory, log: { info: say, warn: say } });
}

const person = (more: Readonly<Record<string, unknown>> = {}) => ({
  oid: OID,
  tid: graph.tenant,
  ...LEFT_OUT,
  ...more,
});
const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
const UNHEARD = { [GROUPS_UNHEARD]: true };

describe('groups that Entra ID left out', () => {
  it('are those that Graph names, over all pages, by one token for many people', async () => {
    const groups = ids(250);
    graph.members.set(OID, groups);
    graph.pageSize = 100;
    const one = overage();
    expect(await one.fill(person(), SIGNAL)).toMatchObject({ groups });
    expect(await one.fill(person(), SIGNAL)).toMatchObject({ groups });
    expect(graph.asked).toMatchObject({ token: 1, pages: 6 });
    expect(graph.bodies[0]).toEqual({ securityEnabledOnly: true });
  });

  it('are asked for by hasgroups too, and put where the config looks for them', async () => {
    graph.members.set(OID, ids(1));
    const uri = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/groups';
    const { [uri]: groups } = await overage({ security_enabled_only: false }, [uri]).fill(
      { hasgroups: true, 'http://schemas.microsoft.com/identity/claims/objectidentifier': OID },
      SIGNAL,
    );
    expect(groups).toEqual(graph.members.get(OID));
    expect(graph.bodies).toEqual([{ securityEnabledOnly: false }]);
  });

  it('are not asked for where none are missing', async () => {
    for (const claims of [person({ groups: ['a'] }), { oid: OID }, { oid: OID, _claim_names: { email: 'src1' } }]) {
      expect(await overage().fill(claims, SIGNAL)).toBe(claims);
    }
    expect(graph.asked.token).toBe(0);
  });

  it.each([
    ['of a person of another tenant', { tid: randomUUID() }],
    ['of nobody', { oid: undefined }],
    ['of what is no object id', { oid: '../me' }],
    ['of an id that is a list', { oid: [OID] }],
    ['of somebody whom Graph does not know', { oid: randomUUID() }],
  ])('%s stay left out', async (_, more) => {
    graph.members.set(OID, ids(3));
    const claims = person(more);
    expect(await overage().fill(claims, SIGNAL)).toBe(claims);
  });

  it('stay left out when they are too many for Graph', async () => {
    graph.members.set(OID, Array(11_001).fill(OID));
    const claims = person();
    expect(await overage().fill(claims, SIGNAL)).toBe(claims);
  });

  it('never come from the address that the token names', async () => {
    let calls = 0;
    const hostile = createServer((_, res) => {
      calls += 1;
      res.end('{"value":["11111111-1111-1111-1111-111111111111"]}');
    });
    await new Promise<void>((resolve) => hostile.listen(0, '127.0.0.1', resolve));
    const endpoint = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}/users/${OID}/getMemberObjects`;
    const own = ids(1);
    graph.members.set(OID, own);
    try {
      const sources = { src1: { endpoint, access_token: 'x' } };
      expect(await overage().fill(person({ _claim_sources: sources }), SIGNAL)).toMatchObject({ groups: own });
      graph.pageSize = 0;
      graph.nextLink = endpoint;
      expect(await overage().fill(person(), SIGNAL)).toMatchObject(UNHEARD);
      graph.nextLink = `http://user@${new URL(graph.url).host}/v1.0/x`;
      expect(await overage().fill(person(), SIGNAL)).toMatchObject(UNHEARD);
      expect(calls).toBe(0);
    } finally {
      await new Promise((resolve) => hostile.close(resolve));
    }
  });
});

describe('a Graph that is in trouble', () => {
  it.each<[string, GraphEmulator['fault']]>([
    ['answers 503', (_, res) => void res.writeHead(503).end()],
    ['asks to wait for longer than there is time', (_, res) => void res.writeHead(429, { 'retry-after': '60' }).end()],
    ['hangs up', (_, res) => void res.destroy()],
    ['says nothing', () => {}],
    ['answers without end', (_, res) => void res.end(`{"value":["${'x'.repeat(200_000)}"]}`)],
    ['answers a page for people', (_, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end('<p>')],
    ['sends somebody elsewhere', (_, res) => void res.writeHead(307, { location: 'http://127.0.0.1:9/' }).end()],
    ['names groups that are none', (_, res) => json(res, '{"value":["admins"]}')],
    ['names groups that are no texts', (_, res) => json(res, '{"value":[7]}')],
    ['leaves the list out', (_, res) => json(res, '{}')],
  ])('%s: the claims say that nobody was heard, and the log why, once', async (name, fault) => {
    graph.members.set(OID, ids(1));
    graph.fault = fault;
    const one = overage();
    const filled = one.fill(person(), SIGNAL);
    if (name === 'sends somebody elsewhere') return expect(await refusal(filled)).toBe('provider_misconfigured');
    expect(await filled).toEqual({ ...person(), ...UNHEARD });
    expect(log).toHaveLength(1);
    expect(log.join()).not.toContain(OID);
    graph.fault = undefined;
    expect(await one.fill(person(), SIGNAL)).toMatchObject({ groups: graph.members.get(OID) });
    expect(log).toHaveLength(2);
  });

  it('is asked again after the pause that it wants', async () => {
    graph.members.set(OID, ids(1));
    let times = 0;
    const fault: GraphEmulator['fault'] = (_, res) => {
      times += 1;
      graph.fault = undefined;
      res.writeHead(429, { 'retry-after': '0' }).end();
    };
    graph.fault = fault;
    expect(await overage().fill(person(), SIGNAL)).toMatchObject({ groups: graph.members.get(OID) });
    expect(times).toBe(1);
  });

  it('pages that never end come to an end', async () => {
    graph.members.set(OID, ids(1));
    graph.pageSize = 0;
    expect(await overage().fill(person(), SIGNAL)).toMatchObject(UNHEARD);
  });

  it('that takes a token no more is given another', async () => {
    graph.members.set(OID, ids(1));
    const one = overage();
    await one.fill(person(), SIGNAL);
    graph.revoke();
    expect(await one.fill(person(), SIGNAL)).toMatchObject({ groups: graph.members.get(OID) });
    now = 3_599_000;
    await one.fill(person(), SIGNAL);
    expect(graph.asked.token).toBe(3);
  });
});

it.each<[string, { readonly client_id?: string; readonly client_secret?: string; readonly tenant?: string }]>([
  ['a wrong secret', { client_secret: 'other' }],
  ['a wrong application', { client_id: 'other' }],
  ['a tenant that is not there', { tenant: OID }],
])('%s is said to be a mistake of the set-up', async (_, settings) => {
  const claims = person(settings.tenant === undefined ? {} : { tid: settings.tenant });
  expect(await refusal(overage(settings).fill(claims, SIGNAL))).toBe('provider_misconfigured');
});

it('so is an application without the permission', async () => {
  graph.permissions = ['User.ReadBasic.All'];
  graph.members.set(OID, ids(1));
  expect(await refusal(overage().fill(person(), SIGNAL))).toBe('provider_misconfigured');
});

function json(res: ServerResponse, text: string) {
  res.writeHead(200, { 'content-type': 'application/json' }).end(text);
}
