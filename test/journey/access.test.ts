import { decodeJwt } from 'jose';
import { type Page, refusalOn } from './browser.ts';
import { BOTH, gooddataPeople, person, supersetPeople } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { type Recorder, startRecorder } from './recorder.ts';

const routes = `
  - { path: /admin, to: gooddata, when: { groups: bi-admins } }
  - { path: /readonly, to: gooddata, methods: [GET] }
  - { path: /public, to: gooddata, public: true, methods: [GET] }
  - { path: /superset, to: superset }
  - { path: /, to: gooddata }`;
const rules = `
  same-name:
    when: { groups: "team-*" }
    grant: { gooddata: { groups: ["\${match}"] }, superset: { roles: [Gamma] } }
  admins:
    when: { groups: bi-admins }
    grant: { gooddata: { groups: [bosses] } }
  suspended:
    when: { groups: suspended }
    deny: Your access is suspended. Ask <bi-help@acme.test>.`;

let journey: Journey;
let recorder: Recorder;

beforeAll(async () => {
  const groups = { ann: ['team-a'], bob: ['team-b'], boss: ['bi-admins'], sue: ['team-a', 'suspended'], nobody: [] };
  const people = Object.entries(groups).map(([sub, list]) => person(sub, { groups: list }));
  journey = await startJourney({ people, sections: { ...BOTH, routes, rules }, start: false });
  recorder = await startRecorder(journey.gooddata.url);
  await journey.start({ GOODDATA_URL: recorder.url });
});
afterAll(async () => {
  await journey.close();
  await recorder.close();
});

const at = (path: string) => `${journey.url}${path}`;
const json = ({ text }: Page) => JSON.parse(text) as Record<string, unknown>;
async function loggedIn(sub: string, path = '/') {
  const browser = journey.browser();
  const page = await browser.logIn(at(path), sub);
  return { browser, page };
}

describe('without a session', () => {
  it('a navigation is sent to the login and comes back to where it wanted to be', async () => {
    const first = await journey.browser().visit(at('/reports/7?x=1%202&y=a%2Fb'), { follow: false });
    expect(first.status).toBe(302);
    const { page } = await loggedIn('ann', '/reports/7?x=1%202&y=a%2Fb');
    expect(page.url.href).toBe(at('/reports/7?x=1%202&y=a%2Fb'));
  });

  it.each([
    ['asks for JSON', {}, 'GET'],
    ['says X-Requested-With', { accept: 'text/html', 'x-requested-with': 'XMLHttpRequest' }, 'GET'],
    ['is fetched by a script', { accept: 'text/html', 'sec-fetch-mode': 'cors' }, 'GET'],
    ['is a POST', { accept: 'text/html', 'sec-fetch-mode': 'navigate' }, 'POST'],
    ['is a DELETE', { accept: 'text/html' }, 'DELETE'],
  ])('a call that %s gets 401 with a login_url', async (_name, headers, method) => {
    const answer = await journey.browser().call(at('/api/data'), { headers, method });
    expect(answer.status).toBe(401);
    expect(json(answer)).toMatchObject({ error: 'login_required', request_id: answer.headers['x-request-id'] });
    expect(String(json(answer)['login_url'])).toMatch(new RegExp(`^${journey.url}/\\.latchgate/login\\?`));
  });

  it('a public route is served, says nobody’s name, and is public for its methods alone', async () => {
    await journey.browser().visit(at('/public/status'), { follow: false, headers: { 'x-forwarded-user': 'admin' } });
    for (const name of ['x-forwarded-user', 'x-latchgate-assertion', 'authorization', 'x-forwarded-email']) {
      expect(recorder.values('/public/status', name)).toEqual([]);
    }
    const post = await journey.browser().call(at('/public/status'), { method: 'POST' });
    expect([post.status, post.headers['allow']]).toEqual([405, 'GET']);
  });

  it.each(['/publicity', '/PUBLIC/x', '/'])('%s is not public', async (path) => {
    const answer = await journey.browser().visit(at(path), { follow: false });
    expect(answer.status).toBe(302);
    expect(String(answer.headers['location'])).toContain('/.latchgate/login');
  });
});

