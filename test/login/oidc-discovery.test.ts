import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { type Harness, harnessFor, logIn, newTransaction, refusal, SIGNAL } from './oidc-harness.ts';

let liar: LyingProvider;
const open: Harness[] = [];
let now = Date.now();
const clock = { now: () => now };

/** With nothing discovered yet. */
function fresh(settings: Readonly<Record<string, unknown>> = {}, issuer = liar.issuer, timeoutMs = 10_000): Harness {
  const harness = harnessFor(issuer, settings, { clock, timeoutMs });
  open.push(harness);
  return harness;
}

beforeAll(async () => {
  liar = await startLyingProvider({ clientId: 'gateway' });
});
beforeEach(() => {
  now = Date.now();
  liar.lie({});
});
afterAll(async () => {
  await Promise.all(open.map(({ http }) => http.close()));
  await liar.close();
});

const answer = (status: number, type: string, body: string) => (_req: unknown, res: ServerResponse) =>
  void res.writeHead(status, { 'content-type': type }).end(body);

describe('a discovery document is refused', () => {
  const cases: [what: string, change: (document: Record<string, unknown>) => unknown, expected: string][] = [
    ['of another issuer', (d) => ({ ...d, issuer: 'https://other.example' }), 'provider_metadata_invalid'],
    [
      'of every issuer',
      (d) => ({ ...d, issuer: 'https://login.example/{tenantid}/v2.0' }),
      'provider_metadata_invalid',
    ],
    ['of an issuer below', (d) => ({ ...d, issuer: `${d['issuer']}/realms/x` }), 'provider_metadata_invalid'],
    ['without issuer', ({ issuer: _, ...d }) => d, 'provider_metadata_invalid'],
    ['without keys', ({ jwks_uri: _, ...d }) => d, 'provider_metadata_invalid'],
    ['without token endpoint', ({ token_endpoint: _, ...d }) => d, 'provider_metadata_invalid'],
    [
      'with keys elsewhere over http',
      (d) => ({ ...d, jwks_uri: 'http://keys.example/jwks' }),
      'provider_metadata_invalid',
    ],
    [
      'with a token endpoint elsewhere over http',
      (d) => ({ ...d, token_endpoint: 'http://evil.example/t' }),
      'provider_metadata_invalid',
    ],
    [
      'with userinfo elsewhere over http',
      (d) => ({ ...d, userinfo_endpoint: 'http://evil.example/u' }),
      'provider_metadata_invalid',
    ],
    [
      'with a login page that is a script',
      (d) => ({ ...d, authorization_endpoint: 'javascript:alert(1)' }),
      'provider_metadata_invalid',
    ],
    [
      'with an end of session that is a file',
      (d) => ({ ...d, end_session_endpoint: 'file:///etc/passwd' }),
      'provider_metadata_invalid',
    ],
    [
      'with a password in an address',
      (d) => ({ ...d, token_endpoint: 'http://u:p@127.0.0.1/t' }),
      'provider_metadata_invalid',
    ],
    ['with a number for an address', (d) => ({ ...d, jwks_uri: 7 }), 'provider_metadata_invalid'],
    ['that is a list', () => [], 'provider_metadata_invalid'],
  ];

  it.each(cases)('%s', async (_what, discovery, expected) => {
    liar.lie({ discovery });
    expect(await refusal(fresh().provider.probe(SIGNAL))).toBe(expected);
  });

  const failures: [what: string, answer: (req: unknown, res: ServerResponse) => void, expected: string][] = [
    ['that is an error', answer(500, 'text/plain', ''), 'provider_unavailable'],
    ['that is not there', answer(404, 'text/html', ''), 'provider_unavailable'],
    ['that is a page', answer(200, 'text/html', '<p>hi'), 'provider_unavailable'],
    ['that is broken', answer(200, 'application/json', '{'), 'provider_unavailable'],
    ['that redirects', (_req, res) => void res.writeHead(302, { location: '/' }).end(), 'provider_unavailable'],
    ['that is too long', answer(200, 'application/json', `{"a":"${'a'.repeat(300_000)}"}`), 'answer_too_large'],
  ];

  it.each(failures)('%s', async (_what, discovery, expected) => {
    liar.lie({ answer: { discovery } });
    expect(await refusal(fresh().provider.probe(SIGNAL))).toBe(expected);
  });

  it('that does not come', async () => {
    liar.lie({ answer: { discovery: () => {} } });
    expect(await refusal(fresh({}, liar.issuer, 1_000).provider.probe(SIGNAL))).toBe('provider_unavailable');
  });

  it('by an https issuer whose endpoints are http, before anything is sent', async () => {
    const { provider } = fresh({}, 'https://127.0.0.1:1');
    expect(await refusal(provider.probe(SIGNAL))).toBe('provider_unavailable');
  });
});

it('asks nobody before the first login, and then once for all who come at the same time', async () => {
  const { provider } = fresh();
  const before = liar.asked.discovery;
  await Promise.all(Array.from({ length: 20 }, () => provider.begin({ state: 's', transaction: newTransaction() })));
  expect(liar.asked.discovery).toBe(before + 1);
});

