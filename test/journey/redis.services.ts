import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { type Browser, refusalOn } from './browser.ts';
import { BOTH, person } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

// Two gateways whose sessions are in one Redis, which comes and goes.
let redis: RunningRedis;
let journey: Journey;
let first: Instance;
let second: Instance;

beforeAll(async () => {
  redis = await startRedis({ durable: true });
  const session = `{ secrets: ["only for tests, and long enough for the rule"], store: "redis://${redisUserInfo()}${redis.address}" }`;
  journey = await startJourney({
    people: ['ann', 'tim'].map((sub) => person(sub, { groups: ['team-a'] })),
    sections: { ...BOTH, session },
    start: false,
  });
  first = await journey.start();
  second = await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' });
});
afterAll(async () => {
  await journey?.close();
  await redis?.stop();
});

/** Status that a gateway answers with to whoever holds the cookie of this browser. */
async function statusAt(gateway: Instance, browser: Browser): Promise<number> {
  const other = journey.browser();
  other.setCookie(gateway.url, 'latchgate', browser.cookie(journey.url, 'latchgate') ?? '');
  return (await other.call(`${gateway.url}/`, { headers: { host: new URL(journey.url).host } })).status;
}

async function logIn(sub: string): Promise<Browser> {
  const browser = journey.browser();
  expect((await browser.logIn(`${journey.url}/`, sub)).status).toBe(200);
  return browser;
}

async function logOut(browser: Browser): Promise<void> {
  await browser.submit(await browser.visit(`${journey.url}/.latchgate/logout`));
}

it('a login at one is good at the other, and a logout at one is one at the other within a second', async () => {
  const browser = await logIn('ann');
  expect(await statusAt(second, browser)).toBe(200);
  await logOut(browser);
  const started = performance.now();
  await until('the end at the other', async () => (await statusAt(second, browser)) === 401, 3_000);
  console.info(`logged out at the other gateway after ${Math.round(performance.now() - started)} ms`);
  expect(await statusAt(first, browser)).toBe(401);
});

it('commands list and end what is in Redis', async () => {
  const browsers = [await logIn('ann'), await logIn('ann'), await logIn('tim')];
  const { out } = await journey.cli('sessions', 'list', '--json');
  expect(out.split('\n')).toHaveLength(3);
  expect((await journey.cli('sessions', 'end', '--all')).code).toBe(0);
  for (const gateway of [first, second]) {
    for (const one of browsers) await until('the end', async () => (await statusAt(gateway, one)) === 401, 3_000);
  }
  expect((await journey.cli('sessions', 'list', '--json')).out).toBe('');
});

it('while Redis is away everybody gets 503, readiness says so, and afterwards all goes on as before', async () => {
  const [stays, leaves] = [await logIn('ann'), await logIn('tim')];
  await logOut(leaves);
  await redis.kill9();
  await until('the end of what is remembered', async () => (await statusAt(first, stays)) === 503, 5_000);
  const page = await stays.visit(`${journey.url}/`);
  expect([page.status, refusalOn(page).code]).toEqual([503, 'session_store_unavailable']);
  expect(await statusAt(second, stays)).toBe(503);
  expect([401, 503]).toContain(await statusAt(first, leaves));
  expect([401, 503]).toContain(await statusAt(second, leaves));
  // An answer stands for two seconds, so that pollers load nothing.
  await until('readiness', async () => (await fetch(`${journey.admin()}/readyz`)).status === 503, 5_000);
  const ready = await fetch(`${journey.admin()}/readyz`);
  expect(await ready.json()).toMatchObject({ checks: { sessions: { ok: false, code: 'session_store_unavailable' } } });
  const cli = await journey.cli('sessions', 'list');
  expect([cli.code, cli.err]).toEqual([1, expect.stringMatching(/^session_store_unavailable: /)]);
  await redis.start();
  const started = performance.now();
  for (const gateway of [first, second]) {
    await until('the session', async () => (await statusAt(gateway, stays)) === 200, 10_000);
  }
  console.info(`served again ${Math.round(performance.now() - started)} ms after Redis`);
  for (const gateway of [first, second]) expect(await statusAt(gateway, leaves)).toBe(401);
  expect((await journey.browser().logIn(`${journey.url}/`, 'tim')).status).toBe(200);
  await until('readiness', async () => (await fetch(`${journey.admin()}/readyz`)).ok);
});

it('a Redis that comes back empty is a login for everybody, and nothing worse', async () => {
  const browser = await logIn('ann');
  await redis.command('flushall');
  await sleep(1_000);
  await redis.command('client', 'kill', 'type', 'normal');
  for (const gateway of [first, second]) {
    await until('the login', async () => (await statusAt(gateway, browser)) === 401, 5_000);
  }
  expect((await browser.logIn(`${journey.url}/`, 'ann')).status).toBe(200);
});

it('the log says that Redis was away, and not its password', async () => {
  await logIn('ann');
  const log = journey.log.join('\n');
  expect(log).toMatch(/the session store does not answer/);
  expect(log).toMatch(/the session store answers again/);
  expect(log).not.toContain('with @ everything');
});
