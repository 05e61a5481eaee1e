import { createHmac, createPublicKey } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CompactSign } from 'jose';
import { type RunningSuperset, startSuperset } from '../services/superset.ts';
import {
  AUDIENCE,
  assertion,
  goodClaims,
  ISSUER,
  rawToken,
  type SigningKey,
  signingKey,
  writeJwks,
} from './assertion-signer.ts';
import { type Answer, type Call, send, whoAmI } from './superset-client.ts';

let superset: RunningSuperset;
let folder: string;
let jwks: string;
let es: SigningKey;
let rsa: SigningKey;
let stranger: SigningKey;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-superset-test-'));
  jwks = join(folder, 'jwks.json');
  [es, rsa, stranger] = await Promise.all([signingKey('es-1'), signingKey('rsa-1', 'RS256'), signingKey('es-1')]);
  writeJwks(jwks, [es, rsa]);
  superset = await startSuperset({ mode: 'assertion', jwks, issuer: ISSUER, audience: AUDIENCE });
  for (const name of ['alice', 'bob', 'josé', 'ivan']) await createAccount(name);
  await setActive('ivan', false);
}, 1_500_000);

afterAll(async () => {
  await superset?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const who = (call: Call) => whoAmI(superset.url, call);
const asService = async (path: string, call: Call = {}): Promise<Answer> =>
  send(superset.url, `/api/v1/security${path}`, { ...call, assertion: await assertion(es, superset.service.username) });

async function createAccount(username: string): Promise<void> {
  const roles = JSON.parse((await asService('/roles/')).text) as { result: { id: number; name: string }[] };
  const alpha = roles.result.find(({ name }) => name === 'Alpha')?.id;
  const names = { first_name: username, last_name: 'Test', email: `${username}@acme.test` };
  const json = { username, ...names, password: 'never used: 5f0c1d', active: true, roles: [alpha] };
  const { status, text } = await asService('/users/', { method: 'POST', json });
  if (status !== 201) throw new Error(`${username} was not created: ${status} ${text}`);
}

async function setActive(username: string, active: boolean): Promise<void> {
  const query = encodeURIComponent(`(filters:!((col:username,opr:eq,value:'${username}')))`);
  const { ids } = JSON.parse((await asService(`/users/?q=${query}`)).text) as { ids: number[] };
  const { status } = await asService(`/users/${ids[0]}`, { method: 'PUT', json: { active } });
  if (status !== 200) throw new Error(`${username} was not changed: ${status}`);
}

describe('a good assertion', () => {
  it('signs its person in without a login round trip', async () => {
    expect(await who({ assertion: await assertion(es, 'alice') })).toBe('alice');
    const page = await send(superset.url, '/superset/welcome/', { assertion: await assertion(es, 'alice') });
    expect(page.status).toBe(200);
  });

  it('may name a person outside ASCII', async () => {
    expect(await who({ assertion: await assertion(es, 'josé') })).toBe('josé');
  });

  it('lets the service account call the security API, and nobody else', async () => {
    expect((await asService('/users/')).status).toBe(200);
    const byAlice = await send(superset.url, '/api/v1/security/users/', { assertion: await assertion(es, 'alice') });
    expect(byAlice.status).toBe(403);
  });

  it('leaves CSRF tokens as they are', async () => {
    const signed = { assertion: await assertion(es, 'alice') };
    const token = await send(superset.url, '/api/v1/security/csrf_token/', signed);
    const { result } = JSON.parse(token.text) as { result: string };
    const create = { ...signed, method: 'POST', json: { dashboard_title: 'Made by Alice' }, cookies: token.cookies };
    expect((await send(superset.url, '/api/v1/dashboard/', create)).status).toBe(400);
    const headers = { 'X-CSRFToken': result };
    expect((await send(superset.url, '/api/v1/dashboard/', { ...create, headers })).status).toBe(201);
  });
});

describe('refused', () => {
  const past = () => Math.floor(Date.now() / 1000) - 3600;
  const cases: [string, () => Promise<Call> | Call][] = [
    ['no header', () => ({})],
    ['X-Forwarded-User alone', () => ({ headers: { 'X-Forwarded-User': 'admin' } })],
    ['an empty header', () => ({ assertion: '' })],
    [
      'an expired assertion',
      async () => ({ assertion: await assertion(es, 'alice', { iat: past(), exp: past() + 60 }) }),
    ],
    ['one issued in the future', async () => ({ assertion: await assertion(es, 'alice', { iat: past() + 7200 }) })],
    ['another audience', async () => ({ assertion: await assertion(es, 'alice', { aud: 'gooddata' }) })],
    ['a list of audiences', async () => ({ assertion: await assertion(es, 'alice', { aud: ['x', AUDIENCE] }) })],
    ['another issuer', async () => ({ assertion: await assertion(es, 'alice', { iss: 'https://evil.example' }) })],
    ...(['exp', 'iat', 'iss', 'aud', 'sub'] as const).map((claim): [string, () => Promise<Call>] => [
      `no ${claim}`,
      async () => ({ assertion: await assertion(es, 'alice', { [claim]: undefined }) }),
    ]),
    ['a sub that is a number', async () => ({ assertion: await assertion(es, 1) })],
    ['a sub that is a list', async () => ({ assertion: await assertion(es, ['alice']) })],
    ['an empty sub', async () => ({ assertion: await assertion(es, '') })],
    ['a sub with a NUL', async () => ({ assertion: await assertion(es, 'alice\0') })],
    [
      'a sub with half a surrogate pair',
      async () => ({ assertion: await signedBytes({ ...goodClaims('alice'), sub: '\ud800' }) }),
    ],
    ['a sub that differs in case', async () => ({ assertion: await assertion(es, 'ALICE') })],
    ['a sub with a space behind it', async () => ({ assertion: await assertion(es, 'alice ') })],
    ['a person without an account', async () => ({ assertion: await assertion(es, 'mallory') })],
    ['a person whose account is inactive', async () => ({ assertion: await assertion(es, 'ivan') })],
    ['another key under a known kid', async () => ({ assertion: await assertion(stranger, 'alice') })],
    ['an unknown kid', async () => ({ assertion: await assertion(es, 'alice', {}, { kid: 'es-9' }) })],
    ['no kid', async () => ({ assertion: await assertion(es, 'alice', {}, { kid: undefined as never }) })],
    ['a kid that is a number', () => ({ assertion: rawToken({ alg: 'ES256', kid: 1 }, goodClaims('alice'), 'x') })],
    ['its own key in the header', async () => ({ assertion: await withOwnKey() })],
    ['alg none', () => ({ assertion: rawToken({ alg: 'none', kid: 'es-1' }, goodClaims('alice'), '') })],
    [
      'alg none with a signature',
      () => ({ assertion: rawToken({ alg: 'none', kid: 'es-1' }, goodClaims('alice'), 'x') }),
    ],
    ['HS256 with the public key as the secret', () => ({ assertion: hmacWithPublicKey() })],
    ['RS256, though its key is in the set', async () => ({ assertion: await assertion(rsa, 'alice') })],
    [
      'ES256 under the kid of an RSA key',
      async () => ({ assertion: await assertion(es, 'alice', {}, { kid: 'rsa-1' }) }),
    ],
    [
      'RS256 under the kid of an EC key',
      async () => ({ assertion: await assertion(rsa, 'alice', {}, { kid: 'es-1' }) }),
    ],
    ['a critical extension', () => ({ assertion: rawToken({ alg: 'ES256', kid: 'es-1', crit: ['x'] }, {}, 'x') })],
    ['a changed payload', async () => ({ assertion: await withPayloadOf('alice', 'bob') })],
    ['a header of deeply nested JSON', () => ({ assertion: rawToken('['.repeat(5500), {}, 'x') })],
    ['a header that is no object', () => ({ assertion: rawToken('"ES256"', {}, 'x') })],
    ['no JWT at all', () => ({ assertion: 'alice' })],
    ['two copies of the header', async () => ({ assertion: await twice('alice', 'alice') })],
    ['copies that name two people', async () => ({ assertion: await twice('alice', 'bob') })],
    ['a good copy and an empty one', async () => ({ assertion: [await assertion(es, 'alice'), ''] })],
    [
      'the header spelled with underscores',
      async () => ({ headers: { X_Latchgate_Assertion: await assertion(es, 'alice') } }),
    ],
    [
      'the assertion as a bearer token',
      async () => ({ headers: { Authorization: `Bearer ${await assertion(es, 'alice')}` } }),
    ],
  ];

  it.each(cases)('%s', async (_, make) => {
    const refusal = await who(await make());
    // 422 is Superset's own word for a bearer token that it did not make.
    expect([401, 422]).toContain(refusal);
  });

  it('is a person from the moment that their account is inactive', async () => {
    await setActive('bob', false);
    expect(await who({ assertion: await assertion(es, 'bob') })).toBe(401);
    await setActive('bob', true);
    expect(await who({ assertion: await assertion(es, 'bob') })).toBe('bob');
  });
});

describe('cookies', () => {
  it('never say who somebody is', async () => {
    const page = await send(superset.url, '/superset/welcome/', { assertion: await assertion(es, 'alice') });
    const token = await send(superset.url, '/api/v1/security/csrf_token/', {
      assertion: await assertion(es, 'alice'),
      cookies: page.cookies,
    });
    const cookies = [...page.cookies, ...token.cookies];
    expect(cookies.join()).toContain('session=');
    expect(await who({ cookies })).toBe(401);
    expect(await who({ cookies, assertion: await assertion(es, 'bob') })).toBe('bob');
    expect(await who({ cookies, assertion: await assertion(es, 'alice') })).toBe('alice');
  });

  it('of a real login of somebody else count for nothing', async () => {
    // The same home folder means the same SECRET_KEY: this cookie is genuine, and names the administrator.
    const header = await startSuperset({ mode: 'header' });
    const login = await send(header.url, '/login/', { headers: { 'X-Forwarded-User': 'admin' } });
    const cookies = login.cookies;
    expect(await whoAmI(header.url, { cookies })).toBe('admin');
    await header.stop();
    expect(await who({ cookies })).toBe(401);
    expect(await who({ cookies, assertion: await assertion(es, 'bob') })).toBe('bob');
    expect(await who({ cookies, assertion: await assertion(es, 'mallory') })).toBe(401);
  }, 600_000);

  it('of other programs on the domain do not keep anybody out', async () => {
    const cookies = ['remember_token=1|0badc0de'];
    expect(await who({ cookies, assertion: await assertion(es, 'alice') })).toBe('alice');
    expect(await who({ cookies })).toBe(401);
  });
});

describe('/login/ and /logout/', () => {
  it('ends in a plain 403 instead of a redirect loop', async () => {
    const page = await send(superset.url, '/superset/welcome/');
    expect(page.status).toBe(302);
    expect(page.headers.location).toContain('/login/');
    for (const call of [{}, { assertion: await assertion(es, 'ivan') }, { assertion: 'nonsense' }]) {
      const login = await send(superset.url, '/login/?next=/superset/welcome/', call);
      expect(login.status).toBe(403);
      expect(login.headers['content-type']).toContain('text/plain');
      expect(login.headers['cache-control']).toContain('no-store');
      expect(login.text).toContain('did not sign you in');
    }
  });

  it.each([
    ['/dashboard/list/?page=1', '/dashboard/list/?page=1'],
    ['//evil.example/', undefined],
    ['///evil.example/', undefined],
    ['/\\evil.example/', undefined],
    ['/%5Cevil.example/', undefined],
    ['/\t/evil.example/', undefined],
    ['https://evil.example/', undefined],
    ['javascript:alert(1)', undefined],
    ['', undefined],
  ])('sends a signed-in person from /login/?next=%j to a page of its own', async (next, expected) => {
    const path = `/login/?next=${encodeURIComponent(next)}`;
    const login = await send(superset.url, path, { assertion: await assertion(es, 'alice') });
    expect(login.status).toBe(302);
    expect(login.headers.location).toBe(expected ?? '/');
  });

  it('takes an absolute address of its own host as a path', async () => {
    const next = encodeURIComponent(`${superset.url}/dashboard/list/`);
    const login = await send(superset.url, `/login/?next=${next}`, { assertion: await assertion(es, 'alice') });
    expect(login.headers.location).toBe('/dashboard/list/');
  });

  it('leaves logging out to the gateway', async () => {
    const logout = await send(superset.url, '/logout/', { assertion: await assertion(es, 'alice') });
    expect(logout.status).toBe(302);
    expect(logout.headers.location).toBe('/.latchgate/logout');
  });
});

describe('keys', () => {
  afterEach(() => writeJwks(jwks, [es, rsa]));

  it('are taken from a changed file at once', async () => {
    const next = await signingKey('es-2');
    expect(await who({ assertion: await assertion(next, 'alice') })).toBe(401);
    writeJwks(jwks, [es, next]);
    expect(await who({ assertion: await assertion(next, 'alice') })).toBe('alice');
    expect(await who({ assertion: await assertion(es, 'alice') })).toBe('alice');
    writeJwks(jwks, [next]);
    expect(await who({ assertion: await assertion(es, 'alice') })).toBe(401);
  });

  it('stay in use while the file cannot be read', async () => {
    expect(await who({ assertion: await assertion(es, 'alice') })).toBe('alice');
    for (const broken of ['{"keys": [', '[]', '{"keys": [{"kty": "EC", "crv": "P-256", "kid": "es-1", "x": 1}]}']) {
      writeFileSync(jwks, broken);
      expect(await who({ assertion: await assertion(es, 'alice') })).toBe('alice');
    }
    rmSync(jwks);
    expect(await who({ assertion: await assertion(es, 'alice') })).toBe('alice');
  });

  it('are asked for once at an address, however many kids are invented, and survive its absence', async () => {
    const address = await countingJwks([es]);
    const byAddress = await startSuperset({ mode: 'assertion', jwks: address.url, issuer: ISSUER, audience: AUDIENCE });
    try {
      const admin = { assertion: await assertion(es, 'admin') };
      expect(await whoAmI(byAddress.url, admin)).toBe('admin');
      const invented = Array.from({ length: 40 }, (_, n) => assertion(es, 'admin', {}, { kid: `made-up-${n}` }));
      const refusals = await Promise.all(invented.map(async (one) => whoAmI(byAddress.url, { assertion: await one })));
      expect(new Set(refusals)).toEqual(new Set([401]));
      expect(address.asked()).toBeLessThanOrEqual(2);
      await address.close();
      expect(await whoAmI(byAddress.url, { assertion: await assertion(es, 'admin') })).toBe('admin');
    } finally {
      await byAddress.stop();
      await address.close();
    }
  }, 600_000);
});

it('logs why an assertion was refused, and nothing of what was in it', async () => {
  const token = await assertion(es, 'mallory-who-is-unknown');
  await who({ assertion: token });
  await who({ assertion: await assertion(es, 'alice', { iss: 'https://claim-value.example' }) });
  const log = superset.log.filter((line) => line.includes('latchgate:')).join('\n');
  expect(log).toContain('InvalidIssuerError');
  expect(superset.log.join('\n')).not.toMatch(/mallory-who-is-unknown|claim-value|eyJ/);
});

function hmacWithPublicKey(): string {
  const pem = createPublicKey({ key: es.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const unsigned = rawToken({ alg: 'HS256', kid: 'es-1' }, goodClaims('alice'), '');
  const signature = createHmac('sha256', pem).update(unsigned.slice(0, -1)).digest();
  return unsigned + signature.toString('base64url');
}

/** Signed as it stands: a library would refuse the text. */
async function signedBytes(claims: Record<string, unknown>): Promise<string> {
  const escaped = JSON.stringify(claims);
  return new CompactSign(Buffer.from(escaped)).setProtectedHeader({ alg: es.alg, kid: es.kid }).sign(es.key);
}

function withOwnKey(): Promise<string> {
  return assertion(stranger, 'alice', {}, { jwk: stranger.jwk, kid: 'own' });
}

async function withPayloadOf(signed: string, wanted: string): Promise<string> {
  const [header, , signature] = (await assertion(es, signed)).split('.');
  const [, payload] = (await assertion(es, wanted)).split('.');
  return `${header}.${payload}.${signature}`;
}

async function twice(one: string, other: string): Promise<string[]> {
  return [await assertion(es, one), await assertion(es, other)];
}

async function countingJwks(keys: SigningKey[]): Promise<{ url: string; asked(): number; close(): Promise<void> }> {
  let count = 0;
  const server: Server = createServer((_, answer) => {
    count += 1;
    answer.setHeader('Content-Type', 'application/json');
    answer.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    if (server.listening) await new Promise((closed) => server.close(closed));
  };
  return { url: `http://127.0.0.1:${port}/jwks.json`, asked: () => count, close };
}
