import type { TakesAccessTokens } from '../../src/login/provider.ts';
import { type Signature, startTokenIssuer, type TokenIssuer } from '../emulators/token-issuer.ts';
import { type Harness, harnessFor, refusal } from './oidc-harness.ts';

let issuer: TokenIssuer;
let harness: Harness;
let clockAhead = 0;

beforeEach(async () => {
  clockAhead = 0;
  issuer = await startTokenIssuer();
  harness = withBearer({ audience: ['latchgate-api', 'second-api'] });
});
afterEach(async () => {
  await harness.http.close();
  await issuer.close();
});

function withBearer(bearer: object): Harness {
  return harnessFor(issuer.issuer, { bearer }, { clock: { now: () => Date.now() + clockAhead } });
}

function tokens(): TakesAccessTokens {
  const { accessTokens } = harness.provider;
  if (accessTokens === undefined) throw new Error('no access tokens are taken');
  return accessTokens;
}

const verify = (token: string) => tokens().verifyAccess(token, new AbortController().signal);
const refused = (claims: object, header: object = {}, how?: Signature) =>
  refusal(verify(issuer.token({ ...claims }, { ...header }, how)));

/** Of what every token has alone. */
const PLAIN = { client_id: undefined, scope: undefined };

it('none is taken when the config does not say so', async () => {
  const without = harnessFor(issuer.issuer);
  expect(without.provider.accessTokens).toBeUndefined();
  await without.http.close();
});

describe('a token that holds', () => {
  it('says who it is of', async () => {
    const token = await verify(issuer.token({ sub: 'robot-1', sid: 's-1', groups: ['bots'], exp: 4_000_000_000 }));
    expect(token).toMatchObject({
      issuer: issuer.issuer,
      subject: 'robot-1',
      claims: { groups: ['bots'], client_id: 'robot-client' },
      providerSession: 's-1',
      expiresAt: 4_000_000_000_000,
      issuedAt: expect.any(Number),
    });
    for (const claim of ['iss', 'aud', 'exp', 'iat', 'jti', 'sid']) expect(token.claims).not.toHaveProperty(claim);
  });

  it.each([
    ['no typ', {}, { typ: undefined }],
    ['the general typ', {}, { typ: 'JWT' }],
    ['RFC 9068 without a claim of its own', PLAIN, {}],
    ['Auth0, of a person', { ...PLAIN, azp: 'robot-client', scope: 'openid' }, { typ: 'JWT' }],
    ['Auth0, of a program', { ...PLAIN, azp: 'robot-client', gty: 'client-credentials' }, { typ: 'JWT' }],
    ['Auth0, without a scope', { ...PLAIN, azp: 'robot-client' }, { typ: 'JWT' }],
    ['Okta', { ...PLAIN, cid: 'robot-client', scp: ['bi.read'], uid: 'u', ver: 1 }, { typ: undefined }],
    ['Entra ID, of a person', { ...PLAIN, azp: 'robot-client', scp: 'bi.read', ver: '2.0' }, { typ: 'JWT' }],
    ['Entra ID, of a program', { ...PLAIN, azp: 'latchgate-api', azpacr: '1', roles: ['bots'] }, { typ: 'JWT' }],
    ['Entra ID, version 1', { ...PLAIN, appid: 'latchgate-api', appidacr: '1' }, { typ: 'JWT' }],
    ['the typ of RFC 9068 in full', {}, { typ: 'application/at+JWT' }],
    ['Keycloak', { typ: 'Bearer', azp: 'robot-client' }, { typ: 'JWT' }],
    ['Cognito', { token_use: 'access' }, { typ: undefined }],
    ['several audiences', { aud: ['account', 'latchgate-api'] }, {}],
    ['the other audience', { aud: 'second-api' }, {}],
  ])('in the dialect of %s', async (_who, claims, header) => {
    expect(await refused(claims, header)).toBe('accepted');
  });

  it('has the scopes that are asked for, in any spelling of providers', async () => {
    await harness.http.close();
    harness = withBearer({ audience: ['latchgate-api'], scopes: ['bi.read', 'bi.write'] });
    for (const scopes of [
      { scope: 'openid bi.write bi.read' },
      { scope: undefined, scp: 'bi.read bi.write' },
      { scope: undefined, scp: ['bi.read', 'bi.write'] },
    ]) {
      expect(await refused(scopes)).toBe('accepted');
    }
    for (const scopes of [
      { scope: undefined },
      { scope: 'bi.read' },
      { scope: 'bi.read bi.writes' },
      { scope: 'bi.read,bi.write' },
      { scope: ['bi.read'], scp: { 0: 'bi.write' } },
      { scope: 'BI.READ BI.WRITE' },
    ]) {
      expect(await refused(scopes)).toBe('insufficient_scope');
    }
  });
});

