import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from '../emulators/gooddata/faults.ts';
import { type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import type { Browser, Page } from './browser.ts';
import { BOTH, CLIENT_ID } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';
import { type Recorder, startRecorder } from './recorder.ts';

/** Never in a log line, on an error page, in a metric or in readiness, at any level: values by what they are. */
const secrets = new Map<string, string>();

/** A value that is nowhere else; letters and digits only, so that no encoding changes it. */
function marked(what: string, value = `mk${randomBytes(9).toString('hex')}`): string {
  secrets.set(what, value);
  return value;
}

const CLIENT_SECRET = marked('client secret');
const SESSION_SECRET = marked('session secret', `mk${randomBytes(24).toString('hex')}`);
const FAULTS: readonly Fault[] = [
  { status: 500 },
  { status: 401 },
  { status: 422 },
  { html: true },
  { reset: true },
  { rateLimit: { perSecond: 0, retryAfter: 1 } },
  { status: 404 },
];

let liar: LyingProvider;
let journey: Journey;
/** What arrives at the backends. */
let recorders: readonly Recorder[] = [];
/** Bodies of every answer of ours that refuses. */
const refusals: string[] = [];
/** Heads and bodies of every answer to a browser. */
const received: string[] = [];
let people = 0;

beforeAll(async () => {
  liar = await startLyingProvider({ clientId: CLIENT_ID, withUserinfo: false, withEndSession: true });
  journey = await startJourney({
    issuer: liar.issuer,
    start: false,
    sections: {
      ...BOTH,
      targets: BOTH['targets']?.replaceAll('timeout: 10s', 'timeout: 2s') ?? '',
      log: '{ level: debug, access: true }',
      session: `{ secrets: [${SESSION_SECRET}] }`,
      login: `
  acme:
    issuer: "\${ISSUER}"
    client_id: ${CLIENT_ID}
    client_secret: ${CLIENT_SECRET}
    email_domains: [acme.test]
    claims: { title: title }
    refresh: 1s
    bearer: { audience: [latchgate-api] }`,
      rules: `
  suspended:
    when: { title: suspended }
    deny: Ask somebody.
${BOTH['rules']?.replace(/^\n/, '')}`,
    },
  });
  recorders = await Promise.all([journey.gooddata, journey.superset].map(({ url }) => startRecorder(url)));
  const [gooddata, superset] = recorders;
  await journey.start({ GOODDATA_URL: gooddata?.url ?? '', SUPERSET_URL: superset?.url ?? '' });
  marked('token of GoodData', journey.gooddata.token);
});
afterAll(async () => {
  await journey.close();
  await Promise.all(recorders.map((recorder) => recorder.close()));
  await liar.close();
});

/** Somebody new, of whom nothing is ever to be read again. */
function somebody(more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> {
  people += 1;
  const name = (what: string) => marked(`${what} of person ${people}`);
  return {
    ...{ sub: name('subject'), given_name: name('given name'), family_name: name('family name'), name: name('name') },
    ...{ email: `${name('e-mail')}@acme.test`, email_verified: true, preferred_username: name('user name') },
    ...{ groups: [name('group'), name('another group')], title: 'Analyst', department: name('department') },
    ...{ sid: name('session of the provider'), [name('name of a claim')]: name('unknown claim') },
    ...more,
  };
}

/** From now on the provider says this of who logs in, and everything that it hands out is a secret. */
function says(claims: Readonly<Record<string, unknown>>, lies: Parameters<LyingProvider['lie']>[0] = {}): void {
  liar.lie({
    claims,
    ...lies,
    callback: (parameters) => {
      lies.callback?.(parameters);
      for (const name of ['code', 'state', 'error_description']) {
        const value = parameters.get(name);
        if (value !== null) marked(`${name} ${secrets.size}`, value);
      }
    },
    tokenAnswer: (honest, grant) => {
      for (const name of ['access_token', 'refresh_token', 'id_token']) {
        if (typeof honest[name] === 'string') marked(`${name} ${secrets.size}`, honest[name]);
      }
      return lies.tokenAnswer === undefined ? honest : lies.tokenAnswer(honest, grant);
    },
  });
}

async function logIn(path = '/', browser = journey.browser()): Promise<Browser> {
  note(browser, await browser.visit(`${journey.url}${path}`));
  return browser;
}

function note(browser: Browser, page: Page): Page {
  if (page.status >= 400) refusals.push(page.text);
  received.push(JSON.stringify(page.headers), page.text);
  for (const name of ['latchgate', 'latchgate-login']) {
    const value = browser.cookie(journey.url, name);
    if (value === undefined || value === '') continue;
    marked(`cookie ${name} ${secrets.size}`, value);
    marked(`decoded cookie ${name} ${secrets.size}`, decodeURIComponent(value));
  }
  for (const name of ['code_verifier', 'client_secret']) {
    const value = liar.lastTokenRequest().get(name);
    if (value !== null) marked(`${name} ${secrets.size}`, value);
  }
  return page;
}

/** Bytes as they are; what comes back when nothing is left of the connection. */
function raw(bytes: string): Promise<string> {
  const { port, hostname } = new URL(journey.url);
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(text));
    socket.setTimeout(1_000, () => socket.destroy());
    socket.write(bytes, 'latin1');
  });
}

