import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { probe, userDocument } from './probe.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from './server.ts';

const NOW_SECONDS = 1_800_000_000;
const HOSTILE = `<img src=x onerror="alert(1)">&'`;

interface Signer {
  readonly jwk: Record<string, unknown>;
  sign(claims: JWTPayload, header?: Record<string, unknown>): Promise<string>;
}

async function signer(kid: string, alg = 'RS256'): Promise<Signer> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const { kty, n, e } = await exportJWK(publicKey);
  return {
    jwk: { alg, kty, use: 'sig', kid, n, e },
    sign: (claims, header = {}) =>
      new SignJWT(claims).setProtectedHeader({ alg, kid, typ: 'JWT', ...header }).sign(privateKey),
  };
}

let emulator: GoodDataEmulator;
let now = NOW_SECONDS;
let ours: Signer;
let theirs: Signer;

beforeAll(async () => {
  [ours, theirs] = await Promise.all([signer('ours'), signer('ours')]);
  emulator = await startGoodDataEmulator({
    page: true,
    clock: () => now * 1000,
    seed: {
      groups: [
        { id: 'sales', name: 'Sales & more' },
        { id: 'sales-eu', parents: ['sales'] },
      ],
      users: [
        { id: 'alice', firstname: 'Alice', lastname: HOSTILE, email: 'alice@example.org', groups: ['sales-eu'] },
        { id: 'root', groups: ['adminGroup'] },
        { id: 'nameless' },
      ],
      workspaces: [
        {
          id: 'eu',
          name: 'Europe <b>',
          hierarchyPermissions: [{ assignee: { id: 'sales', type: 'userGroup' }, name: 'ANALYZE' }],
        },
        { id: 'de', name: 'Germany', parent: 'eu' },
        { id: 'us', name: 'America' },
      ],
    },
  });
});
afterAll(() => emulator.close());
beforeEach(async () => {
  now = NOW_SECONDS;
  emulator.reset();
  await register('ours', ours.jwk);
});

function register(id: string, content: unknown) {
  return probe(emulator, 'POST', '/api/v1/entities/jwks', {
    body: { data: { id, type: 'jwk', attributes: { content } } },
  });
}

function claims(more: JWTPayload = {}): JWTPayload {
  return { sub: 'alice', name: 'Alice A.', iat: NOW_SECONDS, exp: NOW_SECONDS + 300, ...more };
}

const profile = (bearer: string) => probe(emulator, 'GET', '/api/v1/profile', { bearer });

async function refusal(bearer: string): Promise<[number, string | undefined]> {
  const { status, headers, body } = await profile(bearer);
  expect(body).toBeUndefined();
  return [status, /error_description="([^"]*)"/.exec(headers.get('www-authenticate') ?? '')?.[1]];
}

