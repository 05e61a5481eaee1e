import { type Certificates, makeCertificates } from '../services/tls.ts';
import type { Page } from './browser.ts';
import { BOTH, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

const MAIN = 'bi.acme.test';
const REPORTS = 'reports.acme.test';

let made: Certificates;
let journey: Journey;
let main: string;
let reports: string;

beforeAll(async () => {
  made = await makeCertificates(`DNS:${MAIN}`);
  const other = await made.issue(`DNS:${REPORTS}`);
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] }), person('bob', { groups: ['team-a'] })],
    host: MAIN,
    tls: {
      ca: made.ca,
      certificateFile: `${made.certificateFile},${other.certificateFile}`,
      keyFile: `${made.keyFile},${other.keyFile}`,
    },
    sections: {
      ...BOTH,
      session: '{ secrets: ["only for tests, and long enough for the rule"], cookie_domain: acme.test }',
      routes: `[{ path: /, to: superset }, { host: ${REPORTS}, path: /, to: gooddata }]`,
    },
  });
  main = journey.url;
  reports = main.replace(MAIN, REPORTS);
});
afterAll(async () => {
  await journey.close();
  made.remove();
});

const cookies = (page: Page) => [page.headers['set-cookie'] ?? []].flat();

describe('over HTTP/2, with two hosts and a certificate each', () => {
  it('people log in, see both backends, and log out', async () => {
    const browser = journey.browser();
    const page = await browser.logIn(`${reports}/dashboards/7?x=1`, 'ann');
    expect([page.status, page.url.href]).toEqual([200, `${reports}/dashboards/7?x=1`]);
    const there = await browser.visit(`${main}/superset/welcome/`);
    expect([there.status, there.trail.length]).toEqual([200, 1]);
    const asked = await browser.visit(`${reports}/.latchgate/logout`);
    expect([asked.status, asked.headers['content-security-policy']]).toEqual([
      200,
      expect.stringContaining("default-src 'none'"),
    ]);
    await browser.submit(asked);
    for (const origin of [main, reports]) {
      expect((await browser.call(`${origin}/.latchgate/userinfo`)).status).toBe(401);
      expect((await browser.call(`${origin}/`)).status).toBe(401);
    }
    expect([...browser.protocols]).toEqual(['h2']);
  });

  it('the cookies are Secure, and that of the session is for both hosts', async () => {
    const browser = journey.browser();
    const begun = await browser.visit(`${main}/.latchgate/login`, { follow: false });
    expect(cookies(begun)).toEqual([
      expect.stringMatching(/^__Host-latchgate-login=[\w-]+; Path=\/; Max-Age=600; HttpOnly; SameSite=Lax; Secure$/),
    ]);
    const page = await browser.logIn(`${main}/superset/welcome/`, 'ann');
    expect(page.status).toBe(200);
    expect(browser.cookie(main, '__Secure-latchgate')).toBeDefined();
    expect(browser.cookie(reports, '__Secure-latchgate')).toBe(browser.cookie(main, '__Secure-latchgate'));
    expect(browser.cookie(reports, '__Host-latchgate-login')).toBeUndefined();
  });

  it.each([
    ['GET', '/.latchgate/jwks.json', 200, 'application/json; charset=utf-8'],
    ['HEAD', '/.latchgate/jwks.json', 200, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/userinfo', 401, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/logout', 200, 'text/html; charset=utf-8'],
    ['POST', '/.latchgate/logout', 403, 'application/json; charset=utf-8'],
    ['PUT', '/.latchgate/logout', 405, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/callback/acme?error=x&state=y', 400, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/callback/none', 404, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/login?login=none', 404, 'application/json; charset=utf-8'],
    ['POST', '/.latchgate/backchannel-logout/acme', 400, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/none', 404, 'application/json; charset=utf-8'],
    ['GET', '/.latchgate/%', 400, 'application/json; charset=utf-8'],
  ])('the gateway answers itself: %s %s', async (method, path, status, type) => {
    const browser = journey.browser();
    const form = method === 'POST' ? { form: { a: 'b' } } : {};
    const answer = await browser.call(`${main}${path}`, { method, ...form });
    expect([answer.status, answer.headers['content-type']]).toEqual([status, type]);
    expect(answer.headers['x-request-id']).toMatch(/^\w{16}$/);
    expect(answer.headers).not.toHaveProperty('connection');
    expect([...browser.protocols]).toEqual(['h2']);
  });

  it('a page that refuses has its request id and its way on', async () => {
    const browser = journey.browser();
    const page = await browser.visit(`${main}/.latchgate/callback/acme?state=none`);
    expect([page.status, page.headers['content-type']]).toEqual([400, 'text/html; charset=utf-8']);
    expect(page.text).toContain('login_state_invalid');
    expect(page.text).toContain(String(page.headers['x-request-id']));
    const elsewhere = await browser.visit(`${main}/a%2fb`);
    expect(elsewhere.status).toBe(400);
  });

  it('metrics say how long the certificates are still good', async () => {
    const text = await (await fetch(`${journey.admin()}/metrics`)).text();
    const lines = text.match(/^latchgate_certificate_expiry_seconds\{certificate="[^"]+"\} \d+$/gm) ?? [];
    expect(lines.length).toBe(2);
    for (const line of lines) {
      expect(Number(line.split(' ')[1])).toBeGreaterThan(80_000);
      expect(Number(line.split(' ')[1])).toBeLessThan(86_500);
    }
  });
});

it('check knows the hosts and certificates of this config', async () => {
  const { code, out, err } = await journey.cli('check');
  expect([code, err]).toEqual([0, expect.not.stringContaining('certificate_missing')]);
  expect(out).toContain('ok:');
});
