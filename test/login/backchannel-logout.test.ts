import { request } from 'node:http';
import { LatchgateError } from '../../src/model/errors.ts';
import type { Session } from '../../src/session/store.ts';
import { ask, Browser, type Site, startSite } from './site.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
const PATH = '/.latchgate/backchannel-logout/staff';

let site: Site;
beforeAll(async () => {
  site = await startSite({ logins: { staff: {}, partners: {} } });
});
beforeEach(async () => {
  await site.store.destroyFor({ all: true });
  site.ended.length = 0;
  site.meanwhile = async () => {};
  site.disabled.clear();
});
afterAll(() => site.close());

let made = 0;
const now = () => Math.floor(Date.now() / 1_000);
/** Of a few seconds ago, unless it says else: it is about no login that comes after it. */
function token(claims: Readonly<Record<string, unknown>>, header = {}): Promise<string> {
  made += 1;
  const iat = now() - 5;
  const usual = { iss: site.emulator.issuer, aud: 'gateway-staff', iat, exp: iat + 120, jti: `j${made}` };
  return site.emulator.sign({ ...usual, events: { [EVENT]: {} }, ...claims }, { typ: 'logout+jwt', ...header });
}

interface Posted {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function post(body: string | Buffer, headers: Record<string, string | string[]> = {}, path = PATH): Promise<Posted> {
  const { hostname, port } = new URL(site.url);
  const usual = {
    'content-type': 'application/x-www-form-urlencoded',
    'content-length': String(Buffer.byteLength(body)),
  };
  return new Promise((resolve, reject) => {
    const all = { hostname, port, path, method: 'POST', headers: { ...usual, ...headers } };
    const req = request(all, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers, text }));
    });
    req.on('error', reject);
    req.end(body);
  });
}

const tell = async (claims: Readonly<Record<string, unknown>>, header = {}) =>
  post(new URLSearchParams({ logout_token: await token(claims, header) }).toString());

async function loggedIn(sub: string): Promise<{ readonly browser: Browser; readonly sid: string }> {
  const browser = new Browser(site);
  await browser.logIn(sub, 'login=staff');
  const [, pair = ''] = /latchgate=(.*)/.exec(`latchgate=${browser.jar.get('latchgate')}`) ?? [];
  const id = site.cookies.read(`latchgate=${pair}`) as string;
  const session = await site.store.load(id);
  return { browser, sid: session?.providerSession as string };
}

/** The session of a login whose ID token named no session of the provider. */
async function withoutSid(sub: string): Promise<string> {
  const { browser } = await loggedIn(sub);
  const id = site.cookies.read(`latchgate=${browser.jar.get('latchgate')}`) as string;
  const { providerSession: _, ...session } = (await site.store.load(id)) as Session;
  expect(await site.store.renew(id, session)).toBe(true);
  return id;
}