describe('a token that is refused', () => {
  it.each([
    ['signed by another key', 'wrong-key', 'token_invalid'],
    ['not signed', 'none', 'token_invalid'],
    ['without its signature', 'stripped', 'token_invalid'],
    ['signed with the public key as a secret', 'hmac-with-public-key', 'token_invalid'],
    ['signed by a key that it brings', 'embedded-key', 'token_invalid'],
    ['changed', 'tampered', 'token_invalid'],
  ] as const)('%s', async (_what, how, code) => {
    expect(await refused({}, {}, how)).toMatch(new RegExp(`^${code}`));
  });

  it.each([
    ['another issuer', { iss: 'https://id.example.com' }, 'iss'],
    ['no issuer', { iss: undefined }, 'iss'],
    ['another audience', { aud: 'account' }, 'aud'],
    ['no audience', { aud: undefined }, 'aud'],
    ['an audience that only begins so', { aud: 'latchgate-api2' }, 'aud'],
    ['the client itself: an ID token', { aud: 'gateway' }, 'aud'],
    ['the client itself among them', { aud: ['latchgate-api', 'gateway'] }, 'aud'],
    ['over', { exp: Math.floor(Date.now() / 1_000) - 60 }, 'exp'],
    ['without an end', { exp: undefined }, 'exp'],
    ['an end that is no number', { exp: 'never' }, 'exp'],
    ['not begun', { nbf: Math.floor(Date.now() / 1_000) + 60 }, 'nbf'],
    ['no word of when it was issued', { iat: undefined }, 'iat'],
    ['issued in the future', { iat: Math.floor(Date.now() / 1_000) + 60 }, 'iat'],
    ['no subject', { sub: undefined }, 'sub'],
    ['a nonce', { nonce: 'n' }, 'nonce'],
    ['an empty nonce', { nonce: '' }, 'nonce'],
    ['at_hash', { at_hash: 'h' }, 'at_hash'],
    ['a logout event', { events: {} }, 'events'],
    ['bound to a key', { cnf: { jkt: 'x' } }, 'cnf'],
    ["Keycloak's ID token", { typ: 'ID' }, 'typ'],
    ["Keycloak's refresh token", { typ: 'Refresh' }, 'typ'],
    ["Keycloak's offline token", { typ: 'Offline' }, 'typ'],
    ["Cognito's ID token", { token_use: 'id' }, 'typ'],
  ])('for %s', async (_what, claims, check) => {
    expect(await refused(claims)).toBe(`token_invalid: ${check}`);
  });

  it.each([
    ['without a nonce and a hash', {}],
    ['with its client named', { azp: 'latchgate-api' }],
    ['with several audiences', { aud: ['latchgate-api', 'other'], azp: 'other' }],
    ['with what ID tokens tell', { auth_time: 1, acr: '1', amr: ['pwd'], roles: ['admin'], sid: 's', email: 'a@b.c' }],
  ])('for an ID token of the client whose id is an audience here: %s', async (_what, claims) => {
    for (const typ of ['JWT', undefined]) {
      expect(await refused({ ...PLAIN, ...claims }, { typ })).toBe('token_invalid: typ');
    }
  });

  it.each(['logout+jwt', 'id_token+jwt', 'dpop+jwt', 'secevent+jwt', 'at+jwt2', 'at'])(
    'by its type: %s',
    async (typ) => {
      expect(await refused({}, { typ })).toBe('token_invalid: typ');
    },
  );

  it('for a subject that cannot be one', async () => {
    for (const sub of ['', 'a'.repeat(256), 'a\nb', 'a\u0000']) expect(await refused({ sub })).toBe('subject_invalid');
    expect(await refused({ sub: 7 })).toMatch(/^(token_invalid|subject_invalid)/);
  });

  it('for a header that nobody understands', async () => {
    expect(await refused({}, { crit: ['x'], x: 1 })).toBe('token_invalid');
    expect(await refused({}, { alg: 'RS256' })).toMatch(/^token_/);
  });

  it('for its size and its form', async () => {
    expect(await refused({ pad: 'x'.repeat(20_000) })).toBe('token_invalid: size');
    for (const text of ['', 'a', 'a.b', 'a.b.c.d', '..', 'e30.e30.e30', 'bm90.anNvbg.YXQ']) {
      expect(await refusal(verify(text))).toMatch(/^token_invalid/);
    }
  });
});

describe('keys', () => {
  it('that were published a moment ago count at once', async () => {
    expect(await refused({})).toBe('accepted');
    await issuer.rotate();
    expect(await refused({})).toBe('accepted');
    await issuer.rotate();
    expect(await refused({})).toBe('accepted');
  });

  it('that nobody knows cause no storm of questions', async () => {
    expect(await refused({})).toBe('accepted');
    const before = issuer.keysRead();
    const answers = await Promise.all(Array.from({ length: 150 }, (_, at) => refused({}, { kid: `unknown-${at}` })));
    expect(new Set(answers)).toEqual(new Set(['token_key_unknown']));
    expect(issuer.keysRead() - before).toBeLessThanOrEqual(3);
    expect(await refused({})).toBe('accepted');
  });

  it('of a provider that is down are no reason to say that the token is bad', async () => {
    issuer.down(true);
    expect(await refused({})).toBe('provider_unavailable');
    issuer.down(false);
    clockAhead = 2_000;
    expect(await refused({})).toBe('accepted');
  });
});
