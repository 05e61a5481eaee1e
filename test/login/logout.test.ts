import { setTimeout as sleep } from 'node:timers/promises';
import { decodeJwt } from 'jose';
import { LatchgateError } from '../../src/model/errors.ts';
import { ask, Browser, type Site, startSite } from './site.ts';

const PATH = '/.latchgate/logout';
let site: Site;
let plain: Site;

beforeAll(async () => {
  [site, plain] = await Promise.all([
    startSite({ origins: ['http://reports.example.com'] }),
    startSite({
      logins: { staff: { label: 'Staff' }, partners: { label: 'Partners', email_domains: 'partner.example' } },
    }),
  ]);
});
afterAll(() => Promise.all([site.close(), plain.close()]));

async function loggedIn(at = site, query = ''): Promise<Browser> {
  const browser = new Browser(at);
  await browser.logIn('alice', query);
  expect(await browser.who()).toBe('alice');
  return browser;
}

const post = (browser: Browser, headers: Record<string, string>, path = PATH) =>
  browser.send(path, { method: 'POST', headers });

describe('asking', () => {
  it('logs nobody out, and says who is there', async () => {
    const browser = await loggedIn();
    const { status, text, headers } = await browser.send(PATH);
    expect(status).toBe(200);
    expect(text).toContain('alice');
    expect(text).toContain(`<form class="actions" method="post" action="${PATH}">`);
    // no-referrer would turn the Origin of this very form into null.
    expect(headers['referrer-policy']).toBe('strict-origin');
    expect(await browser.who()).toBe('alice');
  });

  it('takes along where to go afterwards, if that is a place to go', async () => {
    const browser = await loggedIn();
    expect((await browser.send(`${PATH}?rd=/bye`)).text).toContain(`action="${PATH}?rd=%2Fbye"`);
    expect((await browser.send(`${PATH}?rd=//evil.example`)).text).toContain(`action="${PATH}"`);
  });

  it('says so when nobody is logged in', async () => {
    const { text } = await ask(site.url, `${PATH}?rd=/bye`);
    expect(text).toContain('You are not logged in');
    expect(text).toContain('href="/.latchgate/login?rd=%2Fbye"');
  });
});

describe('logging out', () => {
  it('ends the session here and at the provider, so that the next login asks who you are', async () => {
    const browser = await loggedIn();
    const session = browser.jar.get('latchgate') as string;
    const answer = await post(browser, { origin: site.url });
    expect(answer.status).toBe(303);
    const there = new URL(answer.location as string);
    expect(there.origin).toBe(site.emulator.issuer);
    expect(there.searchParams.get('post_logout_redirect_uri')).toBe(`${site.url}/`);
    expect(there.searchParams.get('id_token_hint')).toMatch(/^eyJ/);
    expect(browser.jar.has('latchgate')).toBe(false);
    browser.jar.set('latchgate', session);
    expect(await browser.who()).toBe('401');
  });

  it('takes the cookies of the backends away', async () => {
    const { headers } = await post(await loggedIn(), { origin: site.url });
    expect(headers['set-cookie']).toContain('backend_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax');
  });

  it('is a page where there is nothing to tell a provider, also for who is not logged in', async () => {
    const { status, text } = await post(new Browser(site), { origin: site.url });
    expect(status).toBe(200);
    expect(text).toContain('Logged out');
    const elsewhere = await post(new Browser(site), { origin: site.url }, `${PATH}?rd=/bye`);
    expect(elsewhere).toMatchObject({ status: 303, location: '/bye' });
    const evil = await post(new Browser(site), { origin: site.url }, `${PATH}?rd=//evil.example`);
    expect(evil.status).toBe(200);
  });

  it('of somebody who was refused goes to the provider that was named', async () => {
    const { location } = await post(new Browser(site), { origin: site.url }, `${PATH}?login=staff`);
    expect(new URL(location as string).origin).toBe(site.emulator.issuer);
    expect((await post(new Browser(site), { origin: site.url }, `${PATH}?login=nobody`)).status).toBe(200);
  });

  it('tells a program where else to log out', async () => {
    const answer = await post(await loggedIn(), { origin: site.url, accept: 'application/json' });
    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.text)).toEqual({
      logged_out: true,
      logout_url: expect.stringContaining(site.emulator.issuer),
    });
  });

  it('gives the refresh token back, so that nobody can use it any more', async () => {
    const browser = await loggedIn();
    const id = site.cookies.read(`latchgate=${browser.jar.get('latchgate')}`) as string;
    const { tokens } = (await site.store.loadWhole(id)) ?? {};
    const refresh = async () => {
      const body = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: tokens?.refreshToken ?? '' });
      const authorization = `Basic ${Buffer.from('gateway-staff:a+secret+of+the+gateway').toString('base64')}`;
      return (
        await fetch(`${site.emulator.issuer}/token`, { method: 'POST', body, headers: { authorization } })
      ).json();
    };
    await post(browser, { origin: site.url });
    for (let waits = 0; waits < 100 && !site.emulator.revoked.length; waits += 1) await sleep(20);
    expect(await refresh()).toMatchObject({ error: 'invalid_grant' });
  });

  it('works while the provider is down', async () => {
    const down = await startSite();
    const browser = await loggedIn(down);
    await down.emulator.close();
    expect((await post(browser, { origin: down.url })).status).toBeLessThan(400);
    expect(await browser.who()).toBe('401');
    await down.close();
  });
});

