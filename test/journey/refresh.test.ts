import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Balancer, startBalancer } from './balancer.ts';
import type { Browser } from './browser.ts';
import { BOTH, CLIENT_ID, CLIENT_SECRET, claimsOf, GOODDATA, gooddataUser, person, supersetUser } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';
import { type OpenBackend, openAll, startOpenBackend } from './open-work.ts';

const login = (refresh: string) => `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET}, refresh: ${refresh} }`;

/** Longer than the interval of these companies. */
const DUE_MS = 1_100;

async function loggedIn(journey: Journey, sub: string, path = '/'): Promise<Browser> {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}${path}`, sub)).status).toBe(200);
  return browser;
}

async function groupsOf(journey: Journey, browser: Browser): Promise<string[]> {
  const { status, text } = await browser.call(`${journey.url}/.latchgate/userinfo`);
  return status === 200 ? (JSON.parse(text) as { groups: string[] }).groups : [String(status)];
}

describe('a session that is checked every second, at two gateways', () => {
  let journey: Journey;
  let balancer: Balancer;
  let instances: Instance[];

  beforeAll(async () => {
    journey = await startJourney({
      people: ['ann', 'ben', 'cat', 'dan', 'eve'].map((sub) => person(sub, { groups: ['team-a', 'team-b'] })),
      sections: { ...BOTH, login: login('1s') },
      start: false,
    });
    instances = [];
    for (const _ of [1, 2]) instances.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
    balancer = await startBalancer(Number(new URL(journey.url).port), instances);
  });
  beforeEach(() => journey.idp.breakTokens());
  afterAll(async () => {
    await balancer?.close();
    await journey.close();
  });

  it('asks the provider once, though fifty requests come to both at that moment', async () => {
    const browser = await loggedIn(journey, 'ann');
    const cookie = `latchgate=${browser.cookie(journey.url, 'latchgate')}`;
    const headers = { cookie, accept: 'application/json', host: new URL(journey.url).host };
    await sleep(DUE_MS);
    const before = journey.idp.refreshes;
    const began = performance.now();
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const answer = await request(`${instances[at % 2]?.url}/api/v1/profile`, { headers });
        await answer.body.dump();
        return answer.statusCode;
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    // On a machine that is so busy that the fifty take longer than a second, the next one is due before they are over.
    const seconds = Math.floor((performance.now() - began) / 1_000);
    expect(journey.idp.refreshes - before).toBeGreaterThanOrEqual(1);
    expect(journey.idp.refreshes - before).toBeLessThanOrEqual(1 + seconds);
  });

  it('takes a group that is lost at once: the very next request finds it gone', async () => {
    const browser = await loggedIn(journey, 'ben', '/superset/welcome/');
    await until('the other target', () => gooddataUser(journey.gooddata.state, 'ben'));
    journey.idp.setClaims('ben', claimsOf('ben', { groups: ['team-b'] }));
    await sleep(DUE_MS);
    expect((await browser.call(`${journey.url}/superset/welcome/`)).status).toBe(200);
    expect(supersetUser(journey.superset.state, 'ben')).toMatchObject({ groups: ['team-b'], roles: ['Gamma'] });
    expect(await groupsOf(journey, browser)).toEqual(['team-b']);
    await until(
      'the other target',
      () => gooddataUser(journey.gooddata.state, 'ben')?.groups.length === 1 || undefined,
    );
    const { out } = await journey.cli('audit', 'list', '--user', 'ben@acme.test', '--json');
    const taken = out.split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(taken.filter(({ event }) => event === 'grant.taken')).toMatchObject([
      { actor: 'refresh:acme', key: 'group:team-a' },
      { actor: 'refresh:acme', key: 'group:team-a' },
    ]);
    expect(taken.map(({ event }) => event)).toContain('session.renewed');
  });

  it('asks no backend anything where nothing is new', async () => {
    const browser = await loggedIn(journey, 'cat', '/superset/welcome/');
    await until('the other target', () => gooddataUser(journey.gooddata.state, 'cat'));
    const api = () => journey.superset.requests.filter(({ path }) => path.startsWith('/api/v1/security')).length;
    const before = api();
    for (let round = 0; round < 3; round += 1) {
      await sleep(DUE_MS);
      expect((await browser.call(`${journey.url}/superset/welcome/`)).status).toBe(200);
    }
    expect(api()).toBe(before);
  });

  it('lets nobody in whom the provider does not know any more', async () => {
    const browser = await loggedIn(journey, 'dan');
    journey.idp.remove('dan');
    await sleep(DUE_MS);
    const call = await browser.call(`${journey.url}/`);
    expect(call.status).toBe(401);
    expect(JSON.parse(call.text)).toMatchObject({ error: 'login_required' });
    // Of the person nothing is taken: they may come back by another way.
    expect(gooddataUser(journey.gooddata.state, 'dan')?.groups).toEqual(['team-a', 'team-b']);
    const shown = JSON.parse((await journey.cli('users', 'show', 'dan@acme.test', '--json')).out);
    expect(shown).toMatchObject({ disabled: false });
  });

  it('goes on while the provider is down, and says so once', async () => {
    const browser = await loggedIn(journey, 'eve');
    journey.idp.breakTokens({ status: 503 });
    await sleep(DUE_MS);
    for (let round = 0; round < 10; round += 1) {
      expect((await browser.call(`${journey.url}/api/v1/profile`)).status).toBe(200);
    }
    await sleep(DUE_MS);
    expect(await groupsOf(journey, browser)).toEqual(['team-a', 'team-b']);
    const said = journey.log.filter((line) => line.includes('sessions cannot be checked'));
    // By each of the two.
    expect(said.length).toBeGreaterThanOrEqual(1);
    expect(said.length).toBeLessThanOrEqual(2);
    const metrics = await Promise.all(instances.map(async ({ admin }) => (await fetch(`${admin}/metrics`)).text()));
    expect(metrics.join('\n')).toMatch(
      /latchgate_session_checks_total\{login="acme",outcome="failed",code="provider_unavailable"\} [1-9]/,
    );
    expect(metrics.join('\n')).toMatch(
      /latchgate_session_checks_total\{login="acme",outcome="renewed",code="ok"\} [1-9]/,
    );
  });
});

describe('a session without requests', () => {
  let journey: Journey;
  let backend: OpenBackend;
  beforeAll(async () => {
    journey = await startJourney({
      people: [person('ann')],
      sections: {
        ...GOODDATA,
        login: login('1s'),
        session: '{ secrets: ["only for tests, and long enough for the rule"], idle: 4s }',
      },
      start: false,
    });
    backend = await startOpenBackend(journey.gooddata.url);
    await journey.start({ GOODDATA_URL: backend.url });
  });
  afterAll(async () => {
    // Or the gateway would wait for what is open.
    await journey.cli('sessions', 'end', '--all');
    await journey.close();
    await backend?.close();
  });

  it('is checked as long as something is open for it, and idles all the same', async () => {
    const browser = await loggedIn(journey, 'ann');
    const cookie = `latchgate=${browser.cookie(journey.url, 'latchgate')}`;
    const work = await openAll([journey.url], journey.url, cookie);
    const before = journey.idp.refreshes;
    await until('two checks', () => journey.idp.refreshes >= before + 2 || undefined);
    expect(work.filter(({ isOver }) => isOver)).toEqual([]);
    await sleep(4_000);
    expect((await browser.call(`${journey.url}/`)).status).toBe(401);
    await until('all is cut off', () => work.every(({ isOver }) => isOver) || undefined);
  });
});

it('a session ends at its end with all that is open for it, busy or not, and nobody else’s does', async () => {
  const session = (absolute: string) =>
    `{ secrets: ["only for tests, and long enough for the rule"], absolute: ${absolute} }`;
  const journey = await startJourney({
    people: [person('ann'), person('ben')],
    sections: { ...GOODDATA, login: login('off'), session: session('6s') },
    start: false,
  });
  const backend = await startOpenBackend(journey.gooddata.url);
  try {
    await journey.start({ GOODDATA_URL: backend.url });
    const ann = await loggedIn(journey, 'ann');
    const work = await openAll([journey.url], journey.url, `latchgate=${ann.cookie(journey.url, 'latchgate')}`);
    await sleep(3_000);
    const ben = await loggedIn(journey, 'ben');
    const others = await openAll([journey.url], journey.url, `latchgate=${ben.cookie(journey.url, 'latchgate')}`);
    expect(work.filter(({ isOver }) => isOver)).toEqual([]);
    await until('ann is cut off', () => work.every(({ isOver }) => isOver) || undefined);
    expect(others.filter(({ isOver }) => isOver)).toEqual([]);
    expect((await ann.call(`${journey.url}/`)).status).toBe(401);
    await until('ben is, too', () => others.every(({ isOver }) => isOver) || undefined);
  } finally {
    await journey.cli('sessions', 'end', '--all');
    await journey.close();
    await backend.close();
  }
});

it('a login with refresh: off is never asked about', async () => {
  const journey = await startJourney({ people: [person('ann')], sections: { ...GOODDATA, login: login('off') } });
  try {
    const browser = await loggedIn(journey, 'ann');
    journey.idp.remove('ann');
    await sleep(DUE_MS);
    expect((await browser.call(`${journey.url}/api/v1/profile`)).status).toBe(200);
    expect(journey.idp.refreshes).toBe(0);
  } finally {
    await journey.close();
  }
});

it('a provider session is ended by a logout whose ID token has expired', async () => {
  const journey = await startJourney({ people: [person('ann')], idTokenTtl: 1 });
  try {
    const browser = await loggedIn(journey, 'ann');
    await sleep(2_100);
    const away = await browser.submit(await browser.visit(`${journey.url}/.latchgate/logout`));
    // Back at the gateway, which sends to the provider, which asks who it is.
    expect([away.status, away.url.pathname.startsWith('/interaction/')]).toEqual([200, true]);
    expect(journey.idp.revoked).toEqual(['ann']);
  } finally {
    await journey.close();
  }
});

it('a lost group closes what is open where only who has it may go, and nothing else', async () => {
  const journey = await startJourney({
    people: [person('ann', { groups: ['team-a', 'team-b'] }), person('ben', { groups: ['team-a'] })],
    sections: {
      ...GOODDATA,
      login: login('1s'),
      routes: '[{ path: /open, to: gooddata, when: { groups: team-a } }, { path: /, to: gooddata }]',
    },
    start: false,
  });
  const backend = await startOpenBackend(journey.gooddata.url);
  try {
    await journey.start({ GOODDATA_URL: backend.url });
    const open = async (browser: Browser) =>
      openAll([journey.url], journey.url, `latchgate=${browser.cookie(journey.url, 'latchgate')}`);
    const ann = await loggedIn(journey, 'ann');
    const work = await open(ann);
    const others = await open(await loggedIn(journey, 'ben'));
    const before = journey.idp.refreshes;
    await until('two checks of each', () => journey.idp.refreshes >= before + 4 || undefined);
    expect([...work, ...others].filter(({ isOver }) => isOver)).toEqual([]);
    journey.idp.setClaims('ann', claimsOf('ann', { groups: ['team-b'] }));
    await until('all is cut off', () => work.every(({ isOver }) => isOver) || undefined);
    expect(others.filter(({ isOver }) => isOver)).toEqual([]);
    expect(await groupsOf(journey, ann)).toEqual(['team-b']);
  } finally {
    await journey.cli('sessions', 'end', '--all');
    await journey.close();
    await backend.close();
  }
});
