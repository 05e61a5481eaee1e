import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GraphEmulator, startGraph } from '../emulators/graph/server.ts';
import { refusalOn } from './browser.ts';
import { CLIENT_ID, CLIENT_SECRET, GOODDATA, gooddataUser, person } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

// Who is in more groups than a token holds has them all the same, and keeps them when nobody can be asked.
const IDS = { ann: randomUUID(), ben: randomUUID() };
const GROUPS = Array.from({ length: 3 }, () => randomUUID()).sort();
const [FIRST = '', SECOND = ''] = GROUPS;

let journey: Journey;
let graph: GraphEmulator;

beforeAll(async () => {
  graph = await startGraph();
  const login = `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: ${CLIENT_SECRET}
    refresh: 1s
    overage: { tenant: ${graph.tenant}, client_id: ${graph.clientId}, client_secret: "${graph.clientSecret}", url: "${graph.url}", authority: "${graph.url}" }`;
  const groups = `{ rename: { "${FIRST}": team-a, "${SECOND}": team-b }, allow: ["team-*"] }`;
  const sources = { src1: { endpoint: 'http://127.0.0.1:9/getMemberObjects' } };
  const leftOut = { tid: graph.tenant, _claim_names: { groups: 'src1' }, _claim_sources: sources };
  const people = Object.entries(IDS).map(([sub, oid]) => person(sub, { oid, ...leftOut }));
  journey = await startJourney({ people, sections: { ...GOODDATA, login, groups } });
  graph.members.set(IDS.ann, GROUPS);
  graph.members.set(IDS.ben, GROUPS);
});
afterAll(async () => {
  await journey.close();
  await graph.close();
});

const groupsOf = (name: string) => gooddataUser(journey.gooddata.state, name)?.groups;

it('groups are asked for at login, and again when a live session is checked', async () => {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
  expect(groupsOf('ann')).toEqual(['team-a', 'team-b']);
  graph.members.set(IDS.ann, [FIRST]);
  await sleep(1_100);
  const { text } = await browser.call(`${journey.url}/.latchgate/userinfo`);
  expect((JSON.parse(text) as { groups: string[] }).groups).toEqual(['team-a']);
  await until('the backend', () => (groupsOf('ann')?.length === 1 ? true : undefined));
  expect(groupsOf('ann')).toEqual(['team-a']);
});

it('nobody to be asked: who is known keeps what they have, who is new reads that they may try again', async () => {
  graph.fault = (_, res) => void res.writeHead(503).end();
  expect((await journey.logIn('ann')).status).toBe(200);
  expect(groupsOf('ann')).toEqual(['team-a']);
  const page = await journey.logIn('ben');
  expect(refusalOn(page)).toMatchObject({ status: 503, code: 'groups_unavailable' });
  expect(groupsOf('ben')).toBeUndefined();
  const { out } = await journey.cli('why', refusalOn(page).requestId);
  expect(out).toContain('error (groups_unavailable)');
  graph.fault = undefined;
  expect((await journey.logIn('ben')).status).toBe(200);
  expect(groupsOf('ben')).toEqual(['team-a', 'team-b']);
});