describe('a login that was refused after the provider had let the person in', () => {
  beforeEach(() => {
    site.refuseWith = new LatchgateError('denied_by_rule', 'x');
  });
  afterEach(() => {
    site.refuseWith = undefined;
    site.clockAhead = 0;
  });

  /** What the page of the refusal sends along. */
  async function refusedHint(): Promise<string> {
    const { status, text } = await new Browser(site).logIn('alice');
    expect(status).toBe(403);
    expect(text).not.toContain('eyJ');
    return /<input type="hidden" name="hint" value="([^"]+)">/.exec(text)?.[1] ?? 'none';
  }
  const switchUser = async (hint: string, query = '?login=staff') => {
    const headers = { origin: site.url };
    const { status, location } = await new Browser(site).send(PATH + query, {
      method: 'POST',
      headers,
      form: { hint },
    });
    expect(status).toBe(303);
    return new URL(location as string).searchParams.get('id_token_hint');
  };

  it('is ended at the provider without a question, though nothing of it is stored here', async () => {
    const before = await site.store.count();
    const hint = await refusedHint();
    expect(await site.store.count()).toBe(before);
    expect(decodeJwt((await switchUser(hint)) as string)).toMatchObject({ sub: 'alice', aud: 'gateway-staff' });
  });

  it.each([
    ['that was changed', (hint: string) => `${hint.slice(0, -4)}AAAA`],
    ['of nothing', () => ''],
    ['that is a token itself', () => 'eyJhbGciOiJub25lIn0.e30.'],
    ['without end', () => 'v1.'.padEnd(20_000, 'A')],
  ])('takes no hint %s', async (_what, change) => {
    expect(await switchUser(change(await refusedHint()))).toBeNull();
  });

  it('takes it for ten minutes', async () => {
    const hint = await refusedHint();
    site.clockAhead = 600_000;
    expect(await switchUser(hint)).toBeNull();
  });

  it('of which nobody is told when the person does not switch', async () => {
    const page = await new Browser(site).send(PATH, {
      method: 'POST',
      headers: { origin: site.url },
      form: { hint: 'x' },
    });
    expect(page.status).toBe(200);
  });
});

