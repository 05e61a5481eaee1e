import type { Browser, Page } from './browser.ts';
import { BOTH, person } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

let journey: Journey;
let main: string;
let reports: string;

beforeAll(async () => {
  journey = await startJourney({
    people: [person('ann', { groups: ['team-a'] }), person('bob', { groups: ['team-a'] })],
    host: 'bi.localhost',
    sections: {
      ...BOTH,
      session: '{ secrets: ["only for tests, and long enough for the rule"], cookie_domain: bi.localhost }',
      routes: '[{ path: /, to: superset }, { host: reports.bi.localhost, path: /, to: gooddata }]',
    },
  });
  main = journey.url;
  reports = main.replace('bi.localhost', 'reports.bi.localhost');
});
afterAll(() => journey.close());

const paths = (page: Page) =>
  page.trail.map(({ url }) => new URL(url)).map(({ origin, pathname }) => origin + pathname);
const isIn = async (browser: Browser, origin: string) =>
  (await browser.call(`${origin}/.latchgate/userinfo`)).status === 200;

describe('one login for several hosts', () => {
  it('begins on any of them, goes over the main one, and ends where it began', async () => {
    const browser = journey.browser();
    const page = await browser.logIn(`${reports}/dashboards/7?x=1%202`, 'ann');
    expect([page.status, page.url.href]).toEqual([200, `${reports}/dashboards/7?x=1%202`]);
    expect(paths(page)).toContain(`${main}/.latchgate/callback/acme`);
    expect(paths(page)).not.toContain(`${reports}/.latchgate/callback/acme`);
    const there = await browser.visit(`${main}/superset/welcome/`);
    expect([there.status, there.trail.length]).toEqual([200, 1]);
    expect(there.text).toContain('ann');
  });

  it('is in a cookie that all hosts get, and the cookie of a login under way is of the main host alone', async () => {
    const browser = journey.browser();
    const first = await browser.visit(`${reports}/`, { follow: false });
    expect(first.headers['location']).toBe(`${main}/.latchgate/login?rd=${encodeURIComponent(`${reports}/`)}`);
    const login = await browser.visit(String(first.headers['location']), { follow: false });
    expect(login.headers['set-cookie']).toMatch(/^latchgate-login=/);
    expect(login.headers['set-cookie']).not.toMatch(/domain/i);
    await browser.logIn(`${reports}/`, 'ann');
    expect(browser.cookie(reports, 'latchgate')).toBe(browser.cookie(main, 'latchgate'));
    expect(browser.cookie(main, 'latchgate-login')).toBeDefined();
    expect(browser.cookie(reports, 'latchgate-login')).toBeUndefined();
    expect(browser.cookie(main.replace('bi.localhost', 'localhost'), 'latchgate')).toBeUndefined();
  });

  it('may be asked for on each of them', async () => {
    const browser = journey.browser();
    const page = await browser.logIn(`${reports}/.latchgate/login?rd=/a`, 'ann');
    expect(page.url.href).toBe(`${reports}/a`);
    const back = await browser.logIn(`${reports}/.latchgate/login?rd=${encodeURIComponent(`${main}/b`)}`, 'ann');
    expect(back.url.href).toBe(`${main}/b`);
  });

  it.each([
    'https://evil.example/',
    'http://reports.bi.localhost/',
    'http://other.bi.localhost/',
    '//evil.example/',
    'http://reports.bi.localhost@evil.example/',
  ])('never goes on to %s', async (rd) => {
    for (const origin of [main, reports]) {
      const page = await journey.browser().logIn(`${origin}/.latchgate/login?rd=${encodeURIComponent(rd)}`, 'ann');
      expect([page.status, page.url.origin]).toEqual([200, origin]);
      expect(paths(page)).toContain(`${origin}/`);
    }
  });

  it('never goes round in circles on a further host', async () => {
    const rd = encodeURIComponent(`${reports}/.latchgate/login?rd=/x`);
    const page = await journey.browser().logIn(`${main}/.latchgate/login?rd=${rd}`, 'ann');
    expect([page.status, page.url.origin]).toEqual([200, main]);
    expect(paths(page)).not.toContain(`${reports}/.latchgate/login`);
  });

  it('ends on the main host only', async () => {
    const answer = await journey.browser().visit(`${reports}/.latchgate/callback/acme?code=x&state=y`);
    expect(answer.status).toBe(404);
  });
});

describe('the end of a session', () => {
  it.each(['main', 'reports'])('asked for on %s is its end on all hosts, and nobody else’s', async (name) => {
    const origin = name === 'main' ? main : reports;
    const [ann, bob] = [journey.browser(), journey.browser()];
    await ann.logIn(`${reports}/`, 'ann');
    await bob.logIn(`${main}/`, 'bob');
    expect([await isIn(ann, main), await isIn(ann, reports)]).toEqual([true, true]);
    const asked = await ann.visit(`${origin}/.latchgate/logout?rd=/bye`);
    await ann.submit(asked);
    expect([await isIn(ann, main), await isIn(ann, reports)]).toEqual([false, false]);
    expect(ann.cookie(main, 'latchgate')).toBeUndefined();
    expect(ann.cookie(reports, 'latchgate')).toBeUndefined();
    expect(await isIn(bob, reports)).toBe(true);
  });
});

describe('a cookie of our name from another domain', () => {
  it('beside the real one is no session, and the next login takes it away', async () => {
    const browser = journey.browser();
    await browser.logIn(`${main}/`, 'ann');
    browser.setCookie(main, 'latchgate', 'left over');
    expect(await isIn(browser, main)).toBe(false);
    expect(browser.cookie(main, 'latchgate')).toBeUndefined();
    const page = await browser.logIn(`${main}/`, 'ann');
    expect([page.status, await isIn(browser, main)]).toEqual([200, true]);
  });

  it('that another deployment would use is nothing to us', async () => {
    const browser = journey.browser();
    await browser.logIn(`${main}/`, 'ann');
    browser.setCookie(main, '__Host-latchgate', 's%3Aold.old');
    browser.setCookie(reports, '__Secure-latchgate', 's%3Aold.old');
    expect([await isIn(browser, main), await isIn(browser, reports)]).toEqual([true, true]);
  });
});

it('each host has its own backend, which sees the host that was asked', async () => {
  const browser = journey.browser();
  await browser.logIn(`${main}/`, 'ann');
  expect((await browser.visit(`${main}/`)).text).not.toBe((await browser.visit(`${reports}/`)).text);
  const elsewhere = main.replace('bi.localhost', 'other.bi.localhost');
  const refused = await browser.visit(`${elsewhere}/`);
  expect([refused.status, refused.headers['content-type']]).toEqual([421, 'text/html; charset=utf-8']);
  expect(refused.text).toContain('No service is set up under this host name');
  expect((await browser.call(`${elsewhere}/.latchgate/jwks.json`)).status).toBe(200);
});