async function expectNothingShown(): Promise<void> {
  const admin = journey.admin();
  const places: Readonly<Record<string, string>> = {
    'the log': journey.log.join('\n'),
    'an error page': refusals.join('\n'),
    metrics: await (await fetch(`${admin}/metrics`)).text(),
    readiness: await (await fetch(`${admin}/readyz`)).text(),
  };
  const found: string[] = [];
  for (const [place, text] of Object.entries(places)) {
    for (const [what, value] of secrets) if (text.includes(value)) found.push(`${what} in ${place}`);
    if (/eyJ[\w-]{10,}\.[\w-]{10,}/.test(text)) found.push(`a token in ${place}`);
    if (/(?:code|state|token|secret)=(?!\[redacted\])\w/.test(text)) found.push(`a parameter in ${place}`);
  }
  expect(found).toEqual([]);
}

it('logins, requests, renewals and logouts leave no secret and nothing of a person in log, page or metric', async () => {
  says(somebody());
  const browser = await logIn('/superset/welcome/');
  expect((await browser.visit(`${journey.url}/?q=${marked('query')}`)).status).toBe(200);
  await sleep(1_100);
  says({ ...somebody(), sub: secrets.get('subject of person 1'), groups: [marked('later group')] });
  await browser.call(`${journey.url}/superset/welcome/`);
  await until('the renewal', () => liar.asked.token >= 2 || undefined);
  const page = await browser.visit(`${journey.url}/.latchgate/logout`);
  note(browser, await browser.submit(page));
  expect(journey.log.filter((line) => line.includes('"message":"login"')).length).toBeGreaterThan(0);
  expect(journey.log.filter((line) => line.includes('"message":"logout"'))).toHaveLength(1);
  await expectNothingShown();
}, 30_000);

it('neither do refused logins', async () => {
  const before = refusals.length;
  says(somebody({ title: 'suspended' }));
  await logIn();
  says(somebody({ email: `${marked('odd e-mail')} <script>` }));
  await logIn();
  says(somebody({ groups: { [marked('group as a name')]: marked('group as a value') } }));
  await logIn();
  says(somebody({ groups: [`${marked('group with a control character')}\u0001`] }));
  await logIn();
  says(somebody({ sub: `${marked('subject with a line feed')}\n` }));
  await logIn();
  says(somebody({ given_name: { [marked('name as an object')]: 1 } }));
  await logIn();
  expect(refusals.length).toBeGreaterThanOrEqual(before + 5);
  await expectNothingShown();
}, 30_000);

it('neither do answers of the provider that do not hold', async () => {
  const before = refusals.length;
  const lies: readonly Parameters<LyingProvider['lie']>[0][] = [
    { signature: 'wrong-key' },
    { header: { kid: marked('kid') } },
    { idToken: marked('no token') },
    { tokenAnswer: () => ({ error: marked('error'), error_description: marked('description') }) },
    { tokenAnswer: () => marked('text for an answer') },
    {
      answer: {
        token: (_req, res) => {
          const body = { error: 'invalid_grant', error_description: marked('description of a failure') };
          res.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify(body));
        },
      },
    },
    {
      answer: {
        token: (_req, res) =>
          void res.writeHead(200, { 'content-type': 'application/json' }).end(`{"x":${marked('broken JSON')}`),
      },
    },
    { answer: { token: (_req, res) => void res.writeHead(200, { 'content-type': 'text/html' }).end(marked('page')) } },
    { answer: { token: (_req, res) => void res.writeHead(302, { location: `/${marked('place')}` }).end() } },
    {
      callback: (parameters) => {
        parameters.delete('code');
        parameters.set('error', 'access_denied');
        parameters.set('error_description', `${marked('reason')} <b>`);
      },
    },
    {
      callback: (parameters) => {
        parameters.delete('code');
        parameters.set('error', marked('name of an error'));
      },
    },
    { callback: (parameters) => parameters.set('iss', `https://${marked('host of an issuer')}.example`) },
  ];
  for (const lie of lies) {
    const claims = somebody();
    says({ ...claims, ...(lie.claims as object) }, lie);
    await logIn();
  }
  expect(refusals.length).toBe(before + lies.length);
  await expectNothingShown();
}, 30_000);

it('neither do backends that fail, whatever they say', async () => {
  for (const backend of [journey.gooddata, journey.superset]) {
    for (const fault of FAULTS) {
      backend.faults.set(fault);
      says(somebody());
      await logIn(backend === journey.superset ? '/superset/welcome/' : '/');
      backend.faults.clear();
    }
  }
  await expectNothingShown();
}, 60_000);

