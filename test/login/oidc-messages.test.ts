import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { type Endpoint, type Lies, type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { type Harness, harnessFor, logIn, newTransaction, PUBLIC_URL, refusal, SIGNAL } from './oidc-harness.ts';

type Answering = (req: IncomingMessage, res: ServerResponse) => void;

let liar: LyingProvider;
let harness: Harness;
let before: {
  readonly issuer: string;
  readonly subject: string;
  readonly refreshToken: string;
  readonly idToken: string;
};

beforeAll(async () => {
  liar = await startLyingProvider({ clientId: 'gateway', withEndSession: true });
  harness = harnessFor(liar.issuer);
  const { assertion, tokens } = await logIn(harness.provider);
  const { refreshToken = '', idToken = '' } = tokens;
  before = { issuer: assertion.issuer, subject: assertion.subject, refreshToken, idToken };
});
beforeEach(() => liar.lie({}));
afterAll(async () => {
  await harness.http.close();
  await liar.close();
});

const JSON_TYPE = 'application/json';
const answer =
  (status: number, type: string | undefined, body: string | Buffer, headers: Record<string, string> = {}): Answering =>
  (_req, res) =>
    void res.writeHead(status, { ...(type === undefined ? {} : { 'content-type': type }), ...headers }).end(body);
const bytes =
  (raw: string): Answering =>
  (_req, res) =>
    void res.socket?.end(raw);

/** What no endpoint may answer, by what is wrong with it. */
const BAD_ANSWERS: Readonly<Record<string, readonly Answering[]>> = {
  'a status that is no success': [
    ...[
      201, 202, 204, 205, 206, 300, 301, 302, 303, 304, 307, 308, 400, 403, 404, 405, 410, 418, 421, 429, 500, 502, 503,
      504, 599,
    ],
  ].map((status) => answer(status, JSON_TYPE, '{}', { location: '/elsewhere' })),
  'another type': [
    undefined,
    '',
    'text/html',
    'text/plain',
    'application/jsonx',
    'application/xml',
    'json',
    'application/jwt;x',
  ].map((type) => answer(200, type, '{"sub":"alice"}')),
  'no JSON object': [
    '',
    ' ',
    '{',
    '{"a":',
    '[]',
    'null',
    '"x"',
    '7',
    'true',
    '<html>',
    '['.repeat(50_000),
    '{"a":1}{"a":1}',
    '\ufeff{',
  ].map((body) => answer(200, JSON_TYPE, body)),
  'too many bytes': [
    answer(200, JSON_TYPE, `"${'a'.repeat(300_000)}"`),
    answer(200, JSON_TYPE, `{"a":"${'a'.repeat(300_000)}"}`),
    answer(200, JSON_TYPE, gzipSync(Buffer.alloc(20_000_000, 'a')), { 'content-encoding': 'gzip' }),
    answer(200, JSON_TYPE, '{}', { 'x-big': 'a'.repeat(100_000) }),
  ],
  'a coding that it has not': [
    answer(200, JSON_TYPE, 'xx', { 'content-encoding': 'gzip' }),
    answer(200, JSON_TYPE, '{}', { 'content-encoding': 'compress' }),
    answer(200, JSON_TYPE, gzipSync(gzipSync('{}')), { 'content-encoding': 'gzip, gzip' }),
  ],
  'no HTTP, or half of it': [
    bytes('nonsense\r\n\r\n'),
    bytes('HTTP/1.1 200 OK\r\nX Y: z\r\n\r\n'),
    bytes('HTTP/1.1 200 OK\r\nContent-Length: 9\r\nContent-Length: 2\r\n\r\n{}'),
    bytes(`HTTP/1.1 200 OK\r\nContent-Type: ${JSON_TYPE}\r\nContent-Length: 90\r\n\r\n{}`),
    bytes(`HTTP/1.1 200 OK\r\nContent-Type: ${JSON_TYPE}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`),
    (_req, res) => void res.destroy(),
  ],
};

/** As for a fresh start, so that discovery and keys are read. */
async function newLogin(lies: Lies): Promise<string> {
  const fresh = harnessFor(liar.issuer, {}, { timeoutMs: 2_000 });
  try {
    if (lies.answer?.discovery === undefined && lies.discovery === undefined) {
      liar.lie({});
      await fresh.provider.probe(SIGNAL);
    }
    liar.lie(lies);
    return await refusal(logIn(fresh.provider));
  } finally {
    await fresh.http.close();
  }
}

async function renewal(lies: Lies): Promise<string> {
  liar.lie(lies);
  return refusal(harness.provider.refresh(before, SIGNAL));
}

const UNFIT =
  /^(?:provider_unavailable|provider_metadata_invalid|provider_misconfigured|answer_too_large|token_key_unknown|token_invalid)(?:: \w+)?$/;

describe.each(['discovery', 'jwks', 'token', 'userinfo'] as const satisfies readonly Endpoint[])(
  'an answer of %s',
  (endpoint) => {
    // The claims of a person are data whatever the type says; everywhere else it is a page of somebody who is in the way.
    const bad = Object.entries(BAD_ANSWERS).filter(([what]) => endpoint !== 'userinfo' || what !== 'another type');
    it.each(bad)('with %s logs nobody in', async (_what, all) => {
      const ends: string[] = [];
      for (const one of all) ends.push(await newLogin({ answer: { [endpoint]: one } }));
      expect(ends.filter((end) => !UNFIT.test(end))).toEqual([]);
    });

    if (endpoint !== 'token' && endpoint !== 'userinfo') return;
    it.each(bad)('with %s renews nothing, and is not taken for the end of the login', async (_what, all) => {
      const ends: string[] = [];
      for (const one of all) ends.push(await renewal({ answer: { [endpoint]: one } }));
      expect(ends.filter((end) => !UNFIT.test(end))).toEqual([]);
      expect(ends).not.toContain('login_ended');
    });
  },
);

const ADDRESSES = [
  ...[
    '',
    ' ',
    'x',
    '/relative',
    '//evil.example/x',
    'http://evil.example/x',
    'HTTP://EVIL.example',
    'http://127.0.0.1.evil.example/',
  ],
  ...[
    'http://localhost.evil.example/',
    'http://169.254.169.254/latest',
    'http://[::ffff:10.0.0.1]/',
    'http://user:pw@127.0.0.1/x',
  ],
  ...[
    'https://user@evil.example/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'data:,x',
    'ftp://127.0.0.1/',
    'https://',
    'ws://x/',
  ],
  ...[null, 7, {}, [], true, ['https://evil.example/']],
];

describe('a discovery document', () => {
  it.each([
    ...['issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'userinfo_endpoint', 'end_session_endpoint'],
    'pushed_authorization_request_endpoint',
  ])('whose %s is no address of a provider is refused', async (member) => {
    const ends: string[] = [];
    for (const value of ADDRESSES)
      ends.push(await newLogin({ discovery: (document) => ({ ...document, [member]: value }) }));
    expect(ends.filter((end) => end !== 'provider_metadata_invalid')).toEqual([]);
  });

  it('that registers no algorithm with two keys logs nobody in', async () => {
    const lists = [
      [],
      ['none'],
      ['HS256'],
      ['none', 'HS256', 'HS512'],
      ['es256'],
      ['ES256 '],
      ['RS256'],
      undefined,
      null,
    ];
    const odd = ['ES256', 'none', 7, {}, true, [7], [null], ['ES256', 7]];
    const ends: string[] = [];
    for (const value of [...lists, ...odd]) {
      ends.push(
        await newLogin({ discovery: (document) => ({ ...document, id_token_signing_alg_values_supported: value }) }),
      );
    }
    expect(ends.slice(0, lists.length).filter((end) => end !== 'token_invalid')).toEqual([]);
    expect(ends.slice(lists.length).filter((end) => end !== 'provider_metadata_invalid')).toEqual([]);
  });

  it('that says nothing sensible elsewhere changes nothing: PKCE S256, state and nonce are there all the same', async () => {
    const changes: readonly Record<string, unknown>[] = [
      ...[
        { code_challenge_methods_supported: ['plain'] },
        { code_challenge_methods_supported: 7 },
        { response_types_supported: ['token'] },
      ],
      ...[
        { scopes_supported: {} },
        { response_modes_supported: ['fragment'] },
        { mtls_endpoint_aliases: { token_endpoint: 'http://evil.example' } },
      ],
      ...[{ require_pushed_authorization_requests: 'yes' }, { __proto__x: 1 }, { constructor: 1 }],
    ];
    for (const change of changes) {
      liar.lie({ discovery: (document) => ({ ...document, ...change }) });
      const fresh = harnessFor(liar.issuer);
      const transaction = newTransaction();
      const { searchParams } = new URL(await fresh.provider.begin({ state: 's', transaction }));
      expect(Object.fromEntries(searchParams)).toMatchObject({
        ...{ response_type: 'code', state: 's', nonce: transaction.nonce, code_challenge_method: 'S256' },
        redirect_uri: `${PUBLIC_URL}/.latchgate/callback/staff`,
      });
      await fresh.http.close();
    }
  });
});

describe('published keys', () => {
  type Key = Record<string, unknown>;
  const changed = (change: (key: Key) => unknown): Lies => ({
    jwks: ({ keys }) => ({ keys: (keys as Key[]).map(change) }),
  });
  const without = (name: string) =>
    changed((key) => Object.fromEntries(Object.entries(key).filter(([one]) => one !== name)));

  it('that are none, for something else, or not to be told apart, sign nobody in', async () => {
    const all: readonly Lies[] = [
      ...[
        () => ({ keys: [] }),
        () => ({}),
        () => [],
        () => null,
        () => ({ keys: 'x' }),
        () => ({ keys: { 0: {} } }),
      ].map((jwks) => ({ jwks })),
      { jwks: ({ keys }) => keys },
      { jwks: ({ keys }) => ({ keys: [...keys, ...keys] }) },
      { jwks: ({ keys }) => ({ keys: [null, ...keys] }) },
      ...[
        { use: 'enc' },
        { alg: 'ES384' },
        { alg: 'RS256' },
        { key_ops: ['sign'] },
        { kty: 'oct', k: 'AAAA' },
        { kty: 'RSA' },
      ].map((more) => changed((key) => ({ ...key, ...more }))),
      ...[
        { crv: 'P-384' },
        { crv: 'x' },
        { x: 'AAAA', y: 'AAAA' },
        { x: '!!!' },
        { x: 7 },
        { d: 'AAAA' },
        { kid: 1 },
        { kid: 'K1' },
      ].map((more) => changed((key) => ({ ...key, ...more }))),
      ...['x', 'crv', 'kty', 'kid'].map(without),
    ];
    const ends: string[] = [];
    for (const lies of all) ends.push(`${await newLogin(lies)} < ${lies.jwks}`);
    expect(ends.filter((end) => !/^(?:token_key_unknown|token_invalid|provider_unavailable) </.test(end))).toEqual([]);
  });

  it('beside many others, or beside some that are none, are found', async () => {
    const others = Array.from({ length: 300 }, (_, at) => ({ kty: 'EC', kid: `other-${at}` }));
    expect(await newLogin({ jwks: ({ keys }) => ({ keys: [...others, ...keys] }) })).toBe('accepted');
  });
});