it('recovers from a provider that was down, after a short pause in which it is left alone', async () => {
  const { provider } = fresh();
  liar.lie({ answer: { discovery: answer(500, 'text/plain', '') } });
  expect(await refusal(logIn(provider))).toBe('provider_unavailable');
  liar.lie({});
  const asked = liar.asked.discovery;
  expect(await refusal(logIn(provider))).toBe('provider_unavailable');
  expect(liar.asked.discovery).toBe(asked);
  now += 1_000;
  expect((await logIn(provider)).assertion.subject).toBe('alice');
});

it('does not leave it alone for longer when the clock is turned back', async () => {
  const { provider } = fresh();
  liar.lie({ answer: { discovery: answer(500, 'text/plain', '') } });
  expect(await refusal(logIn(provider))).toBe('provider_unavailable');
  liar.lie({});
  // As far as the token that is issued meanwhile may be ahead of us.
  now -= 20_000;
  expect((await logIn(provider)).assertion.subject).toBe('alice');
});

it('recovers from a provider that was not even listening', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const issuer = `http://127.0.0.1:${port}`;
  const { provider } = fresh({}, issuer);
  expect(await refusal(provider.probe(SIGNAL))).toBe('provider_unavailable');
  const back = createServer((_req, res) => {
    const endpoints = { authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t`, jwks_uri: `${issuer}/j` };
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ issuer, ...endpoints }));
  });
  await new Promise<void>((resolve) => back.listen(port, '127.0.0.1', resolve));
  now += 1_000;
  await expect(provider.probe(SIGNAL)).resolves.toBeUndefined();
  await new Promise((resolve) => {
    back.close(resolve);
    back.closeAllConnections();
  });
});

it('goes on with what it knows when the document cannot be read again', async () => {
  const { provider } = fresh();
  await logIn(provider);
  liar.lie({ answer: { discovery: answer(500, 'text/plain', '') } });
  now += 2 * 3_600_000;
  // The token is young by the wall clock and old by ours: only the way to the provider matters here.
  expect(provider.begin({ state: 's', transaction: newTransaction() })).toMatch(/^http/);
});

describe('keys', () => {
  it('may rotate between two logins without a pause', async () => {
    const { provider } = fresh();
    await logIn(provider);
    for (let round = 0; round < 3; round += 1) {
      await liar.rotate();
      expect((await logIn(provider)).assertion.subject).toBe('alice');
    }
  });

  it('are asked for once while they stay the same', async () => {
    const { provider } = fresh();
    await logIn(provider);
    const before = liar.asked.jwks;
    await logIn(provider);
    await logIn(provider);
    expect(liar.asked.jwks).toBe(before);
  });

  it('that are not published sign nobody in', async () => {
    const { provider } = fresh();
    await logIn(provider);
    await liar.rotate({ publish: false });
    expect(await refusal(logIn(provider))).toBe('token_key_unknown');
    await liar.rotate();
    expect(await refusal(logIn(provider))).toBe('accepted');
  });

  const failures: [what: string, answer: (req: unknown, res: ServerResponse) => void, expected: string][] = [
    ['with an error', answer(500, 'text/plain', ''), 'provider_unavailable'],
    ['with a page', answer(200, 'text/html', 'hi'), 'provider_unavailable'],
    ['with no list of keys', answer(200, 'application/json', '{"keys":7}'), 'provider_unavailable'],
    ['with an empty list', answer(200, 'application/json', '{"keys":[]}'), 'token_key_unknown'],
    ['with a flood', answer(200, 'application/json', `{"keys":["${'a'.repeat(300_000)}"]}`), 'answer_too_large'],
    [
      'with a redirect',
      (_req, res) => void res.writeHead(302, { location: '/elsewhere' }).end(),
      'provider_unavailable',
    ],
  ];

  it.each(failures)('answered %s sign nobody in', async (_what, jwks, expected) => {
    liar.lie({ answer: { jwks } });
    expect(await refusal(logIn(fresh().provider))).toBe(expected);
  });
});

it('keys that do not come sign nobody in', async () => {
  const { provider } = fresh({}, liar.issuer, 1_000);
  await provider.probe(SIGNAL);
  liar.lie({ answer: { jwks: () => {} } });
  expect(await refusal(logIn(provider))).toBe('provider_unavailable');
});

describe('verify', () => {
  it('takes a token that somebody holds, of any age that its exp allows', async () => {
    const { provider } = fresh();
    const iat = Math.floor(now / 1_000) - 86_400;
    const assertion = await provider.verify(await liar.sign({ iat, groups: ['eng'] }), SIGNAL);
    expect(assertion).toMatchObject({ subject: 'alice', origin: 'staff', claims: { sub: 'alice', groups: ['eng'] } });
  });

  it.each([
    ['for another client', { aud: 'other' }, 'token_invalid'],
    ['that has run out', { exp: 1_000 }, 'token_invalid'],
    ['of another issuer', { iss: 'https://other.example' }, 'token_invalid'],
  ])('refuses one %s', async (_what, claims, expected) => {
    expect(await refusal(fresh().provider.verify(await liar.sign(claims), SIGNAL))).toBe(expected);
  });

  it.each(['', 'a.b', 'not a token', 'eyJhbGciOiJub25lIn0.e30.'])('refuses %j', async (token) => {
    expect(await refusal(fresh().provider.verify(token, SIGNAL))).toMatch(/^token_/);
  });
});