describe('a logout token', () => {
  it('of a subject ends every session of theirs, and of nobody else', async () => {
    const [one, two, bob] = await Promise.all([loggedIn('alice'), loggedIn('alice'), loggedIn('bob')]);
    const { status, text, headers } = await tell({ sub: 'alice' });
    expect([status, text]).toEqual([200, '']);
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'content-length': '0' });
    expect(await Promise.all([one, two, bob].map(({ browser }) => browser.who()))).toEqual(['401', '401', 'bob']);
    const subject = { issuer: site.emulator.issuer, subject: 'alice' };
    expect(site.ended).toEqual([
      { requestId: headers['x-request-id'], login: 'staff', code: 'backchannel_logout', sessions: 2, subject },
    ]);
  });

  it('of a session ends that one alone, also when it names the subject', async () => {
    const [one, two] = await Promise.all([loggedIn('alice'), loggedIn('alice')]);
    expect(one.sid).not.toBe(two.sid);
    expect((await tell({ sub: 'alice', sid: one.sid })).status).toBe(200);
    expect(await Promise.all([one, two].map(({ browser }) => browser.who()))).toEqual(['401', 'alice']);
    expect((await tell({ sid: two.sid })).status).toBe(200);
    expect(await two.browser.who()).toBe('401');
  });

  it('of a session ends those of the subject that are of no session of the provider, too', async () => {
    const [one, other] = await Promise.all([loggedIn('alice'), loggedIn('alice')]);
    const [lone, bob] = await Promise.all([withoutSid('alice'), withoutSid('bob')]);
    expect((await tell({ sub: 'alice', sid: one.sid })).status).toBe(200);
    expect(await site.store.load(lone)).toBeUndefined();
    expect(await site.store.load(bob)).toBeDefined();
    expect(await Promise.all([one, other].map(({ browser }) => browser.who()))).toEqual(['401', 'alice']);
    expect(site.ended.map(({ sessions }) => sessions)).toEqual([2]);
  });

  it('of nobody that is here is done, too', async () => {
    expect((await tell({ sub: 'nobody' })).status).toBe(200);
    expect((await tell({ sid: 'unknown' })).status).toBe(200);
    expect(site.ended.map(({ sessions }) => sessions)).toEqual([0, 0]);
  });

  it('may bring further fields along', async () => {
    const form = new URLSearchParams({ x: '1', logout_token: await token({ sub: 'nobody' }), y: '2' });
    expect((await post(form.toString())).status).toBe(200);
  });

  it.each(['application/x-www-form-urlencoded; charset=UTF-8', 'Application/X-WWW-Form-Urlencoded'])(
    'comes as a form of the type %s',
    async (type) => {
      const body = `logout_token=${await token({ sub: 'nobody' })}`;
      expect((await post(body, { 'content-type': type })).status).toBe(200);
    },
  );

  it('comes under whatever host name reaches us', async () => {
    const body = `logout_token=${await token({ sub: 'nobody' })}`;
    expect((await post(body, { host: 'gateway.internal:8080' })).status).toBe(200);
  });

  it('counts once', async () => {
    const body = `logout_token=${await token({ sub: 'alice' })}`;
    expect((await post(body)).status).toBe(200);
    const { browser } = await loggedIn('alice');
    const again = await post(body);
    expect(again.status).toBe(400);
    expect(JSON.parse(again.text)).toEqual({ error: 'invalid_request', error_description: 'token_invalid (jti)' });
    expect(await browser.who()).toBe('alice');
  });

  it('counts once, when it comes thirty times at once', async () => {
    const body = `logout_token=${await token({ sub: 'nobody' })}`;
    const answers = await Promise.all(Array.from({ length: 30 }, () => post(body)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(29);
  });

  it('that could not be carried out may come again', async () => {
    const { browser } = await loggedIn('alice');
    const body = `logout_token=${await token({ sub: 'alice' })}`;
    const destroyFor = site.store.destroyFor;
    site.store.destroyFor = async () => {
      throw new LatchgateError('session_store_unavailable', 'down');
    };
    const failed = await post(body);
    site.store.destroyFor = destroyFor;
    // §2.8: a logout that failed is 400, too.
    expect(failed.status).toBe(400);
    expect(JSON.parse(failed.text)).toMatchObject({ error: 'temporarily_unavailable' });
    expect((await post(body)).status).toBe(200);
    expect(await browser.who()).toBe('401');
  });
});

it('is heard while others send slowly, or tokens by keys that nobody knows', async () => {
  const { browser } = await loggedIn('alice');
  const { hostname, port } = new URL(site.url);
  const slow = Array.from({ length: 100 }, () => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '1000' };
    const req = request({ hostname, port, path: PATH, method: 'POST', headers });
    req.on('error', () => undefined);
    req.write('logout_token=');
    return req;
  });
  // The keys have just been read: now and then they are read again for such a token, and it waits for that.
  await tell({ sub: 'nobody' });
  let unknown = 0;
  const strangers = Array.from({ length: 200 }, async () => {
    const { status } = await tell({ sub: 'alice' }, { kid: 'nobody knows' });
    unknown += 1;
    return status;
  });
  expect((await tell({ sub: 'alice' })).status).toBe(200);
  expect(unknown).toBeLessThan(200);
  expect(await browser.who()).toBe('401');
  expect(new Set(await Promise.all(strangers))).toEqual(new Set([400]));
  for (const req of slow) req.destroy();
});