describe('who may log a person out', () => {
  const own: [what: string, headers: () => Record<string, string>][] = [
    ['our own page', () => ({ origin: site.url })],
    ["our own page, with the browser's word", () => ({ origin: site.url, 'sec-fetch-site': 'same-origin' })],
    ['our own page that hides its origin', () => ({ origin: 'null', 'sec-fetch-site': 'same-origin' })],
    ['our own page without an origin', () => ({ 'sec-fetch-site': 'same-origin' })],
    ['a listed host beside ours', () => ({ origin: 'http://reports.example.com', 'sec-fetch-site': 'same-site' })],
  ];

  it.each(own)('%s', async (_what, headers) => {
    const browser = await loggedIn();
    expect((await post(browser, headers())).status).toBeLessThan(400);
    expect(await browser.who()).toBe('401');
  });

  const others: [what: string, headers: () => Record<string, string>][] = [
    ['another site', () => ({ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })],
    ['another site, before browsers said so', () => ({ origin: 'https://evil.example' })],
    ['another site that hides its origin', () => ({ origin: 'null', 'sec-fetch-site': 'cross-site' })],
    ['a sandboxed frame', () => ({ origin: 'null' })],
    ['another port of our host', () => ({ origin: site.url.replace(/:\d+$/, ':1') })],
    ['our host by another scheme', () => ({ origin: site.url.replace('http:', 'https:') })],
    ['a host that begins as ours', () => ({ origin: `${site.url}.evil.example` })],
    ['a path of ours', () => ({ origin: `${site.url}/` })],
    ['two origins at once', () => ({ origin: `${site.url}, https://evil.example` })],
    ['our origin in other letters', () => ({ origin: site.url.toUpperCase() })],
    ['a sister host that is not listed', () => ({ origin: 'null', 'sec-fetch-site': 'same-site' })],
    ['our origin from a cross-site request', () => ({ origin: site.url, 'sec-fetch-site': 'cross-site' })],
    ['nobody that says who they are', () => ({})],
    ['only a referrer', () => ({ referer: `${site.url}/` })],
  ];

  it.each(others)('not %s', async (_what, headers) => {
    const browser = await loggedIn();
    const { status, text } = await post(browser, headers());
    expect(status).toBe(403);
    expect(text).toContain('origin_not_allowed');
    expect(await browser.who()).toBe('alice');
  });
});

describe('with several providers', () => {
  it('people choose', async () => {
    const { status, text } = await ask(plain.url, '/.latchgate/login?rd=/x');
    expect(status).toBe(200);
    expect(text).toContain('href="/.latchgate/login?rd=%2Fx&amp;login=staff"');
    expect(text).toContain('Partners');
    expect((await new Browser(plain).logIn('bob', 'login=partners&rd=/x')).location).toBe('/x');
  });

  it('an e-mail address may choose, and is passed on', async () => {
    const { location } = await ask(plain.url, '/.latchgate/login?rd=/x&login_hint=Ann@PARTNER.example');
    const { searchParams } = new URL(location as string);
    expect(searchParams.get('client_id')).toBe('gateway-partners');
    expect(searchParams.get('login_hint')).toBe('Ann@PARTNER.example');
  });

  it.each(['ann@elsewhere.example', 'ann@partner.example.evil.example', 'ann@'])(
    'an address of nobody (%s) leaves the choice',
    async (hint) => {
      const { status, text } = await ask(plain.url, `/.latchgate/login?login_hint=${hint}`);
      expect(status).toBe(200);
      expect(text).not.toContain('elsewhere');
    },
  );

  it('a program gets the list', async () => {
    const { text } = await ask(plain.url, '/.latchgate/login', { headers: { accept: 'application/json' } });
    expect(JSON.parse(text)).toEqual({
      logins: [
        { label: 'Staff', address: '/.latchgate/login?rd=%2F&login=staff' },
        { label: 'Partners', address: '/.latchgate/login?rd=%2F&login=partners' },
      ],
    });
  });

  it('a state of one is nothing to the other', async () => {
    const browser = new Browser(plain);
    const callback = await browser.callbackFor('alice', 'login=staff');
    const crossed = await browser.send(callback.replace('/callback/staff', '/callback/partners'));
    expect(crossed.status).toBe(400);
    expect(crossed.text).toContain('login_state_invalid');
    expect(await browser.who()).toBe('401');
  });

  it('a logout goes to the one that logged in', async () => {
    const browser = await loggedIn(plain, 'login=partners');
    const { location } = await post(browser, { origin: plain.url });
    expect(new URL(location as string).searchParams.get('client_id')).toBe('gateway-partners');
  });
});

describe('while the provider is down', () => {
  it('a login is a page that says so, and recovers', async () => {
    const down = await startSite({ logins: { staff: { issuer: 'http://127.0.0.1:1' } } });
    const { status, text, headers } = await ask(down.url, '/.latchgate/login?rd=/x');
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('5');
    expect(headers['set-cookie']).toBeUndefined();
    expect(text).toContain('provider_unavailable');
    expect(text).toContain('href="/.latchgate/login?rd=%2Fx"');
    await down.close();
  });
});