it('neither do requests of strangers, callbacks, tokens and broken bytes', async () => {
  const before = refusals.length;
  const stranger = journey.browser();
  const visit = async (path: string, headers: Record<string, string> = {}, method = 'GET') => {
    note(stranger, await stranger.visit(`${journey.url}${path}`, { headers, method, follow: false }));
  };
  const jwt = await liar.sign({ email: marked('e-mail in a bearer token'), aud: 'latchgate-api' });
  marked('bearer token', jwt);
  says(somebody());
  await visit(`/.latchgate/callback/acme?code=${marked('stray code')}&state=${marked('stray state')}`);
  await visit(`/.latchgate/callback/acme?code=${marked('code without a state')}`);
  await visit(`/.latchgate/callback/${marked('name of a login')}?code=x`);
  await visit(
    `/.latchgate/logout?rd=${marked('place after a logout')}`,
    { origin: `https://${marked('host')}.example` },
    'POST',
  );
  await visit(`/${marked('path')}%2f..`);
  await visit(`/api?token=${marked('token in an address')}`, { 'sec-fetch-mode': 'cors', accept: 'application/json' });
  await visit('/', {
    cookie: `latchgate=${marked('forged cookie')}`,
    accept: 'application/json',
    'sec-fetch-mode': 'cors',
  });
  await visit('/', { authorization: `Bearer ${jwt}` });
  await visit('/', { authorization: `Bearer ${marked('opaque bearer token')}` });
  await visit('/', {
    authorization: `Basic ${marked('password', Buffer.from('user:password').toString('base64'))}`,
    'sec-fetch-mode': 'cors',
  });
  await visit('/', { 'x-latchgate-assertion': marked('forged assertion'), 'sec-fetch-mode': 'cors' });
  const form = (token: string) => `logout_token=${token}`;
  for (const token of [
    await liar.logoutToken(),
    await liar.logoutToken({ signature: 'none' }),
    marked('no logout token'),
  ]) {
    if (token.includes('.')) marked(`logout token ${secrets.size}`, token);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const answer = await fetch(`${journey.url}/.latchgate/backchannel-logout/acme`, {
      method: 'POST',
      headers,
      body: form(token),
    });
    refusals.push(await answer.text());
  }
  const { host } = new URL(journey.url);
  for (const bytes of [
    `GET /${marked('raw path')} HTTP/1.1\r\nHost: ${host}\r\nX-A: ${marked('raw value')}\u0000\r\n\r\n`,
    `GET /${marked('path without host')} HTTP/1.1\r\nCookie: latchgate=${marked('raw cookie')}\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n${marked('raw body')}`,
    `GET / HTTP/1.1\r\nHost: ${host}\r\nX-Big: ${marked('big value')}${'a'.repeat(40_000)}\r\n\r\n`,
    `GET http://${marked('raw authority')}.example/ HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `GET /ws HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nCookie: latchgate=${marked('cookie of an upgrade')}\r\n\r\n`,
    `CONNECT ${marked('raw target')}.example:443 HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
    `${marked('no HTTP')}\r\n\r\n`,
  ]) {
    refusals.push(await raw(bytes));
  }
  expect(refusals.length).toBeGreaterThanOrEqual(before + 15);
  await expectNothingShown();
}, 30_000);

it('neither does a provider that is away, nor one whose keys and documents are none', async () => {
  await liar.rotate();
  says(somebody(), { jwks: () => ({ keys: [{ kty: 'EC', kid: 'k2', x: marked('broken key') }] }) });
  await logIn();
  says(somebody(), { answer: { jwks: (_req, res) => void res.writeHead(500).end(marked('failure of keys')) } });
  await logIn();
  says(somebody(), { answer: { token: (_req, res) => void res.destroy() } });
  await logIn();
  await expectNothingShown();
  // Every level and every kind of line was there to be looked at.
  const levels = new Set(journey.log.map((line) => (JSON.parse(line) as { level: string }).level));
  expect([...levels].sort()).toEqual(['debug', 'error', 'info', 'warn']);
  const messages = journey.log.map((line) => (JSON.parse(line) as { message: string }).message);
  expect(messages).toEqual(
    expect.arrayContaining(['login', 'logout', 'login refused', 'request refused', 'request', 'outgoing call']),
  );
  expect(secrets.size).toBeGreaterThan(300);
}, 30_000);

/** Secrets of these kinds, as they stand and as they are in an address. */
function valuesOf(kinds: RegExp): [what: string, value: string][] {
  return [...secrets]
    .filter(([what]) => kinds.test(what))
    .flatMap(([what, value]) => [
      [what, value],
      [what, encodeURIComponent(value)],
    ]);
}

it('no backend has seen a token of the provider, a cookie of ours or a code, and no page holds a token', () => {
  const arrived = recorders.flatMap(({ seen }) => seen.map((one) => JSON.stringify(one))).join('\n');
  expect(arrived).toMatch(/X-Latchgate-Assertion/i);
  expect(received.length).toBeGreaterThan(50);
  const shown = (text: string, kinds: RegExp) =>
    valuesOf(kinds)
      .filter(([, value]) => text.includes(value))
      .map(([what]) => what);
  expect(shown(arrived, /_token|cookie|^code |state |code_verifier|client secret|session secret/)).toEqual([]);
  expect(shown(received.join('\n'), /_token|code_verifier|client secret|session secret|token of GoodData/)).toEqual([]);
});