describe('login by JWT', () => {
  it('lets the user of a good token in, under the name it carries', async () => {
    const { status, body } = await profile(await ours.sign(claims()));
    expect(status).toBe(200);
    expect(body).toMatchObject({ userId: 'alice', name: 'Alice A.', organizationId: 'default', permissions: [] });
  });

  it.each(['RS384', 'RS512'])('takes %s', async (alg) => {
    const other = await signer('other', alg);
    await register('other', other.jwk);
    expect((await profile(await other.sign(claims()))).status).toBe(200);
  });

  it.each(['exp', 'iat', 'sub', 'name'])('refuses a token without %s', async (claim) => {
    const sent = Object.fromEntries(Object.entries(claims()).filter(([name]) => name !== claim));
    expect(await refusal(await ours.sign(sent))).toEqual([401, `The JWT contains invalid claims: [${claim}].`]);
  });

  it.each<[string, JWTPayload]>([
    ['a sub that is no id', { sub: 'auth0|alice' }],
    ['a sub that starts with a dot', { sub: '.alice' }],
    ['a jti that is no id', { jti: 'a b' }],
    ['a name of 512 characters', { name: 'x'.repeat(512) }],
    ['an nbf in the future', { nbf: NOW_SECONDS + 61 }],
  ])('refuses %s', async (_what, wrong) => {
    expect(await refusal(await ours.sign(claims(wrong)))).toEqual([401, 'The JWT contains invalid claims: [].']);
  });

  it.each<[string, Record<string, unknown>]>([
    ['no kid', { kid: undefined }],
    ['no typ', { typ: undefined }],
    ['another typ', { typ: 'at+jwt' }],
    ['jku', { jku: 'https://keys.example.org' }],
    ['x5u', { x5u: 'https://keys.example.org' }],
    ['jwk', { jwk: { kty: 'RSA' } }],
    ['x5c', { x5c: ['MIIB'] }],
  ])('refuses a header with %s', async (_what, header) => {
    expect(await refusal(await ours.sign(claims(), header))).toEqual([401, 'The JWT contains invalid claims: [].']);
  });

  it('gives an expired token 60 seconds, no more', async () => {
    const token = await ours.sign(claims());
    now = NOW_SECONDS + 360;
    expect((await profile(token)).status).toBe(200);
    now = NOW_SECONDS + 361;
    expect(await refusal(token)).toEqual([401, 'The JWT is expired.']);
  });

  it('refuses what no registered key has signed', async () => {
    const text = 'We are unable to verify signature.';
    expect(await refusal(await theirs.sign(claims()))).toEqual([401, text]);
    expect(await refusal(await ours.sign(claims(), { kid: 'other' }))).toEqual([401, text]);
    const [head, body] = (await ours.sign(claims())).split('.');
    expect(await refusal(`${head}.${body}.`)).toEqual([401, text]);
    const forged = Buffer.from(JSON.stringify(claims({ sub: 'root' }))).toString('base64url');
    expect(await refusal(`${head}.${forged}.${(await ours.sign(claims())).split('.')[2]}`)).toEqual([401, text]);
    const none = Buffer.from('{"alg":"none","typ":"JWT","kid":"ours"}').toString('base64url');
    expect(await refusal(`${none}.${body}.`)).toEqual([401, text]);
    const weak = await signer('weak', 'PS256');
    expect(await refusal(await weak.sign(claims(), { kid: 'ours' }))).toEqual([401, text]);
  });

  it('refuses a secret shared with the public key', async () => {
    const secret = new TextEncoder().encode(String(ours.jwk['n']));
    const token = await new SignJWT(claims())
      .setProtectedHeader({ alg: 'HS256', kid: 'ours', typ: 'JWT' })
      .sign(secret);
    expect((await profile(token)).status).toBe(401);
  });

  it('cannot decode what only looks like a token', async () => {
    expect(await refusal('a.b.c')).toEqual([401, 'We are unable to decode JWT.']);
  });

  it('follows a rotation: the new key works once it is there, the old one until it is deleted', async () => {
    const next = await signer('next');
    const [old, fresh] = await Promise.all([ours.sign(claims()), next.sign(claims())]);
    expect((await profile(fresh)).status).toBe(401);
    await register('next', next.jwk);
    expect([(await profile(old)).status, (await profile(fresh)).status]).toEqual([200, 200]);
    expect((await probe(emulator, 'DELETE', '/api/v1/entities/jwks/ours')).status).toBe(204);
    expect([(await profile(old)).status, (await profile(fresh)).status]).toEqual([401, 200]);
  });

  it('answers 404 for a user who is not registered', async () => {
    const { status, body } = await profile(await ours.sign(claims({ sub: 'carol' })));
    expect([status, body.detail]).toEqual([404, "User with ID='carol' is not registered"]);
    await probe(emulator, 'POST', '/api/v1/entities/users', { body: userDocument('carol') });
    expect((await profile(await ours.sign(claims({ sub: 'carol' })))).status).toBe(200);
  });

  it('disables one token at logout, all earlier ones at "logout all"', async () => {
    const [first, second] = await Promise.all([ours.sign(claims()), ours.sign(claims({ jti: 'second' }))]);
    const out = await probe(emulator, 'GET', '/logout', { bearer: first });
    expect([out.status, out.headers.get('location')]).toEqual([302, '/']);
    const text = 'The JWT is disabled by logout / logout all.';
    expect(await refusal(first)).toEqual([401, text]);
    expect((await profile(second)).status).toBe(200);
    now += 10;
    await probe(emulator, 'GET', '/logout/all', { bearer: second });
    expect(await refusal(second)).toEqual([401, text]);
    expect(await refusal(await ours.sign(claims({ iat: now })))).toEqual([401, text]);
    expect((await profile(await ours.sign(claims({ iat: now + 1 })))).status).toBe(200);
  });
});