describe('a request that is refused', () => {
  const bodies: [what: string, body: () => Promise<string>, headers?: Record<string, string>][] = [
    ['without a body', async () => ''],
    ['without a token', async () => 'x=1'],
    ['with an empty token', async () => 'logout_token='],
    [
      'with two tokens',
      async () => `logout_token=${await token({ sub: 'alice' })}&logout_token=${await token({ sub: 'bob' })}`,
    ],
    [
      'with the same token twice',
      async () =>
        Array(2)
          .fill(`logout_token=${await token({ sub: 'alice' })}`)
          .join('&'),
    ],
    ['with a token in another spelling', async () => `Logout_Token=${await token({ sub: 'alice' })}`],
    [
      'with JSON',
      async () => JSON.stringify({ logout_token: await token({ sub: 'alice' }) }),
      { 'content-type': 'application/json' },
    ],
    ['with a token as the body', () => token({ sub: 'alice' }), { 'content-type': 'application/logout+jwt' }],
    [
      'with a form of another kind',
      async () => `logout_token=${await token({ sub: 'alice' })}`,
      { 'content-type': 'multipart/form-data; boundary=x' },
    ],
    [
      'with a type that only begins as it should',
      async () => `logout_token=${await token({ sub: 'alice' })}`,
      { 'content-type': 'application/x-www-form-urlencodedx' },
    ],
    [
      'with a body that is packed',
      async () => `logout_token=${await token({ sub: 'alice' })}`,
      { 'content-encoding': 'gzip' },
    ],
    ['without a type', async () => `logout_token=${await token({ sub: 'alice' })}`, { 'content-type': '' }],
    ['with a body without end', async () => `logout_token=${'x'.repeat(100_000)}`],
    [
      'with a token that is too long to be one',
      async () => `logout_token=${await token({ sub: 'alice', more: 'x'.repeat(60_000) })}`,
    ],
    ['with nonsense', async () => 'logout_token=%ff%fe%00&&&=&'],
    ['for another client', async () => `logout_token=${await token({ sub: 'alice', aud: 'gateway-partners' })}`],
    [
      'with an ID token',
      async () => `logout_token=${await token({ sub: 'alice', events: undefined, nonce: 'n' }, { typ: 'JWT' })}`,
    ],
    ['with a token of another type', async () => `logout_token=${await token({ sub: 'alice' }, { typ: 'at+jwt' })}`],
    ['with a nonce', async () => `logout_token=${await token({ sub: 'alice', nonce: 'x' })}`],
  ];

  it.each(bodies)('%s: 400, as JSON, and nobody is logged out', async (_what, body, headers = {}) => {
    const { browser } = await loggedIn('alice');
    const answer = await post(await body(), headers);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.text)).toEqual({ error: 'invalid_request', error_description: expect.any(String) });
    expect(answer.headers['cache-control']).toBe('no-store');
    expect(answer.headers['content-type']).toMatch(/^application\/json/);
    expect(answer.headers['set-cookie']).toBeUndefined();
    expect(answer.headers['location']).toBeUndefined();
    expect(await browser.who()).toBe('alice');
  });

  it('because the token is in the address', async () => {
    const query = `?logout_token=${await token({ sub: 'alice' })}`;
    expect((await post('', {}, PATH + query)).status).toBe(400);
    expect((await ask(site.url, PATH + query)).status).toBe(405);
  });

  it.each(['GET', 'HEAD', 'PUT', 'OPTIONS', 'DELETE'])('because it is a %s', async (method) => {
    const { status, headers } = await ask(site.url, PATH, { method });
    expect([status, headers['allow'], headers['set-cookie']]).toEqual([405, 'POST', undefined]);
  });

  it.each(['nobody', '__proto__', '', 'staff/x', 'STAFF'])('because there is no login %j: 404', async (name) => {
    const body = `logout_token=${await token({ sub: 'alice' })}`;
    expect((await post(body, {}, `/.latchgate/backchannel-logout/${name}`)).status).toBe(404);
  });

  it('says what does not hold in the log, and neither token nor person', async () => {
    site.logged.length = 0;
    const value = await token({ sub: 'alice', nonce: 'secret-nonce' });
    await post(`logout_token=${value}`);
    const log = site.logged.join('\n');
    expect(log).toContain('a logout token was not taken');
    expect(log).toContain('nonce');
    for (const secret of [value, value.split('.')[1], 'secret-nonce', 'alice']) expect(log).not.toContain(secret);
  });
});

