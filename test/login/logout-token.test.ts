import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CompactEncrypt, exportJWK } from 'jose';
import type { ProviderLogout } from '../../src/login/provider.ts';
import { type Harness, harnessFor, refusal } from './oidc-harness.ts';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

type Members = Readonly<Record<string, unknown>>;

/** The part of a provider that logout tokens need: discovery and keys. */
class Publisher {
  issuer = '';
  keysRead = 0;
  #server: Server | undefined;
  #published: object[] = [];
  #kid = '';
  #key: KeyObject | undefined;
  #alg = 'ES256';

  async start(): Promise<this> {
    await this.rotate();
    const server = createServer((req, res) => {
      res.setHeader('content-type', 'application/json');
      if (req.url === '/jwks') {
        this.keysRead += 1;
        return void res.end(JSON.stringify({ keys: this.#published }));
      }
      const at = (path: string) => `${this.issuer}/${path}`;
      const endpoints = { authorization_endpoint: at('a'), token_endpoint: at('t'), jwks_uri: at('jwks') };
      const algorithms = { id_token_signing_alg_values_supported: ['ES256', 'none', 'HS256'] };
      res.end(JSON.stringify({ issuer: this.issuer, ...endpoints, ...algorithms, response_types_supported: ['code'] }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#server = server;
    this.issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return this;
  }

  /** Signs by a new key from now on. */
  async rotate(kid = `k${Math.random()}`, publish = true): Promise<void> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    this.#kid = kid;
    this.#key = privateKey;
    if (publish) this.#published = [{ ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' }];
  }

  claims(more: Members = {}): Record<string, unknown> {
    const iat = Math.floor(Date.now() / 1_000);
    const jti = `j${Math.random()}`;
    const usual = { iss: this.issuer, aud: 'gateway', iat, exp: iat + 120, jti, sub: 'alice', sid: 's-1' };
    const all = { ...usual, events: { [EVENT]: {} }, ...more };
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
  }

  token(claims: Members = {}, header: Members = {}): string {
    return signed({ alg: this.#alg, kid: this.#kid, typ: 'logout+jwt', ...header }, this.claims(claims), this.#key);
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }
}

function encode(value: unknown): string {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
}

/** ES256 by hand: a library would refuse to sign some of what has to be refused. */
function signed(header: Members, claims: unknown, key: KeyObject | undefined): string {
  const start = `${encode(Object.fromEntries(Object.entries(header).filter(([, value]) => value !== undefined)))}.${encode(claims)}`;
  const signature = sign('sha256', Buffer.from(start), { key: key as KeyObject, dsaEncoding: 'ieee-p1363' });
  return `${start}.${signature.toString('base64url')}`;
}

let publisher: Publisher;
let harness: Harness;
beforeAll(async () => {
  publisher = await new Publisher().start();
  harness = harnessFor(publisher.issuer);
});
afterAll(async () => {
  await harness.http.close();
  publisher.close();
});

const verify = (token: string): Promise<ProviderLogout> =>
  harness.provider.verifyLogout(token, AbortSignal.timeout(20_000));

describe('a logout token that holds', () => {
  it('names the subject, the session, and itself', async () => {
    const claims = publisher.claims();
    expect(await verify(publisher.token(claims))).toEqual({
      id: claims['jti'],
      issuer: publisher.issuer,
      subject: 'alice',
      providerSession: 's-1',
      at: new Date(Number(claims['iat']) * 1_000),
      expiresAt: new Date((Number(claims['exp']) + 30) * 1_000),
    });
  });

  const good: [what: string, claims: Members, header?: Members][] = [
    ['of a session alone', { sub: undefined }],
    ['of a subject alone', { sid: undefined }],
    ['without typ, as before there was one', {}, { typ: undefined }],
    ['with the general typ', {}, { typ: 'JWT' }],
    ['with the long form of typ, in other letters', {}, { typ: 'application/Logout+JWT' }],
    ['for a list of one client', { aud: ['gateway'] }],
    ['with our client as azp', { azp: 'gateway' }],
    ['with further claims, as Keycloak sends them', { typ: 'Logout', revoke_offline_access: true }],
    ['with further events', { events: { [EVENT]: {}, 'https://other.example': { x: 1 } } }],
    ['with something in the event', { events: { [EVENT]: { later: true } } }],
    ['that expires far ahead', { exp: 253_402_300_799 }],
    ['of a clock that is a little ahead', { iat: Math.floor(Date.now() / 1_000) + 20 }],
    ['that took four minutes', { iat: Math.floor(Date.now() / 1_000) - 240 }],
  ];
  it.each(good)('%s', async (_what, claims, header = {}) => {
    expect(await refusal(verify(publisher.token(claims, header)))).toBe('accepted');
  });

  it('is not remembered beyond the time in which it would be taken', async () => {
    const { expiresAt, at } = await verify(publisher.token({ exp: 253_402_300_799 }));
    expect(expiresAt.getTime() - at.getTime()).toBe(330_000);
  });

  it('by a key that was published a moment ago counts at once', async () => {
    await verify(publisher.token());
    await publisher.rotate();
    await expect(verify(publisher.token())).resolves.toMatchObject({ subject: 'alice' });
  });
});

describe('a token that is refused', () => {
  const ahead = 3_600;
  const claims: [what: string, claims: Members, check: string][] = [
    ['of another issuer', { iss: 'https://other.example' }, 'iss'],
    ['of an issuer that begins as ours', { iss: 'http://127.0.0.1' }, 'iss'],
    ['of no issuer', { iss: undefined }, 'iss'],
    ['of an issuer that is a list', { iss: ['x'] }, 'iss'],
    ['for another client', { aud: 'other' }, 'aud'],
    ['for another client as well', { aud: ['gateway', 'other'] }, 'aud'],
    ['for nobody', { aud: undefined }, 'aud'],
    ['for an empty list', { aud: [] }, 'aud'],
    ['for our client in other letters', { aud: 'Gateway' }, 'aud'],
    ['with another client as azp', { azp: 'other' }, 'azp'],
    ['without iat', { iat: undefined }, 'iat'],
    ['with an iat that is a text', { iat: '1' }, 'iat'],
    [
      'of the future',
      { iat: Math.floor(Date.now() / 1_000) + ahead, exp: Math.floor(Date.now() / 1_000) + 2 * ahead },
      'iat',
    ],
    ['that somebody kept', { iat: Math.floor(Date.now() / 1_000) - 400 }, 'iat'],
    ['without exp', { exp: undefined }, 'exp'],
    ['with an exp that is a text', { exp: '9999999999' }, 'exp'],
    [
      'that has expired',
      { exp: Math.floor(Date.now() / 1_000) - 60, iat: Math.floor(Date.now() / 1_000) - 120 },
      'exp',
    ],
    ['that is not valid yet', { nbf: Math.floor(Date.now() / 1_000) + ahead }, 'nbf'],
    ['without jti', { jti: undefined }, 'jti'],
    ['with an empty jti', { jti: '' }, 'jti'],
    ['with a jti that is a number', { jti: 7 }, 'jti'],
    ['with a jti without end', { jti: 'j'.repeat(256) }, 'jti'],
    ['with neither sub nor sid', { sub: undefined, sid: undefined }, 'sub'],
    ['with a sid that is a number', { sid: 5 }, 'sid'],
    ['with an empty sid', { sid: '' }, 'sid'],
    ['with a sid that is null', { sid: null }, 'sid'],
    ['with a sid that is a list', { sid: ['s-1'] }, 'sid'],
    ['without events', { events: undefined }, 'events'],
    ['with events that are a list', { events: [EVENT] }, 'events'],
    ['with events that are a text', { events: EVENT }, 'events'],
    ['with events that are null', { events: null }, 'events'],
    ['with no event', { events: {} }, 'events'],
    ['with another event', { events: { 'http://schemas.openid.net/event/frontchannel-logout': {} } }, 'events'],
    ['with the event in other letters', { events: { [EVENT.toUpperCase()]: {} } }, 'events'],
    ['with the event and a slash', { events: { [`${EVENT}/`]: {} } }, 'events'],
    ['with an event that is null', { events: { [EVENT]: null } }, 'events'],
    ['with an event that is true', { events: { [EVENT]: true } }, 'events'],
    ['with an event that is a text', { events: { [EVENT]: '{}' } }, 'events'],
    ['with an event that is a list', { events: { [EVENT]: [] } }, 'events'],
    ['with a nonce', { nonce: 'n' }, 'nonce'],
    ['with an empty nonce', { nonce: '' }, 'nonce'],
    ['with a nonce that is null', { nonce: null }, 'nonce'],
  ];
  it.each(claims)('%s', async (_what, more, check) => {
    expect(await refusal(verify(publisher.token(more)))).toBe(`token_invalid: ${check}`);
  });

  it.each([
    ['an ID token', 'id+jwt'],
    ['an access token', 'at+jwt'],
    ['a request object', 'oauth-authz-req+jwt'],
    ['a security event token of another kind', 'secevent+jwt'],
    ['nothing', ''],
    ['nearly one', 'logout+jwtx'],
  ])('of the type of %s', async (_what, typ) => {
    expect(await refusal(verify(publisher.token({}, { typ })))).toBe('token_invalid: typ');
  });

  it.each([
    ['is empty', ''],
    ['is too long', 's'.repeat(256)],
    ['holds a control character', 'a\u0000b'],
    ['is a number', 5],
    ['is null', null],
  ])('whose subject %s', async (_what, sub) => {
    expect(await refusal(verify(publisher.token({ sub })))).toBe('subject_invalid');
    // With a session, too: nothing in it may be nonsense.
    expect(await refusal(verify(publisher.token({ sub, sid: 's-1' })))).toBe('subject_invalid');
  });

  it('without a signature, with another one, or changed', async () => {
    const [header = '', body = '', signature = ''] = publisher.token().split('.');
    const none = encode({ alg: 'none', typ: 'logout+jwt' });
    const hmacHeader = encode({ alg: 'HS256', typ: 'logout+jwt' });
    const hmac = createHmac('sha256', 'a secret of the gateway').update(`${hmacHeader}.${body}`).digest('base64url');
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [, , foreign] = signed({}, {}, privateKey).split('.');
    for (const token of [
      `${none}.${body}.`,
      `${none}.${body}.${signature}`,
      `${header}.${body}.`,
      `${header}.${body}.${foreign}`,
      `${header}.${encode(publisher.claims({ sub: 'bob' }))}.${signature}`,
      `${hmacHeader}.${body}.${hmac}`,
    ]) {
      expect(await refusal(verify(token))).toMatch(/^token_invalid$/);
    }
  });

  it('signed by a key that it brings along, or names', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = await exportJWK(publicKey);
    for (const header of [{ jwk }, { jku: `${publisher.issuer}/evil` }, { x5u: 'https://evil.example' }]) {
      const token = signed({ alg: 'ES256', typ: 'logout+jwt', ...header }, publisher.claims(), privateKey);
      expect(await refusal(verify(token))).toBe('token_invalid');
    }
  });

  it('with an extension that we do not know', async () => {
    expect(await refusal(verify(publisher.token({}, { crit: ['x'], x: 1 })))).toBe('token_invalid');
    expect(await refusal(verify(publisher.token({}, { crit: ['b64'], b64: false })))).toBe('token_invalid');
  });

  it('that is encrypted: nobody agreed on that', async () => {
    const key = new Uint8Array(32);
    const encrypted = await new CompactEncrypt(new TextEncoder().encode(publisher.token()))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', cty: 'JWT' })
      .encrypt(key);
    expect(await refusal(verify(encrypted))).toBe('token_invalid: form');
  });

  it.each(['', 'x', 'a.b', 'a.b.c', '..', 'eyJ9.e30.x', 'e30.e30.', '💥.💥.💥', `${'a'.repeat(1000)}.b.c.d.e`])(
    'that is none: %j',
    async (token) => {
      expect(await refusal(verify(token))).toMatch(/^token_invalid/);
    },
  );

  it('whose claims are no object', async () => {
    for (const body of ['[]', 'null', '"x"', '{', '{"iss":']) {
      const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      expect(await refusal(verify(signed({ alg: 'ES256' }, body, privateKey)))).toMatch(/^token_invalid/);
    }
  });

  it('by a key that is not published, without a storm of questions for keys', async () => {
    await publisher.rotate('unpublished', false);
    const before = publisher.keysRead;
    const answers = await Promise.all(Array.from({ length: 300 }, () => refusal(verify(publisher.token()))));
    expect(new Set(answers)).toEqual(new Set(['token_key_unknown']));
    expect(publisher.keysRead - before).toBeLessThanOrEqual(3);
    await publisher.rotate();
  });
});

it('is nothing to another provider', async () => {
  const other = await new Publisher().start();
  const token = other.token({ iss: publisher.issuer });
  expect(await refusal(verify(token))).toMatch(/^token_(key_unknown|invalid)$/);
  other.close();
});

it('cannot be verified while the provider is down', async () => {
  const later = await new Publisher().start();
  const { provider, http } = harnessFor(later.issuer);
  const token = later.token();
  later.close();
  expect(await refusal(provider.verifyLogout(token, AbortSignal.timeout(20_000)))).toBe('provider_unavailable');
  await http.close();
});
