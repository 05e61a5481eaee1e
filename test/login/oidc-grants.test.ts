import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Lies, type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import type { SignatureLie } from '../emulators/lying-tokens.ts';
import { type Harness, harnessFor, logIn, PUBLIC_URL, refusal, SIGNAL } from './oidc-harness.ts';

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

describe('the answer to a code or a refresh token', () => {
  const change = (name: string, values: readonly unknown[]): Lies[] =>
    values.map((value) => ({ tokenAnswer: (honest) => ({ ...honest, [name]: value }) }));

  it('without a usable access token, or with a token of another kind, is refused', async () => {
    const all = [
      ...change('access_token', ['', null, 7, {}, [], true, undefined]),
      ...change('token_type', ['', 'mac', 'N_A', null, 7, ['Bearer'], undefined]),
      ...change('expires_in', ['x', -1, null, {}, true]),
      ...change('refresh_token', ['', null, 7, {}, []]),
      ...change('scope', [7, null, {}, []]),
      ...change('id_token', [null, 7, '', {}, []]),
      ...[
        (honest: unknown) => [honest],
        () => null,
        () => 'x',
        () => ({}),
        (honest: unknown) => ({ data: honest }),
      ].map((tokenAnswer) => ({ tokenAnswer })),
    ];
    const found: string[] = [];
    for (const lies of all) found.push(await newLogin(lies), await renewal(lies));
    expect(found.filter((end) => !/^(?:token_invalid|provider_unavailable)/.test(end))).toEqual([]);
  });

  it('with an error means one thing each: who is asked again, who is to blame, and what is over', async () => {
    const cases: readonly (readonly [status: number, error: unknown, code: string, refresh: string])[] = [
      [400, 'invalid_grant', 'login_expired', 'login_ended'],
      [400, 'Invalid_Grant', 'provider_misconfigured', 'provider_misconfigured'],
      [400, 'invalid_grant ', 'provider_misconfigured', 'provider_misconfigured'],
      [401, 'invalid_client', 'provider_misconfigured', 'provider_misconfigured'],
      [400, 'unauthorized_client', 'provider_misconfigured', 'provider_misconfigured'],
      [400, 'invalid_scope', 'provider_misconfigured', 'provider_misconfigured'],
      [400, 'temporarily_unavailable', 'provider_unavailable', 'provider_unavailable'],
      [400, 'server_error', 'provider_unavailable', 'provider_unavailable'],
      [429, 'invalid_grant', 'provider_unavailable', 'provider_unavailable'],
      [500, 'invalid_grant', 'provider_unavailable', 'provider_unavailable'],
      [503, 'invalid_grant', 'provider_unavailable', 'provider_unavailable'],
      [400, '<script>', 'provider_misconfigured', 'provider_misconfigured'],
      [400, 7, 'provider_unavailable', 'provider_unavailable'],
      [400, null, 'provider_unavailable', 'provider_unavailable'],
      [200, 'invalid_grant', 'token_invalid', 'token_invalid'],
    ];
    const found: unknown[] = [];
    for (const [status, error] of cases) {
      const lies = { answer: { token: answer(status, JSON_TYPE, JSON.stringify({ error })) } };
      found.push([status, error, await newLogin(lies), await renewal(lies)]);
    }
    expect(found).toEqual(cases);
  });
});