describe('a logout that comes before the login has finished', () => {
  it('of the subject: the session does not live, and the person is asked to log in again', async () => {
    const browser = new Browser(site);
    site.meanwhile = async ({ subject }) => {
      site.meanwhile = async () => {};
      expect((await tell({ sub: subject, iat: now() })).status).toBe(200);
    };
    const answer = await browser.logIn('alice', 'login=staff&rd=/page');
    expect(answer.status).toBe(302);
    expect(new URL(answer.location as string).origin).toBe(site.emulator.issuer);
    expect(await browser.who()).toBe('401');
    expect(site.ended.map(({ code, sessions }) => [code, sessions])).toEqual([
      ['backchannel_logout', 0],
      ['login_ended', 1],
    ]);
    // In a second the provider's word is of the past, and the new login is good.
    await new Promise((resolve) => setTimeout(resolve, 1_100));
    const again = await browser.send(await browser.signIn(answer.location as string, 'alice'));
    expect(again.location).toBe('/page');
    expect(await browser.who()).toBe('alice');
  });

  it('of the session, however late its token was issued; and it is no loop', async () => {
    const first = await loggedIn('carol');
    expect((await tell({ sid: first.sid, iat: now() - 200 })).status).toBe(200);
    // The provider still thinks that it is the same session.
    const same = new Browser(site);
    for (const [name, value] of first.browser.providerJar) same.providerJar.set(name, value);
    let answer = await same.logIn('carol', 'login=staff&rd=/page');
    for (let round = 0; round < 3; round += 1) {
      expect(answer.status).toBe(302);
      expect(new URL(answer.location as string, site.url).origin).toBe(site.emulator.issuer);
      answer = await same.send(await same.signIn(answer.location as string, 'carol'));
    }
    expect(answer.status).toBe(401);
    expect(answer.text).toContain('login_ended');
    expect(await same.who()).toBe('401');
  });

  it('of somebody else disturbs nobody', async () => {
    const browser = new Browser(site);
    site.meanwhile = async () => void (await tell({ sub: 'bob', iat: now() }));
    expect((await browser.logIn('alice', 'login=staff&rd=/page')).location).toBe('/page');
    expect(await browser.who()).toBe('alice');
  });
});

it('somebody who is disabled while their login is being finished has no session after it', async () => {
  const browser = new Browser(site);
  site.meanwhile = async () => void site.disabled.add('p_alice');
  const { status, text } = await browser.logIn('alice', 'login=staff');
  expect(status).toBe(403);
  expect(text).toContain('person_disabled');
  expect(await browser.who()).toBe('401');
  expect(site.ended).toMatchObject([{ code: 'person_disabled', sessions: 1 }]);
  expect(site.outcomes.at(-1)).toMatchObject({ code: 'person_disabled', beforeProvisioning: true });
});

it('is heard from an address from which hundreds of others were refused, which are told to wait without a line each', async () => {
  const { browser } = await loggedIn('alice');
  const junk = async (times: number) => {
    const bodies = [
      async () => 'logout_token=x',
      () => token({ sub: 'alice', nonce: 'n' }).then((t) => `logout_token=${t}`),
    ];
    return Promise.all(Array.from({ length: times }, async (_, at) => post(await (bodies[at % 2] ?? (() => ''))())));
  };
  for (let round = 0; round < 4; round += 1) await junk(100);
  site.logged.length = 0;
  const more = await junk(100);
  const waiting = more.filter(({ status }) => status === 429);
  expect(waiting.length).toBeGreaterThan(0);
  expect(Number(waiting[0]?.headers['retry-after'])).toBeGreaterThan(0);
  expect(JSON.parse(waiting[0]?.text ?? '')).toEqual({
    error: 'invalid_request',
    error_description: 'too_many_requests',
  });
  expect(site.logged).toHaveLength(more.length - waiting.length);
  expect(await browser.who()).toBe('alice');
  expect((await tell({ sub: 'alice' })).status).toBe(200);
  expect(await browser.who()).toBe('401');
});
