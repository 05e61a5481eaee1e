import { LatchgateError } from '../../src/model/errors.ts';
import { ask, Browser, type Site, startSite } from './site.ts';

let site: Site;

beforeAll(async () => {
  site = await startSite({ origins: ['http://reports.example.com'] });
});
beforeEach(() => {
  site.refuseWith = undefined;
  site.clockAhead = 0;
  site.outcomes.length = 0;
  site.asserted.length = 0;
});
afterAll(() => site.close());

const login = (query: string) => `/.latchgate/login?${query}`;

describe('a login', () => {
  it('ends where it was to go, as who logged in', async () => {
    const browser = new Browser(site);
    const answer = await browser.logIn('alice', 'rd=/superset/dashboard/7?x=1');
    expect(answer).toMatchObject({ status: 302, location: '/superset/dashboard/7?x=1' });
    expect(await browser.who()).toBe('alice');
  });

  it('waits for the target of the address alone, under the request id of the answer', async () => {
    const { headers } = await new Browser(site).logIn('alice', 'rd=/superset/welcome');
    await new Browser(site).logIn('bob');
    expect(site.asserted).toMatchObject([
      { assertion: { subject: 'alice' }, target: 'superset', requestId: headers['x-request-id'] },
      { assertion: { subject: 'bob' }, target: undefined },
    ]);
  });

  it.each([
    ['//evil.example', '/'],
    ['https://evil.example/', '/'],
    ['/%5cevil.example', '/'],
    ['/.latchgate/logout', '/'],
    ['http://reports.example.com/r/1', 'http://reports.example.com/r/1'],
  ])('with rd=%s goes to %s', async (rd, expected) => {
    const { location } = await new Browser(site).logIn('alice', `rd=${encodeURIComponent(rd)}`);
    expect(location).toBe(expected);
  });

  it('with two addresses to go to goes to neither', async () => {
    const { location } = await new Browser(site).logIn('alice', 'rd=/a&rd=/b');
    expect(location).toBe('/');
  });

  it('takes its redirect URI from public_url, whatever host was asked for', async () => {
    const { location } = await new Browser(site).send(login(''), {
      headers: { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' },
    });
    expect(new URL(location as string).searchParams.get('redirect_uri')).toBe(`${site.url}/.latchgate/callback/staff`);
  });

  it("of bob after alice in the same browser is bob, and alice's session is over", async () => {
    const browser = new Browser(site);
    await browser.logIn('alice');
    const alice = browser.jar.get('latchgate');
    browser.providerJar.clear();
    await browser.logIn('bob');
    expect(await browser.who()).toBe('bob');
    browser.jar.set('latchgate', alice as string);
    expect(await browser.who()).toBe('401');
  });

  it('takes a new session id though the browser brought one', async () => {
    const browser = new Browser(site);
    const planted = site.cookies.pair('A'.repeat(43)).split('=')[1] as string;
    browser.jar.set('latchgate', planted);
    await browser.logIn('alice');
    expect(browser.jar.get('latchgate')).not.toBe(planted);
    expect(await site.store.load('A'.repeat(43))).toBeUndefined();
  });

  it('tells how it ended', async () => {
    await new Browser(site).logIn('alice');
    expect(site.outcomes).toEqual([
      {
        requestId: expect.any(String),
        login: 'staff',
        code: 'ok',
        seconds: expect.any(Number),
        beforeProvisioning: false,
      },
    ]);
  });

  it('leaves no token, code, state, claim or cookie in the log', async () => {
    site.logged.length = 0;
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice', 'rd=/private-path');
    await browser.send(callback);
    const parameters = new URL(callback, site.url).searchParams;
    const log = site.logged.join('\n');
    expect(log).toContain('"login"');
    for (const secret of [
      parameters.get('code'),
      parameters.get('state'),
      'example.com',
      'private-path',
      ...browser.jar.values(),
    ]) {
      expect(log).not.toContain(secret);
    }
  });

  it('works in fifty tabs at once', async () => {
    const browser = new Browser(site);
    await browser.send(login(''));
    const callbacks = await Promise.all(
      Array.from({ length: 50 }, (_, at) => {
        const tab = new Browser(site);
        for (const [name, value] of browser.jar) tab.jar.set(name, value);
        return tab.callbackFor('alice', `rd=/tab/${at}`);
      }),
    );
    const answers = await Promise.all(callbacks.map((callback) => browser.send(callback)));
    expect(answers.map(({ location }) => location)).toEqual(callbacks.map((_, at) => `/tab/${at}`));
    expect(await browser.who()).toBe('alice');
  }, 30_000);

  it('works in fifty tabs of a browser that had no cookie yet', async () => {
    const browser = new Browser(site);
    const starts = await Promise.all(Array.from({ length: 50 }, () => browser.send(login('rd=/tab'))));
    const callbacks = await Promise.all(
      starts.map(({ location }) => new Browser(site).signIn(location as string, 'alice')),
    );
    const answers = await Promise.all(callbacks.map((callback) => browser.send(callback)));
    // One tab's cookie won. The others are sent round once more, or are where they wanted to be.
    for (const { status, location } of answers) {
      expect(status).toBe(302);
      if (location === '/tab') continue;
      expect((await browser.send(await new Browser(site).signIn(location as string, 'alice'))).location).toBe('/tab');
    }
    expect(await browser.who()).toBe('alice');
  }, 30_000);
});

describe('a callback whose state is gone', () => {
  it('goes to its page when there is a session', async () => {
    const browser = new Browser(site);
    const late = await browser.callbackFor('alice', 'rd=/late');
    await browser.logIn('alice', 'rd=/now');
    browser.jar.delete('latchgate-login');
    expect((await browser.send(late)).location).toBe('/late');
    expect(await browser.who()).toBe('alice');
  });

  it('begins again, once, when there is none', async () => {
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice', 'rd=/page');
    browser.jar.clear();
    const again = await browser.send(callback);
    expect(again.status).toBe(302);
    expect(new URL(again.location as string).origin).toBe(site.emulator.issuer);
    expect((await browser.send(await browser.signIn(again.location as string, 'alice'))).location).toBe('/page');
    expect(await browser.who()).toBe('alice');
  });

  it('begins again after ten minutes', async () => {
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice', 'rd=/page');
    site.clockAhead = 600_000;
    expect(new URL((await browser.send(callback)).location as string).origin).toBe(site.emulator.issuer);
  });

  it('begins again when it was used before and led to nothing', async () => {
    const browser = new Browser(site);
    site.refuseWith = new LatchgateError('denied_by_rule', 'x');
    const callback = await browser.callbackFor('alice', 'rd=/page');
    expect((await browser.send(callback)).status).toBe(403);
    const again = await browser.send(callback);
    expect(new URL(again.location as string).origin).toBe(site.emulator.issuer);
    expect(site.asserted).toHaveLength(1);
  });

  it('stops after three times with a page, for a browser that keeps no cookies', async () => {
    const browser = new Browser(site);
    let callback = await browser.callbackFor('alice');
    for (let round = 0; round < 3; round += 1) {
      browser.jar.clear();
      const again = await browser.send(callback);
      expect(again.status).toBe(302);
      callback = await browser.signIn(again.location as string, 'alice');
    }
    browser.jar.clear();
    const page = await browser.send(callback);
    expect(page.status).toBe(400);
    expect(page.text).toContain('login_loop');
    expect(page.text).toContain('cookies');
  });

  it('of another browser logs nobody in: not the victim as the attacker', async () => {
    const attacker = new Browser(site);
    const victim = new Browser(site);
    await victim.send(login(''));
    const answer = await victim.send(await attacker.callbackFor('alice'));
    expect(new URL(answer.location as string).origin).toBe(site.emulator.issuer);
    expect(await victim.who()).toBe('401');
    expect(site.asserted).toHaveLength(0);
  });

  it.each([
    '',
    '?state=x',
    '?code=x',
    '?code=x&state=y',
    '?state=a&state=b',
    '?error=access_denied',
    '?%',
    '?state=%ff',
  ])('and was never ours (%j) is a page', async (query) => {
    const browser = new Browser(site);
    const page = await browser.send(`/.latchgate/callback/staff${query}`);
    expect(page.status).toBe(400);
    expect(page.text).toContain('login_state_invalid');
    await browser.logIn('alice');
    expect((await browser.send(`/.latchgate/callback/staff${query}`)).location).toBe('/');
  });

  it('twice in one address is refused', async () => {
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice');
    const state = new URL(callback, site.url).searchParams.get('state');
    expect((await browser.send(`${callback}&state=${state}`)).text).toContain('login_state_invalid');
    expect((await browser.send(`${callback}&code=x`)).text).toContain('login_state_invalid');
    expect(await browser.who()).toBe('401');
  });
});

describe('callbacks of strangers, hundreds from one address', () => {
  it('are told to wait, and those of logins that began here end as ever', async () => {
    const junk = (times: number) =>
      Promise.all(Array.from({ length: times }, (_, at) => ask(site.url, `/.latchgate/callback/staff?state=x${at}`)));
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice');
    const elsewhere = await new Browser(site).callbackFor('bob');
    for (let round = 0; round < 4; round += 1) await junk(100);
    const reported = site.outcomes.length;
    const more = await junk(100);
    const waiting = more.filter(({ status }) => status === 429);
    expect(waiting.length).toBeGreaterThan(0);
    expect(Number(waiting[0]?.headers['retry-after'])).toBeGreaterThan(0);
    expect(waiting[0]?.text).toContain('too_many_requests');
    expect(site.outcomes).toHaveLength(reported + more.length - waiting.length);
    // A refusal by the provider is none of a stranger.
    const refused = new Browser(site);
    expect((await refused.logIn(undefined)).text).toContain('provider_refused');
    expect((await browser.send(callback)).status).toBe(302);
    expect(await browser.who()).toBe('alice');
    // Of another browser: it begins anew.
    expect((await ask(site.url, elsewhere)).status).toBe(302);
    // Who is logged in has nothing to wait for.
    expect((await browser.send('/.latchgate/callback/staff?state=x')).location).toBe('/');
    site.clockAhead = 60_000;
    expect((await ask(site.url, '/.latchgate/callback/staff?state=x')).status).toBe(400);
  });
});

describe('a refusal', () => {
  it('is a page with a sentence, the code and the request id, and ways on', async () => {
    site.refuseWith = new LatchgateError('no_access', 'internal <words>', { detail: { group: 'secret-group' } });
    const { status, text, headers } = await new Browser(site).logIn('alice', 'rd=/superset/x');
    expect(status).toBe(403);
    expect(text).toContain('You do not have access');
    expect(text).toContain('no_access');
    expect(text).toContain(headers['x-request-id']);
    expect(text).toContain('href="/.latchgate/login?rd=%2Fsuperset%2Fx&amp;login=staff"');
    expect(text).toContain('action="/.latchgate/logout?login=staff"');
    expect(text).not.toMatch(/internal|secret-group|alice/);
  });

  it('shows the sentence of the config, escaped', async () => {
    site.refuseWith = new LatchgateError('denied_by_rule', 'x', { publicMessage: 'Ask <b>bi-help</b> & "co".' });
    const { text } = await new Browser(site).logIn('alice');
    expect(text).toContain('Ask &lt;b&gt;bi-help&lt;/b&gt; &amp; &quot;co&quot;.');
  });

  it('for good leaves no session behind, neither new nor old', async () => {
    const browser = new Browser(site);
    await browser.logIn('alice');
    const alice = browser.jar.get('latchgate') as string;
    browser.providerJar.clear();
    site.refuseWith = new LatchgateError('person_disabled', 'x');
    await browser.logIn('bob');
    expect(await browser.who()).toBe('401');
    browser.jar.set('latchgate', alice);
    expect(await browser.who()).toBe('401');
  });

  it('for now is 503 with Retry-After, and leaves an earlier session alone', async () => {
    const browser = new Browser(site);
    await browser.logIn('alice');
    site.refuseWith = new LatchgateError('target_unavailable', 'x', { retryAfterSeconds: 7.2 });
    const { status, text, headers } = await browser.logIn('alice');
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('8');
    expect(text).toContain('Try again');
    expect(await browser.who()).toBe('alice');
  });

  it('that nobody foresaw is a page, and its words stay in the log', async () => {
    site.refuseWith = new Error('password hunter2 at line 7');
    const { status, text } = await new Browser(site).logIn('alice');
    expect(status).toBe(500);
    expect(text).toContain('internal');
    expect(text).not.toContain('hunter2');
  });

  it('by the person at the provider is a page too', async () => {
    const { status, text } = await new Browser(site).logIn(undefined);
    expect(status).toBe(403);
    expect(text).toContain('provider_refused');
    expect(text).not.toContain('nobody wanted');
  });

  it('is told, with whether provisioning knows of it', async () => {
    await new Browser(site).logIn(undefined);
    site.refuseWith = new LatchgateError('no_access', 'x');
    await new Browser(site).logIn('alice');
    expect(site.outcomes).toMatchObject([
      { login: 'staff', code: 'provider_refused', beforeProvisioning: true },
      { login: 'staff', code: 'no_access', beforeProvisioning: false },
    ]);
  });

  it('is JSON for a program', async () => {
    site.refuseWith = new LatchgateError('denied_by_rule', 'x', { publicMessage: 'Ask.' });
    const browser = new Browser(site);
    const callback = await browser.callbackFor('alice', 'rd=/x');
    const { status, text, headers } = await browser.send(callback, { headers: { accept: 'application/json' } });
    expect(status).toBe(403);
    expect(JSON.parse(text)).toEqual({
      error: 'denied_by_rule',
      message: 'Ask.',
      request_id: headers['x-request-id'],
      login_url: '/.latchgate/login?rd=%2Fx&login=staff',
    });
  });
});

describe('every answer', () => {
  const paths: [method: string, path: string, status: number][] = [
    ['GET', '/.latchgate/login', 302],
    ['HEAD', '/.latchgate/login', 200],
    ['GET', '/.latchgate/login?login=nobody', 404],
    ['GET', '/.latchgate/callback/staff', 400],
    ['GET', '/.latchgate/callback/nobody', 404],
    ['GET', '/.latchgate/callback/__proto__', 404],
    ['GET', '/.latchgate/callback/%E0%A4%A', 400],
    ['GET', '/.latchgate/callback/a%2fb', 404],
    ['GET', '/.latchgate/logout', 200],
    ['HEAD', '/.latchgate/logout', 200],
    ['POST', '/.latchgate/logout', 403],
    ['GET', '/.latchgate/userinfo', 401],
    ['GET', '/.latchgate/jwks.json', 200],
    ['HEAD', '/.latchgate/jwks.json', 200],
    ['GET', '/.latchgate', 404],
    ['GET', '/.latchgate/', 404],
    ['GET', '/.latchgate/nothing', 404],
    ['GET', '/.latchgate/login/', 404],
    ['GET', '/.latchgate/LOGIN', 404],
    ['POST', '/.latchgate/login', 405],
    ['PUT', '/.latchgate/login', 405],
    ['OPTIONS', '/.latchgate/login', 405],
    ['HEAD', '/.latchgate/callback/staff', 405],
    ['POST', '/.latchgate/callback/staff', 405],
    ['OPTIONS', '/.latchgate/callback/staff', 405],
    ['PUT', '/.latchgate/logout', 405],
    ['DELETE', '/.latchgate/logout', 405],
    ['OPTIONS', '/.latchgate/logout', 405],
    ['POST', '/.latchgate/userinfo', 405],
    ['POST', '/.latchgate/jwks.json', 405],
    ['PROPFIND', '/.latchgate/login', 405],
  ];

  it.each(paths)('to %s %s is %d and carries the headers of our own pages', async (method, path, status) => {
    const { headers, ...answer } = await ask(site.url, path, { method });
    expect(answer.status).toBe(status);
    expect(headers['x-request-id']).toMatch(/^[0-9a-z]{16}$/);
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['referrer-policy']).toMatch(/^(no-referrer|strict-origin)$/);
    expect(headers['content-security-policy']).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
    expect(headers['x-powered-by']).toBeUndefined();
    if (status === 405) expect(headers['allow']).toMatch(/GET/);
    if (method === 'HEAD') expect(answer.text).toBe('');
  });

  it("has a request id of its own, not the client's", async () => {
    const { headers } = await ask(site.url, '/.latchgate/login', { headers: { 'x-request-id': 'mine' } });
    expect(headers['x-request-id']).not.toBe('mine');
  });

  it('lets in the one style that it brings, and no script', async () => {
    const { headers, text } = await ask(site.url, '/.latchgate/logout');
    const nonce = /style-src 'nonce-([\w-]{22})'/.exec(String(headers['content-security-policy']))?.[1];
    expect(text).toContain(`<style nonce="${nonce}">`);
    expect(text).not.toMatch(/<script|\son\w+=|style="/);
    expect(String(headers['content-security-policy'])).not.toMatch(/script-src|unsafe/);
  });

  it('to a look at the login starts nothing', async () => {
    const { headers } = await ask(site.url, '/.latchgate/login?rd=/x', { method: 'HEAD' });
    expect(headers['set-cookie']).toBeUndefined();
    expect(headers['location']).toBeUndefined();
  });
});

describe('userinfo', () => {
  it('says who is there and until when, and no token', async () => {
    const browser = new Browser(site);
    await browser.logIn('alice');
    const { text } = await browser.send('/.latchgate/userinfo');
    expect(JSON.parse(text)).toEqual({
      user: 'alice',
      email: 'alice@example.com',
      groups: ['eng'],
      expiry: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    });
    expect(text).not.toMatch(/eyJ/);
  });

  it('says that nobody is there', async () => {
    const { status, text } = await new Browser(site).send('/.latchgate/userinfo', { headers: { accept: '*/*' } });
    expect(status).toBe(401);
    expect(JSON.parse(text)).toMatchObject({ error: 'login_required', login_url: '/.latchgate/login?rd=%2F' });
  });
});

it('publishes the keys', async () => {
  const { text } = await new Browser(site).send('/.latchgate/jwks.json');
  expect(JSON.parse(text)).toEqual({ keys: [{ kty: 'EC', kid: 'k1' }] });
});