describe('what a person may do', () => {
  it('an ordinary account may not see or change accounts: 404, as if there were none', async () => {
    const bearer = await ours.sign(claims());
    for (const path of ['entities/users', 'entities/userGroups', 'layout/users', 'actions/userManagement/users']) {
      expect((await probe(emulator, 'GET', `/api/v1/${path}`, { bearer })).status).toBe(404);
    }
    const write = await probe(emulator, 'POST', '/api/v1/entities/users', {
      bearer,
      body: userDocument('eve', {}, ['adminGroup']),
    });
    expect(write.status).toBe(404);
    const key = { data: { id: 'mine', type: 'jwk', attributes: { content: ours.jwk } } };
    expect((await probe(emulator, 'POST', '/api/v1/entities/jwks', { bearer, body: key })).status).toBe(404);
    expect((await probe(emulator, 'GET', '/api/v1/entities/users/root/apiTokens', { bearer })).status).toBe(404);
    expect(emulator.state.users.has('eve')).toBe(false);
  });

  it('sees the workspaces that its groups, and those above them, were given', async () => {
    const list = async (sub: string) => {
      const bearer = await ours.sign(claims({ sub }));
      const { body } = await probe(emulator, 'GET', '/api/v1/entities/workspaces', { bearer });
      return body.data.map(({ id }: { id: string }) => id);
    };
    expect(await list('alice')).toEqual(['de', 'eu']);
    expect(await list('nameless')).toEqual([]);
    expect(await list('root')).toEqual(['de', 'eu', 'us']);
  });

  it('a member of adminGroup is an administrator', async () => {
    const bearer = await ours.sign(claims({ sub: 'root' }));
    expect((await profile(bearer)).body.permissions).toEqual(['MANAGE', 'SELF_CREATE_TOKEN']);
    expect((await probe(emulator, 'GET', '/api/v1/entities/users', { bearer })).status).toBe(200);
  });
});

describe('the page', () => {
  it('shows who is signed in and which workspaces are open to them, every text escaped', async () => {
    const { status, headers, body } = await probe(emulator, 'GET', '/dashboards/#/any', {
      bearer: await ours.sign(claims()),
    });
    expect(status).toBe(200);
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(body).toContain('alice@example.org');
    expect(body).toContain('Sales &amp; more');
    expect(body).toContain('Europe &lt;b&gt;');
    expect(body).toContain('&lt;img src=x onerror=&quot;alert(1)&quot;&gt;&amp;&#39;');
    expect(body).not.toContain('<img');
    expect(body).toContain('href="/.latchgate/logout"');
    expect([...body.matchAll(/data-workspace="(\w+)"/g)].map((match) => match[1])).toEqual(['de', 'eu']);
  });

  it('says so when there is nothing to open', async () => {
    const { body } = await probe(emulator, 'GET', '/', { bearer: await ours.sign(claims({ sub: 'nameless' })) });
    expect(body).toContain('None yet');
  });

  it('is not shown without a token', async () => {
    const { status, headers } = await probe(emulator, 'GET', '/', { bearer: null, headers: { Accept: 'text/html' } });
    expect([status, headers.get('location')]).toEqual([302, '/oauth2/authorization/127.0.0.1']);
    expect((await probe(emulator, 'GET', headers.get('location') ?? '', { bearer: null })).body).toContain(
      'Not signed in',
    );
  });
});