describe('who may go where', () => {
  it('a rule that denies: a page in its own words, escaped, with code and request id; why explains it', async () => {
    const { page, browser } = await loggedIn('sue');
    expect(refusalOn(page)).toMatchObject({ status: 403, code: 'denied_by_rule' });
    expect(page.text).toContain('Your access is suspended. Ask &lt;bi-help@acme.test&gt;.');
    expect((await journey.cli('why', refusalOn(page).requestId)).out).toContain('suspended');
    expect((await browser.call(at('/'))).status).toBe(401);
    expect(gooddataPeople(journey.gooddata.state)).not.toContain('sue');
    expect(supersetPeople(journey.superset.state)).not.toContain('sue');
  });

  it('nobody gave anything: a page at the first target, and no account', async () => {
    const { page } = await loggedIn('nobody');
    expect(refusalOn(page)).toMatchObject({ status: 403, code: 'no_access' });
    expect(gooddataPeople(journey.gooddata.state)).not.toContain('nobody');
  });

  it('something was given in another target only: in there, a page here, JSON for programs', async () => {
    const { page, browser } = await loggedIn('boss');
    expect(page.status).toBe(200);
    const refused = await browser.visit(at('/superset/welcome/'));
    expect(refusalOn(refused)).toMatchObject({ status: 403, code: 'no_access' });
    const call = await browser.call(at('/superset/welcome/'));
    expect([call.status, json(call)['error']]).toEqual([403, 'no_access']);
  });

  it('`when` of a route: open to whom it fits, a page for others, JSON for programs; why explains it', async () => {
    expect((await loggedIn('boss', '/admin/keys')).page.status).toBe(200);
    const { browser } = await loggedIn('ann');
    const page = await browser.visit(at('/admin/keys'));
    expect(refusalOn(page)).toMatchObject({ status: 403, code: 'route_forbidden' });
    const call = await browser.call(at('/admin/keys'));
    expect(call.status).toBe(403);
    expect(json(call)).toMatchObject({ error: 'route_forbidden', request_id: call.headers['x-request-id'] });
    for (const id of [refusalOn(page).requestId, String(call.headers['x-request-id'])]) {
      const { code, out } = await journey.cli('why', id);
      expect({ code, out }).toMatchObject({ code: 0, out: expect.stringContaining('/admin/keys') });
    }
    expect(recorder.seen.some(({ path, raw }) => path === '/admin/keys' && raw.includes('ann'))).toBe(false);
  });

  it('a method that the route does not serve is refused, and falls through to no wider route', async () => {
    const { browser } = await loggedIn('ann');
    const answer = await browser.call(at('/readonly/x'), { method: 'DELETE' });
    expect([answer.status, json(answer)['error'], answer.headers['allow']]).toEqual([405, 'method_not_allowed', 'GET']);
    expect(recorder.seen.some(({ path, method }) => path === '/readonly/x' && method === 'DELETE')).toBe(false);
  });

  it.each(['/a%2fb', '/a%5cb', '/a%00b', '/a/..;/admin', '/a%252e%252e/admin'])('%s is refused', async (path) => {
    const { browser } = await loggedIn('ann');
    expect((await browser.call(at(path))).status).toBe(400);
  });
});

describe('where a login may end', () => {
  it.each([
    'https://evil.test/',
    '//evil.test/',
    '/\\evil.test',
    '/%5cevil.test',
    '/%2fevil.test',
    '/.//evil.test',
    '/\t/evil.test',
    'javascript:alert(1)',
    'http:evil.test',
    `http://127.0.0.1@evil.test/`,
    '/.latchgate/logout',
  ])('rd=%j ends on our own first page', async (rd) => {
    const { page } = await loggedIn('ann', `/.latchgate/login?rd=${encodeURIComponent(rd)}`);
    expect([page.status, page.url.href]).toEqual([200, at('/')]);
  });

  it('rd given twice, and another port of our host, end on our own first page', async () => {
    const other = encodeURIComponent('http://127.0.0.1:1/');
    for (const query of [`rd=/a&rd=/b`, `rd=${other}`]) {
      expect((await loggedIn('ann', `/.latchgate/login?${query}`)).page.url.href).toBe(at('/'));
    }
  });
});

