import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import type { Browser } from '../journey/browser.ts';
import { until } from '../journey/harness.ts';
import { endedAfterMs, type Opened, openAll } from '../journey/open-work.ts';
import { freePort } from '../services/child.ts';
import { keycloakPassword, type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';
import { type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { command, type Site, startSite, sumOf } from './site.ts';

/*
 * Two instances as they run in production: behind nginx, with a real Redis, PostgreSQL and Keycloak. What is done at one
 * is looked at at the other.
 */

/** Longer than all requests of a test take on a busy machine: none of them meets the next check. */
const CHECKED_EVERY_S = 20;
const DUE_MS = CHECKED_EVERY_S * 1_000 + 200;
const SEEN_WITHIN_MS = 1_000;

let keycloak: RunningKeycloak;
let redis: RunningRedis;
let site: Site;
let port: number;

beforeAll(async () => {
  port = await freePort();
  keycloak = await startKeycloak({ gatewayUrl: `http://127.0.0.1:${port}`, loginName: 'acme' });
  await keycloak.admin.recordEvents('REFRESH_TOKEN', 'REFRESH_TOKEN_ERROR');
}, 900_000);
afterAll(() => keycloak?.stop(), 120_000);

/** Two instances with a Redis and a database of their own. */
function haveSite({ refresh }: { readonly refresh: string }): void {
  beforeAll(async () => {
    redis = await startRedis({ durable: true });
    const store = `"redis://${redisUserInfo()}${redis.address}"`;
    site = await startSite({ port, issuer: keycloak, store, openWork: true, refresh });
  }, 120_000);
  afterAll(async () => {
    await site?.close();
    await redis?.stop();
  }, 120_000);
}

/** Fills in Keycloak's form, and comes back to one of the instances. */
async function logInAs(name: string): Promise<Browser> {
  const browser = site.browser();
  const form = await browser.visit(`${site.url}/start`);
  const action = /<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"/.exec(form.text)?.[1]?.replaceAll('&amp;', '&');
  const fields = { username: name, password: keycloakPassword(name), credentialId: '' };
  const page = await browser.visit(action ?? '', { method: 'POST', form: fields });
  expect([page.status, page.url.href]).toEqual([200, `${site.url}/start`]);
  return browser;
}

const cookieOf = (browser: Browser) => `latchgate=${browser.cookie(site.url, 'latchgate')}`;

/** By address of the instance, whatever nginx does. */
async function statusAt(address: string | undefined, cookie: string): Promise<number> {
  const headers = { host: new URL(site.url).host, cookie, accept: 'application/json' };
  const answer = await request(`${address}/anything`, { headers });
  await answer.body.dump();
  return answer.statusCode;
}

const everywhere = (cookie: string) => Promise.all(site.addresses.map((address) => statusAt(address, cookie)));
const opened = (browser: Browser) => openAll(site.addresses, site.url, cookieOf(browser));

async function expectGoesOn(work: readonly Opened[]): Promise<void> {
  const before = work.map(({ bytes }) => bytes);
  await until('more', () => work.every(({ bytes }, at) => bytes > (before[at] ?? 0)) || undefined);
  expect(work.filter(({ isOver }) => isOver)).toEqual([]);
}

describe('sessions that nobody checks with Keycloak for the time being', () => {
  haveSite({ refresh: '5m' });

  it('a login at one instance is good at the other', async () => {
    expect(await everywhere(cookieOf(await logInAs('carol')))).toEqual([200, 200]);
  });

  it.each([
    [0, 1],
    [1, 0],
  ])(
    'a logout at instance %i is one at instance %i within a second, with all that is open there',
    async (here, there) => {
      const browser = await logInAs('dave');
      const cookie = cookieOf(browser);
      const work = await openAll([site.addresses[there] as string], site.url, cookie);
      const headers = { host: new URL(site.url).host, cookie, origin: site.url };
      const asked = await request(`${site.addresses[here]}/.latchgate/logout`, {
        method: 'POST',
        headers: { ...headers, 'content-type': 'application/x-www-form-urlencoded' },
      });
      await asked.body.dump();
      expect(asked.statusCode).toBe(200);
      await sleep(SEEN_WITHIN_MS);
      expect(await everywhere(cookie)).toEqual([401, 401]);
      expect(work.map(({ isOver }) => isOver)).toEqual(work.map(() => true));
    },
  );

  it('a session that is deleted at Keycloak closes her WebSockets at both within a second, and not his', async () => {
    const [alice, bob] = [await logInAs('alice'), await logInAs('bob')];
    const [hers, his] = [await opened(alice), await opened(bob)];
    const heard = () => sumOf(site, /^latchgate_backchannel_logouts_total\{[^}]*code="ok"[^}]*\} (\d+)$/gm);
    const before = await heard();
    const [sid = ''] = await keycloak.admin.sessions('alice');
    await keycloak.admin.deleteSession(sid);
    // Keycloak has sent its word, and has the gateway's answer, before it says that the session is gone.
    const told = performance.now();
    expect((await heard()) - before).toBe(1);
    await sleep(SEEN_WITHIN_MS - (performance.now() - told));
    expect(await everywhere(cookieOf(alice))).toEqual([401, 401]);
    expect(endedAfterMs(hers, told)).toBeLessThan(SEEN_WITHIN_MS);
    await expectGoesOn(his);
    expect(await everywhere(cookieOf(bob))).toEqual([200, 200]);
    const ends = (await command(site, 'audit', 'list', '--json'))
      .split('\n')
      .filter((line) => line.includes('"session.ended"'))
      .map((line) => (JSON.parse(line) as { code: string }).code);
    expect(ends.filter((code) => code === 'backchannel_logout')).toHaveLength(1);
    expect(ends).not.toContain('login_ended');
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN', 'alice')).toBe(0);
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN_ERROR', 'alice')).toBe(0);
  });

  it('the backend heard of nobody but those who asked', () => {
    expect(site.witness.wrong).toEqual([]);
  });
});

describe('sessions whose check is due', () => {
  haveSite({ refresh: `${CHECKED_EVERY_S}s` });

  it('fifty requests at both at the moment of a check are one refresh', async () => {
    const cookie = cookieOf(await logInAs('erin'));
    await sleep(DUE_MS);
    const before = await keycloak.admin.countEvents('REFRESH_TOKEN', 'erin');
    const statuses = await Promise.all(Array.from({ length: 50 }, (_, at) => statusAt(site.addresses[at % 2], cookie)));
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await keycloak.admin.countEvents('REFRESH_TOKEN', 'erin')) - before).toBe(1);
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN_ERROR', 'erin')).toBe(0);
  });

  it('the backend heard of nobody but those who asked', () => {
    expect(site.witness.wrong).toEqual([]);
  });
});
