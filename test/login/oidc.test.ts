import { createHash, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt, importJWK, jwtVerify } from 'jose';
import { createOidcProvider } from '../../src/login/oidc.ts';
import { oidcLoginSchema } from '../../src/login/schema.ts';
import { type LyingProvider, startLyingProvider } from '../emulators/lying-oidc.ts';
import { type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { signInAt } from '../emulators/oidc/sign-in.ts';
import {
  type Harness,
  harnessFor,
  logIn,
  newTransaction,
  PUBLIC_URL,
  refusal,
  SIGNAL,
  silentLog,
} from './oidc-harness.ts';

const GROUPS = 'urn.gooddata.user_groups';
const redirectUris = [`${PUBLIC_URL}/.latchgate/callback/staff`];
const postLogoutRedirectUris = [`${PUBLIC_URL}/`];
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

/** As the gateway's own JWK Set. */
async function publishKeys() {
  const { provider, http } = harnessFor('http://127.0.0.1:1', { client_secret: undefined, private_key: pem });
  const body = JSON.stringify({ keys: await provider.publicKeys() });
  await http.close();
  const server = createServer((_req, res) => void res.writeHead(200, { 'content-type': 'application/json' }).end(body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json` };
}

let keys: Awaited<ReturnType<typeof publishKeys>>;
beforeAll(async () => {
  keys = await publishKeys();
});
afterAll(() => {
  keys.server.close();
  keys.server.closeAllConnections();
});

async function startReal(): Promise<OidcEmulator> {
  return startOidcProvider({
    people: [
      {
        sub: 'alice-1',
        claims: { name: 'Alice Adams', email: 'alice@example.com', email_verified: true, [GROUPS]: ['eng'] },
      },
      { sub: 'bob-2', claims: { name: 'Bob Brown' } },
    ],
    clients: [
      { id: 'gateway', secret: 'a secret of the gateway', redirectUris, postLogoutRedirectUris },
      {
        id: 'gateway-jwt',
        jwksUri: keys.address,
        redirectUris,
      },
    ],
  });
}

/** Through the provider's own pages, as a browser would. */
async function logInAs(harness: Harness, sub: string | undefined, transaction = newTransaction()) {
  const state = 'the-state';
  const address = new URL(await harness.provider.begin({ state, transaction }));
  const callback = await signInAt(address, sub);
  return harness.provider.complete({ callback, state, transaction }, SIGNAL);
}

describe('with a real provider', () => {
  let real: OidcEmulator;
  let harness: Harness;

  beforeAll(async () => {
    real = await startReal();
    harness = harnessFor(real.issuer, { scopes: ['openid', 'profile', 'email', 'offline_access'] });
  });
  afterAll(async () => {
    await harness.http.close();
    await real.close();
  });

  it('brings the claims of the person, without members of the protocol', async () => {
    const { assertion, tokens, providerSession } = await logInAs(harness, 'alice-1');
    expect(assertion).toEqual({
      origin: 'staff',
      issuer: real.issuer,
      subject: 'alice-1',
      active: true,
      at: expect.any(Date),
      claims: {
        sub: 'alice-1',
        name: 'Alice Adams',
        email: 'alice@example.com',
        email_verified: true,
        [GROUPS]: ['eng'],
      },
    });
    expect(tokens.refreshToken).toBeDefined();
    expect(providerSession).toBe(decodeJwt(tokens.idToken as string)['sid']);
  });

  it('says that the person refused when they cancel', async () => {
    expect(await refusal(logInAs(harness, undefined))).toBe('provider_refused');
  });

  it('refuses a code that was used before', async () => {
    const transaction = newTransaction();
    const address = new URL(await harness.provider.begin({ state: 's', transaction }));
    const callback = await signInAt(address, 'alice-1');
    await harness.provider.complete({ callback, state: 's', transaction }, SIGNAL);
    expect(await refusal(harness.provider.complete({ callback, state: 's', transaction }, SIGNAL))).toBe(
      'login_expired',
    );
  });

  it('refuses a code that another verifier asked for', async () => {
    const transaction = newTransaction();
    const callback = await signInAt(new URL(await harness.provider.begin({ state: 's', transaction })), 'alice-1');
    const other = { ...transaction, codeVerifier: newTransaction().codeVerifier };
    expect(await refusal(harness.provider.complete({ callback, state: 's', transaction: other }, SIGNAL))).toBe(
      'login_expired',
    );
  });

  it('says that the client is wrong when its secret is', async () => {
    const wrong = harnessFor(real.issuer, { client_secret: 'another secret' });
    expect(await refusal(logInAs(wrong, 'alice-1'))).toBe('provider_misconfigured');
    await wrong.http.close();
  });

  it('refreshes with new claims and a new refresh token', async () => {
    const first = await logInAs(harness, 'bob-2');
    real.setClaims('bob-2', { name: 'Bob Brown', [GROUPS]: ['ops'] });
    const { issuer, subject } = first.assertion;
    const again = await harness.provider.refresh({ issuer, subject, refreshToken: '', ...first.tokens }, SIGNAL);
    expect(again.assertion.claims).toEqual({ sub: 'bob-2', name: 'Bob Brown', [GROUPS]: ['ops'] });
    expect(again.providerSession).toBe(first.providerSession);
    expect(again.tokens.refreshToken).not.toBe(first.tokens.refreshToken);
    const used = harness.provider.refresh({ issuer, subject, refreshToken: '', ...first.tokens }, SIGNAL);
    expect(await refusal(used)).toBe('login_ended');
  });

  it('cannot go on when the answer to a refresh was lost: what it was asked with is used up', async () => {
    const { assertion, tokens } = await logInAs(harness, 'bob-2');
    const { issuer, subject } = assertion;
    const refresh = () => harness.provider.refresh({ issuer, subject, refreshToken: '', ...tokens }, SIGNAL);
    real.breakTokens({ lost: true });
    expect(await refusal(refresh())).toBe('provider_unavailable');
    real.breakTokens();
    expect(await refusal(refresh())).toBe('login_ended');
  });

  it('gives a refresh token back', async () => {
    const { assertion, tokens } = await logInAs(harness, 'bob-2');
    const { issuer, subject } = assertion;
    await harness.provider.revoke(tokens.refreshToken as string, SIGNAL);
    expect(await refusal(harness.provider.refresh({ issuer, subject, refreshToken: '', ...tokens }, SIGNAL))).toBe(
      'login_ended',
    );
    // One that nobody knows is none of the provider's any more: RFC 7009 §2.2.
    await harness.provider.revoke('unknown', SIGNAL);
  });

  it('ends a login whose person is gone', async () => {
    real.setClaims('carol-3', { name: 'Carol' });
    const { assertion, tokens } = await logInAs(harness, 'carol-3');
    real.remove('carol-3');
    const { issuer, subject } = assertion;
    expect(await refusal(harness.provider.refresh({ issuer, subject, refreshToken: '', ...tokens }, SIGNAL))).toBe(
      'login_ended',
    );
  });

  it('takes the key of a client instead of a secret', async () => {
    const byKey = harnessFor(real.issuer, { client_id: 'gateway-jwt', client_secret: undefined, private_key: pem });
    expect((await logInAs(byKey, 'alice-1')).assertion.subject).toBe('alice-1');
    await byKey.http.close();
  });

  it('names the address where the provider ends its session', async () => {
    const { tokens } = await logInAs(harness, 'alice-1');
    const returnTo = new URL(`${PUBLIC_URL}/`);
    const address = await harness.provider.logoutJourney({ idToken: tokens.idToken as string, returnTo }, SIGNAL);
    const { origin, searchParams } = new URL(String(address));
    expect(origin).toBe(real.issuer);
    expect(Object.fromEntries(searchParams)).toEqual({
      client_id: 'gateway',
      id_token_hint: tokens.idToken,
      post_logout_redirect_uri: `${PUBLIC_URL}/`,
    });
    const short = await harness.provider.logoutJourney({ idToken: 'x'.repeat(5_000), returnTo }, SIGNAL);
    expect(new URL(String(short)).searchParams.has('id_token_hint')).toBe(false);
  });
});

it('pushes its request, signed, to a provider that requires it', async () => {
  const real = await startOidcProvider({
    people: [{ sub: 'alice-1', claims: { name: 'Alice' } }],
    clients: [{ id: 'gateway', jwksUri: keys.address, redirectUris }],
    requirePushedRequests: true,
  });
  const harness = harnessFor(real.issuer, { client_secret: undefined, private_key: pem });
  const transaction = newTransaction();
  const address = new URL(await harness.provider.begin({ state: 's', transaction }));
  expect([...address.searchParams.keys()].sort()).toEqual(['client_id', 'request_uri']);
  const callback = await signInAt(address, 'alice-1');
  const { assertion } = await harness.provider.complete({ callback, state: 's', transaction }, SIGNAL);
  expect(assertion.claims['name']).toBe('Alice');
  await harness.http.close();
  await real.close();
});

describe('toward the provider', () => {
  let liar: LyingProvider;

  beforeAll(async () => {
    liar = await startLyingProvider({ clientId: 'gateway', withUserinfo: false });
  });
  beforeEach(() => liar.lie({}));
  afterAll(() => liar.close());

  it('asks for a code with PKCE S256, state and nonce, the first time and ever after', async () => {
    const { provider, http } = harnessFor(liar.issuer, { scopes: 'openid,email' });
    for (const state of ['a.b-c', 'd_e~f']) {
      const transaction = newTransaction();
      const { searchParams, hash } = new URL(await provider.begin({ state, transaction, loginHint: 'a+1@b.c' }));
      expect(hash).toBe('');
      expect(Object.fromEntries(searchParams)).toEqual({
        response_type: 'code',
        client_id: 'gateway',
        redirect_uri: redirectUris[0],
        scope: 'openid email',
        state,
        nonce: transaction.nonce,
        code_challenge: createHash('sha256').update(transaction.codeVerifier).digest('base64url'),
        code_challenge_method: 'S256',
        login_hint: 'a+1@b.c',
      });
    }
    const { searchParams } = new URL(await provider.begin({ state: 's', transaction: newTransaction() }));
    expect(searchParams.has('login_hint')).toBe(false);
    await http.close();
  });

  it('sends the secret in the header, or in the form where only that is supported', async () => {
    const { provider, http } = harnessFor(liar.issuer);
    await logIn(provider);
    expect(liar.lastTokenHeaders().authorization).toMatch(/^Basic /);
    expect(liar.lastTokenRequest().has('client_secret')).toBe(false);
    liar.lie({
      discovery: (document) => ({ ...document, token_endpoint_auth_methods_supported: ['client_secret_post'] }),
    });
    const posting = harnessFor(liar.issuer);
    await logIn(posting.provider);
    expect(liar.lastTokenHeaders().authorization).toBeUndefined();
    expect(liar.lastTokenRequest().get('client_secret')).toBe('a secret of the gateway');
    await Promise.all([http.close(), posting.http.close()]);
  });

  it('sends no secret at all as a public client', async () => {
    const { provider, http } = harnessFor(liar.issuer, { client_secret: undefined });
    await logIn(provider);
    expect(liar.lastTokenHeaders().authorization).toBeUndefined();
    expect(liar.lastTokenRequest().get('client_id')).toBe('gateway');
    await http.close();
  });

  it('signs an assertion that its published key verifies', async () => {
    const { provider, http } = harnessFor(liar.issuer, { client_secret: undefined, private_key: pem });
    await logIn(provider);
    const [key] = await provider.publicKeys();
    const assertion = liar.lastTokenRequest().get('client_assertion') as string;
    const verified = await jwtVerify(assertion, await importJWK(key as never), {
      issuer: 'gateway',
      subject: 'gateway',
    });
    expect(verified.protectedHeader).toMatchObject({ alg: 'ES256', kid: key?.kid });
    expect(key).not.toHaveProperty('d');
    await http.close();
  });

  it('refuses a private key of a kind that signs nothing, without showing it', () => {
    const { privateKey: agreement } = generateKeyPairSync('x25519');
    const key = agreement.export({ type: 'pkcs8', format: 'pem' }).toString();
    const config = oidcLoginSchema.parse({ issuer: liar.issuer, client_id: 'gateway', private_key: key });
    const options = { name: 'staff', config, publicUrl: PUBLIC_URL, clock: { now: Date.now }, log: silentLog };
    const http = { fetch, send: () => Promise.reject(), close: async () => {} };
    const create = () => createOidcProvider({ ...options, http: http as never });
    expect(create).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(create).not.toThrow(/BEGIN/);
  });

  it('knows no address to end a session where the provider has none', async () => {
    const { provider, http } = harnessFor(liar.issuer);
    await expect(provider.logoutJourney({ returnTo: new URL(PUBLIC_URL) }, SIGNAL)).resolves.toBeUndefined();
    await http.close();
  });

  it('gives up at once when the caller does', async () => {
    const { provider, http } = harnessFor(liar.issuer);
    await provider.probe(SIGNAL);
    liar.lie({ answer: { token: () => {} } });
    const controller = new AbortController();
    const transaction = newTransaction();
    const address = new URL(await provider.begin({ state: 's', transaction }));
    const callback = new URL((await fetch(address, { redirect: 'manual' })).headers.get('location') as string);
    const completing = provider.complete({ callback, state: 's', transaction }, controller.signal);
    controller.abort();
    expect(await refusal(completing)).toBe('provider_unavailable');
    await http.close();
  });

  describe('a refresh', () => {
    const cases: [what: string, lies: Parameters<LyingProvider['lie']>[0], expected: string][] = [
      ['for another subject is refused', { claims: { sub: 'bob' } }, 'token_invalid: sub'],
      ['of another issuer is refused', { claims: { iss: 'https://other.example' } }, 'token_invalid'],
      ['with another nonce is refused', { claims: { nonce: 'other' } }, 'token_invalid: nonce'],
      ['with another auth_time is refused', { claims: { auth_time: 1 } }, 'token_invalid: auth_time'],
      ['with a token of last week is refused', { claims: { iat: 1_000 } }, 'token_invalid: iat'],
      ['with a wrong signature is refused', { signature: 'wrong-key' }, 'token_invalid'],
      [
        'that the provider refuses ends the login',
        {
          answer: {
            token: (_req, res) =>
              void res.writeHead(400, { 'content-type': 'application/json' }).end('{"error":"invalid_grant"}'),
          },
        },
        'login_ended',
      ],
      [
        'that fails may be tried later',
        { answer: { token: (_req, res) => void res.writeHead(500).end() } },
        'provider_unavailable',
      ],
      ['without nonce is taken', {}, 'accepted'],
      ['without an ID token is taken', { tokenAnswer: ({ id_token: _, ...answer }) => answer }, 'accepted'],
    ];

    it.each(cases)('%s', async (_what, lies, expected) => {
      const { provider, http } = harnessFor(liar.issuer);
      const claims = { auth_time: Math.floor(Date.now() / 1_000) };
      liar.lie({ claims });
      const { assertion, tokens } = await logIn(provider);
      liar.lie(lies);
      const { issuer, subject } = assertion;
      const input = { issuer, subject, refreshToken: tokens.refreshToken as string, idToken: tokens.idToken as string };
      expect(await refusal(provider.refresh(input, SIGNAL))).toBe(expected);
      await http.close();
    });

    it.each(['interaction_required', 'login_required', 'consent_required', 'access_denied', 'unauthorized'])(
      'to which the provider says %s ends the login: the person has to come themselves',
      async (error) => {
        const { provider, http } = harnessFor(liar.issuer);
        liar.lie({
          answer: {
            token: (_req, res) =>
              void res.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error })),
          },
        });
        const input = { issuer: liar.issuer, subject: 'alice', refreshToken: 'r' };
        expect(await refusal(provider.refresh(input, SIGNAL))).toBe('login_ended');
        await http.close();
      },
    );

    it('hands the new refresh token over before anything else can fail', async () => {
      const { provider, http } = harnessFor(liar.issuer);
      const failures: Parameters<LyingProvider['lie']>[0][] = [
        { signature: 'wrong-key' },
        { idToken: 'none' },
        { claims: { sub: 'bob' } },
        { answer: { jwks: (_req, res) => void res.writeHead(500).end() } },
      ];
      for (const lies of failures) {
        const { assertion, tokens } = await logIn(provider);
        const { issuer, subject } = assertion;
        if (lies.answer !== undefined) await liar.rotate();
        liar.lie({ ...lies, tokenAnswer: (answer) => ({ ...answer, refresh_token: 'the second' }) });
        const kept: string[] = [];
        const keep = async (refreshToken: string) => void kept.push(refreshToken);
        const input = { issuer, subject, refreshToken: tokens.refreshToken as string, keep };
        expect(await refusal(provider.refresh(input, SIGNAL))).toMatch(/^(token_invalid|provider_unavailable)/);
        expect(kept).toEqual(['the second']);
        liar.lie({});
      }
      await http.close();
    });

    it('waits until it is kept', async () => {
      const { provider, http } = harnessFor(liar.issuer);
      let isKept = false;
      const keep = async () => {
        await new Promise((resolve) => setTimeout(resolve, 50));
        isKept = true;
      };
      await provider.refresh({ issuer: liar.issuer, subject: 'alice', refreshToken: 'r', keep }, SIGNAL);
      expect(isKept).toBe(true);
      await http.close();
    });

    it('says when its ID token was issued', async () => {
      const { provider, http } = harnessFor(liar.issuer);
      const iat = Math.floor(Date.now() / 1_000) - 7;
      liar.lie({ claims: { iat } });
      const { issuedAt } = await provider.refresh({ issuer: liar.issuer, subject: 'alice', refreshToken: 'r' }, SIGNAL);
      expect(issuedAt).toBe(iat * 1_000);
      await http.close();
    });

    it('for a session of another issuer is not even sent', async () => {
      const { provider, http } = harnessFor(liar.issuer);
      const before = liar.asked.token;
      const input = { issuer: 'https://other.example', subject: 'alice', refreshToken: 'r' };
      expect(await refusal(provider.refresh(input, SIGNAL))).toBe('token_invalid: iss');
      expect(liar.asked.token).toBe(before);
      await http.close();
    });
  });
});