describe('userinfo', () => {
  it('of nobody, of somebody else, or signed in a way that was not agreed is refused', async () => {
    const others = ['bob', 'Alice', 'alice ', ' alice', 'alice\u0000', '', null, 7, {}, [], ['alice'], true];
    const token = await liar.sign({ email: 'a@example.com' });
    const all: readonly Lies[] = [
      ...others.map((sub) => ({ userinfo: { sub } })),
      { answer: { userinfo: answer(200, JSON_TYPE, '{"email":"a@example.com"}') } },
      { answer: { userinfo: answer(200, 'application/jwt', token) } },
      { answer: { userinfo: answer(200, 'application/jwt', 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.') } },
    ];
    const found: string[] = [];
    for (const lies of all) found.push(await newLogin(lies), await renewal(lies));
    expect(found.filter((end) => !/^(?:token_invalid|provider_unavailable)/.test(end))).toEqual([]);
  });

  it('is never asked elsewhere, though the answer says so', async () => {
    const asked = liar.asked.userinfo;
    for (const status of [301, 302, 303, 307, 308]) {
      const location = `${liar.issuer}/userinfo?again`;
      expect(await newLogin({ answer: { userinfo: answer(status, JSON_TYPE, '{"sub":"alice"}', { location }) } })).toBe(
        'provider_unavailable',
      );
    }
    expect(liar.asked.userinfo - asked).toBe(5);
  });
});

describe('the way back', () => {
  /** Written into the address as it stands, so that names can be escaped. */
  const query = (change: (honest: string) => string) => (callback: URL) => {
    callback.search = change(callback.search);
  };

  it('with anything twice, in any spelling, is refused before the code is used', async () => {
    const asked = liar.asked.token;
    const found: string[] = [];
    for (const name of ['code', 'state', 'iss', 'error', 'session_state', 'x', '__proto__']) {
      const escaped = `%${name.charCodeAt(0).toString(16)}${name.slice(1)}`;
      const spelled = [
        `&${name}=1&${name}=2`,
        `&${escaped}=1&${name}=1`,
        `&${name}=&${name}=`,
        `&${name}&${name}`,
        `&${name}=1&&${escaped}=1&`,
      ];
      for (const more of spelled)
        found.push(
          await refusal(
            logIn(
              harness.provider,
              query((honest) => honest + more),
            ),
          ),
        );
    }
    expect(found.filter((end) => end !== 'login_state_invalid: duplicate')).toEqual([]);
    expect(liar.asked.token).toBe(asked);
  });

  it('with a state that is another, in any spelling, is refused before the code is used', async () => {
    const asked = liar.asked.token;
    const found: string[] = [];
    const states = [
      (s: string) => s.toUpperCase(),
      (s: string) => `${s}%00`,
      (s: string) => `${s}%20`,
      (s: string) => `+${s}`,
      (s: string) => s.slice(1),
    ];
    for (const state of [...states, () => '', () => 'undefined', () => 'null']) {
      const change = query((honest) => honest.replace(/state=([^&]*)/, (_, own: string) => `state=${state(own)}`));
      found.push(await refusal(logIn(harness.provider, change)));
    }
    expect(found.filter((end) => end !== 'login_state_invalid: state')).toEqual([]);
    expect(liar.asked.token).toBe(asked);
  });

  it('with tokens, a response of its own, or an error beside the code, is refused', async () => {
    const found: string[] = [];
    for (const more of [
      '&id_token=x',
      '&response=x',
      '&error=access_denied',
      '&error=',
      '&%69d_token=x',
      '&respons%65=x',
    ]) {
      found.push(
        await refusal(
          logIn(
            harness.provider,
            query((honest) => honest + more),
          ),
        ),
      );
    }
    expect(found.filter((end) => !/^(?:login_state_invalid: (?:response|code)|token_invalid)$/.test(end))).toEqual([]);
  });
});

describe('the address at which the provider ends its session', () => {
  it('is where the provider says, with what it has there itself, and comes back to us', async () => {
    const returnTo = new URL(`${PUBLIC_URL}/`);
    for (const tail of ['', '?tenant=7', '?a=b&c', '#x']) {
      liar.lie({
        discovery: (document) => ({ ...document, end_session_endpoint: `${liar.issuer}/endsession${tail}` }),
      });
      const fresh = harnessFor(liar.issuer);
      const address = String(await fresh.provider.logoutJourney({ idToken: before.idToken, returnTo }, SIGNAL));
      expect(address.startsWith(`${liar.issuer}/endsession?${tail.startsWith('?') ? tail.slice(1, 2) : ''}`)).toBe(
        true,
      );
      await fetch(address, { redirect: 'manual' });
      expect(Object.fromEntries(liar.lastEndSession())).toMatchObject({
        ...{ client_id: 'gateway', id_token_hint: before.idToken, post_logout_redirect_uri: returnTo.href },
      });
      await fresh.http.close();
    }
  });
});

describe('a logout token', () => {
  const LIES: readonly SignatureLie[] = [
    ...([
      'none',
      'stripped',
      'wrong-key',
      'wrong-key-without-kid',
      'tampered',
      'tampered-header',
      'truncated',
      'bit-flipped',
    ] as const),
    ...([
      'padded',
      'zeros',
      'der-encoded',
      'empty-parts',
      'doubled',
      'hmac-with-public-key',
      'hmac-with-public-pem',
    ] as const),
    ...(['hmac-with-empty-key', 'embedded-key', 'embedded-chain', 'key-by-address'] as const),
  ];
  const end = async (token: string) => refusal(harness.provider.verifyLogout(token, SIGNAL));

  it('is taken from the provider, and refused under any other signature', async () => {
    expect(await end(await liar.logoutToken())).toBe('accepted');
    const found: string[] = [];
    for (const signature of LIES) found.push(`${await end(await liar.logoutToken({ signature }))} < ${signature}`);
    expect(found.filter((one) => !/^token_(?:invalid|key_unknown)/.test(one))).toEqual([]);
  });

  it('is no ID token, and no ID token is one', async () => {
    expect(await end(await liar.sign({}))).toMatch(/^token_invalid/);
    expect(await end(await liar.sign({ nonce: 'x' }))).toMatch(/^token_invalid/);
    for (const claims of [{}, { nonce: 'x' }]) {
      const token = await liar.logoutToken({ claims, header: { typ: 'JWT' } });
      liar.lie({ idToken: token });
      expect(await refusal(logIn(harness.provider))).toMatch(/^token_invalid/);
    }
    for (const typ of ['at+jwt', ['logout+jwt'], 7, null, 'x']) {
      expect(await end(await liar.logoutToken({ header: { typ } }))).toMatch(/^token_invalid/);
    }
  });
});