describe('what reaches the backend', () => {
  const spellings = ['X-Forwarded-User', 'x_forwarded_user', 'X-FORWARDED_USER', 'X-Forwarded.User'];

  it.each(spellings)('%s of a client never does', async (name) => {
    const { browser } = await loggedIn('ann');
    const path = `/spoofed?${encodeURIComponent(name)}`;
    await browser.visit(at(path), { headers: { [name]: 'admin' } });
    expect(recorder.values(path, 'x-forwarded-user')).toEqual(['ann']);
  });

  it('identity is said once, by us: user, e-mail, groups, assertion, token', async () => {
    const { browser } = await loggedIn('ann');
    const forged = { 'x-forwarded-email': 'root@acme.test', 'x-forwarded-groups': 'adminGroup' };
    const more = { 'x-latchgate-assertion': 'a.b.c', authorization: 'Bearer emulator-token', 'x-gdc-auth': 'x' };
    const page = await browser.visit(at('/identity'), { headers: { ...forged, ...more } });
    expect(page.text).toContain('<code data-user>ann</code>');
    expect(recorder.values('/identity', 'x-forwarded-email')).toEqual(['ann@acme.test']);
    expect(recorder.values('/identity', 'x-forwarded-groups')).toEqual(['team-a']);
    const [assertion, ...others] = recorder.values('/identity', 'x-latchgate-assertion');
    expect(others).toEqual([]);
    expect(decodeJwt(String(assertion))).toMatchObject({ iss: journey.url, aud: 'gooddata', sub: 'ann' });
    const [token, ...tokens] = recorder.values('/identity', 'authorization');
    expect(tokens).toEqual([]);
    expect(decodeJwt(String(token).replace('Bearer ', ''))).toMatchObject({ sub: 'ann' });
    expect(recorder.values('/identity', 'x-gdc-auth')).toEqual([]);
  });

  it('cookies of ours never do, others arrive as they are', async () => {
    const { browser } = await loggedIn('ann');
    browser.setCookie(journey.url, 'theme', '"dark; not');
    browser.setCookie(journey.url, '__Host-latchgate', 's:forged');
    browser.setCookie(journey.url, 'latchgate-login', 'anything');
    await browser.visit(at('/cookies'));
    expect(recorder.values('/cookies', 'cookie').join('|')).not.toContain('latchgate');
    expect(recorder.values('/cookies', 'cookie').join('|')).toContain('theme="dark');
  });
});

