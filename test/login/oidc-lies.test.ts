import type { ServerResponse } from 'node:http';
import { type Lies, type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { type Harness, harnessFor, logIn, refusal, SIGNAL } from './oidc-harness.ts';

let liar: LyingProvider;
let harness: Harness;

beforeAll(async () => {
  liar = await startLyingProvider({ clientId: 'gateway' });
  harness = harnessFor(liar.issuer);
});
beforeEach(() => liar.lie({}));
afterAll(async () => {
  await harness.http.close();
  await liar.close();
});

const now = () => Math.floor(Date.now() / 1_000);
const page = (status: number, type: string, body: string) => (_req: unknown, res: ServerResponse) =>
  void res.writeHead(status, { 'content-type': type }).end(body);
const redirect = (_req: unknown, res: ServerResponse) => void res.writeHead(302, { location: '/elsewhere' }).end();
const json = (status: number, body: unknown) => page(status, 'application/json', JSON.stringify(body));
const without =
  (...names: string[]) =>
  (claims: Record<string, unknown>) =>
    Object.fromEntries(Object.entries(claims).filter(([name]) => !names.includes(name)));

it('takes an honest login', async () => {
  const { assertion, tokens } = await logIn(harness.provider);
  expect(assertion).toMatchObject({ origin: 'staff', issuer: liar.issuer, subject: 'alice', active: true });
  expect(assertion.claims).toEqual({ sub: 'alice' });
  expect(Object.keys(tokens).sort()).toEqual(['idToken', 'refreshToken']);
});

describe('an ID token is refused', () => {
  const cases: [what: string, lies: () => Lies, expected: string][] = [
    ['without a signature (alg none)', () => ({ signature: 'none' }), 'token_invalid'],
    ['with its signature cut off', () => ({ signature: 'stripped' }), 'token_invalid'],
    ['signed by another key under a known kid', () => ({ signature: 'wrong-key' }), 'token_invalid'],
    ['changed after it was signed', () => ({ signature: 'tampered' }), 'token_invalid'],
    ['signed with the public key as a shared secret', () => ({ signature: 'hmac-with-public-key' }), 'token_invalid'],
    ['that brings its own key', () => ({ signature: 'embedded-key' }), 'token_invalid'],
    ['with an unknown kid', () => ({ header: { kid: 'nobody' } }), 'token_key_unknown'],
    ['with a critical header that we do not know', () => ({ header: { crit: ['x'], x: 1 } }), 'token_invalid'],
    ['that is a logout token by its typ', () => ({ header: { typ: 'logout+jwt' } }), 'token_invalid: typ'],
    ['that is an access token by its typ', () => ({ header: { typ: 'at+jwt' } }), 'token_invalid: typ'],
    ['of another issuer', () => ({ claims: { iss: 'https://other.example' } }), 'token_invalid'],
    ['whose issuer differs by a slash', () => ({ claims: { iss: `${liar.issuer}/` } }), 'token_invalid'],
    ['for another audience', () => ({ claims: { aud: 'other' } }), 'token_invalid'],
    ['for a further audience', () => ({ claims: { aud: ['gateway', 'other'], azp: 'gateway' } }), 'token_invalid: aud'],
    ['for nobody', () => ({ claims: { aud: [] } }), 'token_invalid'],
    ['that another client asked for', () => ({ claims: { azp: 'other' } }), 'token_invalid: azp'],
    ['with another nonce', () => ({ claims: { nonce: 'x' } }), 'token_invalid'],
    ['without a nonce', () => ({ claims: without('nonce') }), 'token_invalid'],
    ['of tomorrow', () => ({ claims: { iat: now() + 3_600, exp: now() + 7_200 } }), 'token_invalid: iat'],
    ['of last week', () => ({ claims: { iat: now() - 604_800 } }), 'token_invalid: iat'],
    ['that has run out', () => ({ claims: { exp: now() - 60 } }), 'token_invalid'],
    ['that is not valid yet', () => ({ claims: { nbf: now() + 600 } }), 'token_invalid'],
    ['without exp', () => ({ claims: without('exp') }), 'token_invalid'],
    ['without iat', () => ({ claims: without('iat') }), 'token_invalid'],
    ['with iat as text', () => ({ claims: { iat: String(now()) } }), 'token_invalid'],
    ['of another access token', () => ({ claims: { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' } }), 'token_invalid: at_hash'],
    ['without a subject', () => ({ claims: without('sub') }), 'token_invalid'],
    ['with a number as subject', () => ({ claims: { sub: 7 } }), 'token_invalid'],
    ['with an empty subject', () => ({ claims: { sub: '' } }), 'subject_invalid'],
    ['with a subject of 256 characters', () => ({ claims: { sub: 'a'.repeat(256) } }), 'subject_invalid'],
    ['with a line feed in the subject', () => ({ claims: { sub: 'alice\nadmin' } }), 'subject_invalid'],
    ['with NUL in the subject', () => ({ claims: { sub: 'alice\u0000' } }), 'subject_invalid'],
    ['with a lone surrogate in the subject', () => ({ claims: { sub: 'alice\ud800' } }), 'subject_invalid'],
    ['that is no token', () => ({ idToken: 'not a token' }), 'token_invalid: form'],
    ['that is a number', () => ({ idToken: 7 }), 'token_invalid: form'],
    ['whose header is not JSON', () => ({ idToken: 'aaaa.bbbb.cccc' }), 'token_invalid: form'],
    ['that is not there', () => ({ tokenAnswer: without('id_token') }), 'token_invalid'],
  ];

  it.each(cases)('%s', async (_what, lies, expected) => {
    liar.lie(lies());
    expect(await refusal(logIn(harness.provider))).toBe(expected);
  });

  it('but not for a subject of 255 characters, an audience of one in a list, or a typ in other letters', async () => {
    const sub = 'é'.repeat(255);
    liar.lie({
      claims: { sub, aud: ['gateway'], azp: 'gateway' },
      header: { typ: 'application/JWT' },
      userinfo: { sub },
    });
    expect((await logIn(harness.provider)).assertion.subject).toBe(sub);
  });
});

describe('an answer of the token endpoint', () => {
  const cases: [what: string, answer: (req: unknown, res: ServerResponse) => void, expected: string][] = [
    ['that is an error 500', page(500, 'text/plain', 'oops'), 'provider_unavailable'],
    ['that is an error 503 in JSON', json(503, { error: 'temporarily_unavailable' }), 'provider_unavailable'],
    ['that asks for patience', json(429, { error: 'slow_down' }), 'provider_unavailable'],
    ['that is a page', page(200, 'text/html', '<h1>Welcome</h1>'), 'provider_unavailable'],
    ['that is broken JSON', page(200, 'application/json', '{"access_token":'), 'provider_unavailable'],
    ['that redirects', redirect, 'provider_unavailable'],
    ['that is cut off', (_req, res) => void res.destroy(), 'provider_unavailable'],
    ['that is far too long', page(200, 'application/json', `"${'a'.repeat(300_000)}"`), 'answer_too_large'],
    ['that says our client is wrong', json(401, { error: 'invalid_client' }), 'provider_misconfigured'],
    [
      'that says so with a challenge',
      (_req, res) => void res.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end(),
      'provider_misconfigured',
    ],
    ['that says our client may not', json(400, { error: 'unauthorized_client' }), 'provider_misconfigured'],
    [
      'that says the code is over',
      json(400, { error: 'invalid_grant', error_description: '<b>secret</b>' }),
      'login_expired',
    ],
    ['without an access token', json(200, { token_type: 'Bearer' }), 'token_invalid'],
  ];

  it.each(cases)('%s', async (_what, answer, expected) => {
    liar.lie({ answer: { token: answer } });
    expect(await refusal(logIn(harness.provider))).toBe(expected);
  });

  const slow: [what: string, answer: (req: unknown, res: ServerResponse) => void][] = [
    ['that does not come', () => {}],
    ['that drips', (_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).write('{')],
  ];

  it.each(slow)('%s', async (_what, answer) => {
    const hasty = harnessFor(liar.issuer, {}, { timeoutMs: 1_000 });
    await hasty.provider.probe(SIGNAL);
    liar.lie({ answer: { token: answer } });
    expect(await refusal(logIn(hasty.provider))).toBe('provider_unavailable');
    await hasty.http.close();
  });
});

describe('the way back is refused', () => {
  const cases: [what: string, change: (callback: URL) => void, expected: string][] = [
    ['with a second code', ({ searchParams }) => searchParams.append('code', 'x'), 'login_state_invalid: duplicate'],
    ['with a second state', ({ searchParams }) => searchParams.append('state', 'x'), 'login_state_invalid: duplicate'],
    [
      'with anything twice',
      ({ searchParams }) => ['1', '2'].map((value) => searchParams.append('x', value)),
      'login_state_invalid: duplicate',
    ],
    ['with another state', ({ searchParams }) => searchParams.set('state', 'x'), 'login_state_invalid: state'],
    ['without state', ({ searchParams }) => searchParams.delete('state'), 'login_state_invalid: state'],
    [
      'of another issuer',
      ({ searchParams }) => searchParams.set('iss', 'https://other.example'),
      'login_state_invalid: iss',
    ],
    [
      'without the issuer that was promised',
      ({ searchParams }) => searchParams.delete('iss'),
      'login_state_invalid: iss',
    ],
    ['without a code', ({ searchParams }) => searchParams.delete('code'), 'login_state_invalid: code'],
    [
      'with a code and an error',
      ({ searchParams }) => searchParams.set('error', 'access_denied'),
      'login_state_invalid: code',
    ],
    ['with a code of somebody else', ({ searchParams }) => searchParams.set('code', 'x'), 'login_expired'],
    ['with tokens in it', ({ searchParams }) => searchParams.set('id_token', 'x'), 'token_invalid'],
  ];

  it.each(cases)('%s', async (_what, change, expected) => {
    const refused = await refusal(logIn(harness.provider, change));
    expect(refused).toBe(expected);
  });

  const errors: [error: string, expected: string][] = [
    ['access_denied', 'provider_refused'],
    ['login_required', 'provider_refused'],
    ['server_error', 'provider_unavailable'],
    ['temporarily_unavailable', 'provider_unavailable'],
    ['invalid_scope', 'provider_misconfigured'],
    ['<script>alert(1)</script>', 'provider_misconfigured'],
  ];

  it.each(errors)('with the error %s', async (error, expected) => {
    const change = ({ searchParams }: URL) => {
      searchParams.delete('code');
      searchParams.set('error', error);
      searchParams.set('error_description', 'call 555-0100');
    };
    expect(await refusal(logIn(harness.provider, change))).toBe(expected);
  });

  it("with nothing of the provider's own words in the error", async () => {
    const change = ({ searchParams }: URL) => {
      searchParams.delete('code');
      searchParams.set('error', 'call_555_0100');
      searchParams.set('error_description', 'call 555-0100');
    };
    const thrown = await logIn(harness.provider, change).catch((error: unknown) => error);
    expect(inspectAll(thrown)).not.toMatch(/555/);
  });
});

it('lets no token, claim or provider text out in an error', async () => {
  liar.lie({ claims: { nonce: 'wrong', email: 'secret@example.com' } });
  const thrown = await logIn(harness.provider).catch((error: unknown) => error);
  expect(inspectAll(thrown)).not.toMatch(/secret@example|eyJ|access_token/);
});

describe('userinfo', () => {
  it('adds what the ID token lacks and changes nothing that it has', async () => {
    liar.lie({
      claims: { email: 'a@example.com' },
      userinfo: { email: 'evil@example.com', groups: ['eng'], iss: 'x' },
    });
    const { assertion } = await logIn(harness.provider);
    expect(assertion.claims).toEqual({ sub: 'alice', email: 'a@example.com', groups: ['eng'] });
  });

  it('is not asked when the ID token has everything that the config names', async () => {
    const complete = { given_name: 'A', family_name: 'B', name: 'A B', email: 'a@b.c', email_verified: true };
    liar.lie({ claims: { ...complete, preferred_username: 'a', groups: [] } });
    const before = liar.asked.userinfo;
    await logIn(harness.provider);
    expect(liar.asked.userinfo).toBe(before);
  });

  const cases: [what: string, lies: Lies, expected: string][] = [
    ['of another subject', { userinfo: { sub: 'bob' } }, 'token_invalid'],
    ['that fails', { answer: { userinfo: page(500, 'text/plain', '') } }, 'provider_unavailable'],
    ['that is a page', { answer: { userinfo: page(200, 'text/html', 'hi') } }, 'provider_unavailable'],
    [
      'that is too long',
      { answer: { userinfo: page(200, 'application/json', `"${'a'.repeat(300_000)}"`) } },
      'answer_too_large',
    ],
    [
      'that refuses us',
      { answer: { userinfo: (_req, res) => void res.writeHead(401, { 'www-authenticate': 'Bearer' }).end() } },
      'provider_misconfigured',
    ],
  ];

  it.each(cases)('%s refuses the login', async (_what, lies, expected) => {
    liar.lie(lies);
    expect(await refusal(logIn(harness.provider))).toBe(expected);
  });

  it('keeps claims called like the insides of objects ordinary', async () => {
    liar.lie({
      answer: {
        userinfo: page(200, 'application/json', '{"sub":"alice","__proto__":{"groups":["admin"]},"constructor":"x"}'),
      },
    });
    const { claims } = (await logIn(harness.provider)).assertion;
    expect(Object.getPrototypeOf(claims)).toBe(Object.prototype);
    expect(claims['groups']).toBeUndefined();
    expect(Object.keys(claims).sort()).toEqual(['__proto__', 'constructor', 'sub']);
  });
});

function inspectAll(thrown: unknown): string {
  const parts: string[] = [];
  for (let error = thrown; error instanceof Error; error = error.cause) {
    parts.push(error.message, JSON.stringify(error, Object.getOwnPropertyNames(error)));
  }
  return parts.join('\n');
}
