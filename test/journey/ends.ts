import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type Balancer, startBalancer } from './balancer.ts';
import type { Browser } from './browser.ts';
import { CLIENT_ID, CLIENT_SECRET, claimsOf, GOODDATA, person, type Sections } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';
import { tellLogout } from './logout-token.ts';
import { endedAfterMs, type OpenBackend, type Opened, openAll, startOpenBackend } from './open-work.ts';

/*
 * Every way in which a session ends, with everything that it has open on two gateways: requests are refused, event
 * streams, downloads and WebSockets are cut off on both, and those of somebody else go on.
 */

const WAYS = ['logout', 'sub', 'sid', 'gone', 'denied', 'disabled', 'ended', 'all'];

const login = (refresh: string) => `
  acme: { issuer: "\${ISSUER}", client_id: ${CLIENT_ID}, client_secret: ${CLIENT_SECRET}, refresh: ${refresh} }`;
const rules = `
  same-name: { when: { groups: "team-*" }, grant: { gooddata: { groups: ["\${match}"] } } }
  suspended: { when: { groups: suspended }, deny: Your access is suspended. }`;

export interface EndsOptions {
  /** The section of the config; default the company's. */
  readonly session?: () => Promise<string>;
  /**
   * From the word that it is done to the end of everything, in milliseconds. Then sessions are not checked with the
   * provider meanwhile, which would find the end too, and the ways that a check alone finds are left out. Default: some
   * time, with a check every second.
   */
  readonly withinMs?: number;
}

let journey: Journey;
let backend: OpenBackend;
let balancer: Balancer;
let instances: Instance[];
let bob: readonly Opened[];
let bobs: Browser;
let withinMs: number | undefined;

async function start({ session, ...options }: EndsOptions): Promise<void> {
  withinMs = options.withinMs;
  const own: Sections = session === undefined ? {} : { session: await session() };
  journey = await startJourney({
    people: [...WAYS, 'bob'].map((sub) => person(sub, { groups: ['team-a'] })),
    sections: { ...GOODDATA, login: login(withinMs === undefined ? '1s' : '5m'), rules, ...own },
    start: false,
  });
  backend = await startOpenBackend(journey.gooddata.url);
  instances = [];
  for (const _ of [1, 2]) {
    instances.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0', GOODDATA_URL: backend.url }));
  }
  balancer = await startBalancer(Number(new URL(journey.url).port), instances);
  bobs = await loggedIn('bob');
  bob = await opened(bobs);
}

async function stop(): Promise<void> {
  await balancer?.close();
  await journey?.close();
  await backend?.close();
}

async function loggedIn(sub: string): Promise<Browser> {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, sub)).status).toBe(200);
  return browser;
}

const cookieOf = (browser: Browser) => `latchgate=${browser.cookie(journey.url, 'latchgate')}`;

function opened(browser: Browser): Promise<Opened[]> {
  return openAll(
    instances.map(({ url }) => url),
    journey.url,
    cookieOf(browser),
  );
}

/** What each gateway says to a call of this browser. */
function calls(browser: Browser): Promise<number[]> {
  const headers = { cookie: cookieOf(browser), accept: 'application/json', host: new URL(journey.url).host };
  return Promise.all(
    instances.map(async ({ url }) => {
      const answer = await request(`${url}/api/v1/profile`, { headers });
      await answer.body.dump();
      return answer.statusCode;
    }),
  );
}

const tell = (about: Readonly<Record<string, unknown>>) => tellLogout(journey, about);

/** `since`: when who ended it was told that it is done. */
async function expectAllOver(what: string, browser: Browser, work: readonly Opened[], since: number): Promise<void> {
  if (withinMs !== undefined) await sleep(since + withinMs - performance.now());
  if (withinMs !== undefined) expect(await calls(browser)).toEqual([401, 401]);
  await until(`${what}: all is cut off`, () => work.every(({ isOver }) => isOver) || undefined);
  if (withinMs !== undefined) expect(endedAfterMs(work, since)).toBeLessThan(withinMs);
  await until(`${what}: no request goes through`, async () => {
    const answers = await calls(browser);
    return answers.every((status) => status === 401) || undefined;
  });
}

async function expectBobGoesOn(): Promise<void> {
  const before = bob.map(({ bytes }) => bytes);
  await until('bob hears more', () => bob.every(({ bytes }, at) => bytes > (before[at] ?? 0)) || undefined);
  expect(bob.filter(({ isOver }) => isOver)).toEqual([]);
  expect(await calls(bobs)).toEqual([200, 200]);
}

async function sidOf(sub: string): Promise<string> {
  const sid = journey.idp.sessionOf(sub);
  if (sid === undefined) throw new Error(`the provider has no session of ${sub}`);
  return sid;
}

/** What the gateway or an operator is told. */
const TOLD: [sub: string, what: string, end: (browser: Browser) => Promise<unknown>][] = [
  [
    'logout',
    'the person logs out',
    async (browser) => browser.submit(await browser.visit(`${journey.url}/.latchgate/logout`)),
  ],
  ['sub', 'the provider says that the person logged out', () => tell({ sub: 'sub' })],
  ['sid', 'the provider says that its session is over', async () => tell({ sid: await sidOf('sid') })],
  ['disabled', 'somebody types users disable', () => journey.cli('users', 'disable', 'disabled@acme.test')],
  ['ended', 'somebody types sessions end', () => journey.cli('sessions', 'end', '--user', 'ended@acme.test')],
];

/** What a check finds. */
const FOUND: typeof TOLD = [
  ['gone', 'the provider does not know the person any more', async () => journey.idp.remove('gone')],
  [
    'denied',
    'a rule denies what the provider says by now',
    async () => journey.idp.setClaims('denied', claimsOf('denied', { groups: ['suspended'] })),
  ],
];

export function describeEnds(name: string, options: EndsOptions = {}): void {
  describe(name, () => {
    beforeAll(() => start(options));
    afterAll(stop);

    it.each(options.withinMs === undefined ? [...TOLD, ...FOUND] : TOLD)('%s: when %s', async (sub, what, end) => {
      const browser = await loggedIn(sub);
      const work = await opened(browser);
      expect(work).toHaveLength(6);
      expect(await calls(browser)).toEqual([200, 200]);
      await end(browser);
      await expectAllOver(what, browser, work, performance.now());
      await expectBobGoesOn();
    });

    it('leaves nothing open at the backend but what bob has', async () => {
      await until('the backend knows', () => backend.open() === bob.length || undefined);
    });

    it('is in the audit, with who and why', async () => {
      const { out } = await journey.cli('audit', 'list', '--json');
      const ends = out
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .filter(({ event }) => event === 'session.ended');
      const codes = ends.map(({ code }) => code);
      const found = options.withinMs === undefined ? ['login_ended', 'denied_by_rule'] : [];
      expect([...new Set(codes)].sort()).toEqual(expect.arrayContaining(['backchannel_logout', ...found]));
      expect(ends.every(({ origin, actor }) => origin === 'acme' && actor === 'login:acme')).toBe(true);
      expect((await journey.cli('audit', 'verify')).code).toBe(0);
    });

    it('all: when somebody types sessions end --all, bob is out, too', async () => {
      const browser = await loggedIn('all');
      const work = await opened(browser);
      expect((await journey.cli('sessions', 'end', '--all')).code).toBe(0);
      await expectAllOver('everybody', browser, [...work, ...bob], performance.now());
    });
  });
}