describe('sessions', () => {
  it('say who is there, and no token', async () => {
    const { browser } = await loggedIn('ann');
    const info = json(await browser.call(at('/.latchgate/userinfo')));
    expect(info).toMatchObject({ email: 'ann@acme.test', groups: ['team-a'] });
    expect(Object.keys(info).sort()).toEqual(['email', 'expiry', 'groups', 'user']);
  });

  it('end at the logout, for this cookie everywhere; the provider’s session too', async () => {
    const { browser } = await loggedIn('ann', '/superset/welcome/');
    const cookie = browser.cookie(journey.url, 'latchgate') ?? '';
    const asked = await browser.visit(at('/.latchgate/logout'));
    expect((await browser.call(at('/'))).status).toBe(200);
    const out = await browser.submit(asked);
    expect(out.status).toBe(200);
    expect(browser.cookie(journey.url, 'latchgate')).toBeUndefined();
    const thief = journey.browser();
    thief.setCookie(journey.url, 'latchgate', cookie);
    expect((await thief.call(at('/'))).status).toBe(401);
    // The provider asks who it is again.
    expect((await browser.visit(at('/'))).url.pathname).toMatch(/^\/interaction\//);
  });

  it('are not ended by another site', async () => {
    const { browser } = await loggedIn('ann');
    for (const headers of [{ origin: 'https://evil.test' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }]) {
      const answer = await browser.visit(at('/.latchgate/logout'), { method: 'POST', headers });
      expect(refusalOn(answer)).toMatchObject({ status: 403, code: 'origin_not_allowed' });
    }
    expect((await browser.call(at('/'))).status).toBe(200);
  });

  it('of another person in the same browser after a logout are that person’s', async () => {
    const { browser } = await loggedIn('ann', '/superset/welcome/');
    await browser.submit(await browser.visit(at('/.latchgate/logout')));
    const page = await browser.logIn(at('/superset/welcome/'), 'bob');
    expect(page.text).toContain('Welcome, Bob Adams');
    expect((await browser.visit(at('/'))).text).toContain('<code data-user>bob</code>');
  });

  it('of another person who logs in over a live one are that person’s, and the former is ended', async () => {
    const { browser } = await loggedIn('ann');
    const cookie = browser.cookie(journey.url, 'latchgate') ?? '';
    browser.forget(journey.idp.issuer);
    const page = await browser.logIn(at('/.latchgate/login?rd=/'), 'bob');
    expect(page.text).toContain('<code data-user>bob</code>');
    expect((await browser.visit(at('/superset/welcome/'))).text).toContain('Welcome, Bob Adams');
    const thief = journey.browser();
    thief.setCookie(journey.url, 'latchgate', cookie);
    expect((await thief.call(at('/'))).status).toBe(401);
  });

  it('are gone when somebody who is refused logs in over them', async () => {
    const { browser } = await loggedIn('ann');
    browser.forget(journey.idp.issuer);
    const page = await browser.logIn(at('/.latchgate/login?rd=/'), 'sue');
    expect(refusalOn(page).code).toBe('denied_by_rule');
    expect((await browser.call(at('/'))).status).toBe(401);
  });

  it('have a new id at each login, and none that a browser brought', async () => {
    const { browser } = await loggedIn('ann');
    const other = journey.browser();
    other.setCookie(journey.url, 'latchgate', browser.cookie(journey.url, 'latchgate') ?? '');
    await other.logIn(at('/.latchgate/login?rd=/'), 'bob');
    expect(other.cookie(journey.url, 'latchgate')).not.toBe(browser.cookie(journey.url, 'latchgate'));
    expect((await browser.call(at('/'))).status).toBe(401);
  });

  it('do not begin by a callback that another browser earned', async () => {
    const victim = journey.browser();
    const choice = await journey.browser().visit(at('/'));
    const attacker = journey.browser();
    const own = await attacker.visit(at('/'));
    expect(choice.status).toBe(200);
    const stop = await attacker.visit(own.url, { method: 'POST', form: { sub: 'ann' }, follow: false });
    const resumed = await attacker.visit(new URL(String(stop.headers['location'])), { follow: false });
    const landed = await victim.visit(String(resumed.headers['location']));
    // It starts a login of its own instead.
    expect(landed.url.pathname).toMatch(/^\/interaction\//);
    expect(victim.cookie(journey.url, 'latchgate')).toBeUndefined();
  });

  it.each(['--user', '--id', '--all'])('end on the running gateway by `sessions end %s`', async (how) => {
    const { browser } = await loggedIn('ann');
    const list = (await journey.cli('sessions', 'list', '--json')).out.split('\n').map((line) => JSON.parse(line));
    const ids = list.filter(({ displayName }) => displayName === 'ann').map(({ id }) => id);
    expect(ids.length).toBeGreaterThan(0);
    const calls = { '--user': [['--user', 'ann']], '--id': ids.map((id) => ['--id', id]), '--all': [['--all']] }[how];
    for (const call of calls ?? []) expect((await journey.cli('sessions', 'end', ...call)).code).toBe(0);
    await until('the end', async () => (await browser.call(at('/'))).status === 401 || undefined);
  });
});
