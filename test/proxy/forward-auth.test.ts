import { createLocalJWKSet, jwtVerify } from 'jose';
import type { Route } from '../../src/proxy/routes.ts';
import type { Session } from '../../src/session/store.ts';
import type { SignIn } from '../../src/targets/target.ts';
import {
  type Answer,
  ask,
  bob,
  closeAll,
  exchange,
  parseAnswer,
  ready,
  sessionOf,
  startUpstream,
  startWorld,
  type World,
  type WorldOptions,
} from './harness.ts';

afterEach(closeAll);

const SECRET = 'what-only-the-web-server-knows-here';
const ALICE = 'Cookie: latchgate=alice';
const PAGE = 'Accept: text/html,application/xhtml+xml';
const IDENTITY = [
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Groups',
  'X-Latchgate-Assertion',
];

const ROUTES: readonly Route<Session>[] = [
  { path: '/health', target: 'main', isPublic: true, methods: ['GET'] },
  { path: '/open', target: 'main', isPublic: true },
  { path: '/read', target: 'main', isPublic: false, methods: ['GET'] },
  { path: '/bobs', target: 'main', isPublic: false, when: ({ identity }) => identity.person === 'p_bob' },
  { path: '/app', target: 'main', isPublic: false },
];

async function world(options: Partial<WorldOptions> = {}, trustedProxies = ['127.0.0.1']): Promise<World> {
  const upstream = await startUpstream(() => {
    throw new Error('nothing is ever forwarded');
  });
  return startWorld({
    upstream: upstream.url,
    routes: ROUTES,
    ...options,
    deps: { trustedProxies, forwardAuthSecrets: ['another secret', SECRET], ...options.deps },
  });
}

/** As nginx asks. */
function original(path: string, method = 'GET'): string[] {
  return [`X-Original-URI: ${path}`, `X-Original-Method: ${method}`];
}

/** As a web server asks. */
function check(port: number, headers: readonly string[], line = 'GET /.latchgate/auth'): Promise<Answer> {
  return ask(port, line, [...headers, `X-Latchgate-Secret: ${SECRET}`]);
}

function told(answer: Answer): Record<string, string[]> {
  return Object.fromEntries(IDENTITY.map((name) => [name, answer.headers(name)]));
}

describe('somebody with a session', () => {
  test('is let through, and the answer says who it is, as it is said to the upstream', async () => {
    const { port, publicKeys } = await world();
    const answer = await check(port, [ALICE, ...original('/app/x?y=1')]);
    expect(answer.status).toBe(202);
    expect(answer.body).toBe('');
    expect(answer.header('Cache-Control')).toBe('no-store');
    expect(answer.header('X-Request-Id')).toMatch(/^\S{10,}$/);
    expect(answer.headers('Set-Cookie')).toEqual([]);
    expect(told(answer)).toEqual({
      'X-Forwarded-User': ['alice'],
      'X-Forwarded-Email': ['alice@example.com'],
      'X-Forwarded-Preferred-Username': ['alice'],
      'X-Forwarded-Groups': ['bi-admins,finance%2C north,%C3%BCber'],
      'X-Latchgate-Assertion': [expect.any(String)],
    });
    const { payload } = await jwtVerify(
      answer.header('X-Latchgate-Assertion') ?? '',
      createLocalJWKSet({ keys: [...(await publicKeys())] }),
      { audience: 'main', issuer: 'http://bi.example.com', currentDate: new Date(1_800_000_000_000) },
    );
    expect(payload).toMatchObject({ sub: 'alice', email: 'alice@example.com' });
  });

  test('HEAD asks the same', async () => {
    const { port } = await world();
    const answer = await check(port, [ALICE, ...original('/app')], 'HEAD /.latchgate/auth');
    expect(answer.status).toBe(202);
    expect(answer.header('X-Forwarded-User')).toBe('alice');
  });

  test('what there is nothing to say of is said empty, so that what a client sent does not stay', async () => {
    const { port, sessions } = await world();
    const { email: _email, preferredUsername: _name, ...rest } = bob;
    sessions.set('bob', sessionOf(rest));
    const answer = await check(port, ['Cookie: latchgate=bob', ...original('/app')]);
    expect(answer.status).toBe(202);
    expect(told(answer)).toMatchObject({
      'X-Forwarded-User': ['bob'],
      'X-Forwarded-Email': [''],
      'X-Forwarded-Preferred-Username': [''],
      'X-Forwarded-Groups': [''],
    });
  });

  test('gets what signs in at the target, once', async () => {
    const signIn: SignIn = {
      headers: async ({ id }) => ({ set: { authorization: `Bearer for ${id}` }, validForSeconds: 300 }),
      drop: ['authorization', 'x-gdc-auth*', 'x-remote'],
    };
    const { port } = await world({ target: { signIn } });
    const answer = await check(port, [ALICE, 'Authorization: Bearer mine', ...original('/app')]);
    expect(answer.headers('Authorization')).toEqual(['Bearer for id-alice']);
    expect(answer.headers('X-Remote')).toEqual(['']);
    expect(answer.head).not.toContain('*');
    expect((await check(port, original('/open'))).headers('Authorization')).toEqual(['']);
  });

  test("gives the client's Authorization back where the target leaves that to clients", async () => {
    const { port } = await world();
    const answer = await check(port, [ALICE, 'Authorization: Basic abc', ...original('/app')]);
    expect(answer.headers('Authorization')).toEqual(['Basic abc']);
    expect((await check(port, [ALICE, ...original('/app')])).headers('Authorization')).toEqual(['']);
  });

  test('keeps the cookies of a backend session on our side: the identity alone is told', async () => {
    const { port } = await world({
      target: { backendSession: { cookieNames: ['session'], open: async () => ['session=secret'] } },
    });
    const answer = await check(port, [ALICE, ...original('/app')]);
    expect(answer.status).toBe(202);
    expect(answer.head).not.toContain('secret');
  });

  test("gives the client's cookies back without those that are not for the upstream", async () => {
    const { port } = await world({
      target: {
        signIn: { headers: async () => ({ set: {}, validForSeconds: 300 }), drop: [], dropCookies: ['SPRING_*'] },
        backendSession: { cookieNames: ['session'] },
      },
    });
    const cookies = 'Cookie: a=1; latchgate=alice;b="x y"; session=s; SPRING_SEC=t; __Secure-latchgate=u';
    const answer = await check(port, [cookies, 'Cookie: c=2', ...original('/app')]);
    expect(answer.headers('Cookie')).toEqual(['a=1;b="x y"; c=2']);
    expect((await check(port, [ALICE, ...original('/app')])).headers('Cookie')).toEqual(['']);
    expect((await check(port, original('/open'))).headers('Cookie')).toEqual(['']);
    expect((await check(port, [ALICE, ...original('/open')])).headers('Cookie')).toEqual(['']);
  });

  test('is out at once when the session ends', async () => {
    const { port, end } = await world();
    expect((await check(port, [ALICE, ...original('/app')])).status).toBe(202);
    end('alice');
    expect((await check(port, [ALICE, ...original('/app')])).status).toBe(401);
  });

  test('with two cookies of our name, or a wrong one, is nobody', async () => {
    const { port } = await world();
    for (const cookie of ['latchgate=alice; latchgate=bob', 'latchgate=carol', '__Host-latchgate=alice']) {
      expect((await check(port, [`Cookie: ${cookie}`, ...original('/app')])).status).toBe(401);
    }
  });
});

describe('who is refused', () => {
  test.each([
    ['route_forbidden', '/bobs', 'GET'],
    ['route_forbidden', '/app/../bobs', 'GET'],
    ['route_forbidden', '/%62obs', 'GET'],
    ['route_unknown', '/nowhere', 'GET'],
    ['route_unknown', '/apps', 'GET'],
    ['method_not_allowed', '/read', 'POST'],
    ['method_not_allowed', '/health', 'POST'],
    ['method_not_allowed', '/app', 'TRACE'],
    ['request_invalid', '/app;x', 'GET'],
    ['request_invalid', '/app%2f..%2fbobs', 'GET'],
    ['request_invalid', '//app', 'GET'],
    ['request_invalid', '/app', 'get'],
    ['route_unknown', '/.latchgate/login', 'GET'],
    ['route_unknown', '/%2elatchgate/auth', 'GET'],
  ])('%s: %s %s', async (code, path, method) => {
    const { port, refused } = await world();
    const answer = await check(port, [ALICE, ...original(path, method)]);
    expect(answer.status).toBe(403);
    expect(JSON.parse(answer.body)).toMatchObject({ error: code, request_id: answer.header('X-Request-Id') });
    expect(answer.header('X-Latchgate-Code')).toBe(code);
    for (const name of IDENTITY) expect(answer.headers(name)).toEqual([]);
    if (code === 'route_forbidden') {
      expect(refused).toMatchObject([
        { person: 'p_alice', path: '/bobs', method, requestId: answer.header('X-Request-Id') },
      ]);
    }
  });

  test('who has no account in the target, and who has to wait for it', async () => {
    const { port, accounts } = await world();
    accounts.set('p_alice', { status: 'none' });
    expect(JSON.parse((await check(port, [ALICE, ...original('/app')])).body)).toMatchObject({ error: 'no_access' });
    accounts.set('p_bob', { status: 'failed', code: 'account_taken', retryable: false, held: [] });
    const taken = await check(port, ['Cookie: latchgate=bob', ...original('/app')]);
    expect(taken.status).toBe(403);
    expect(taken.header('X-Latchgate-Code')).toBe('account_taken');
    const pending = await world();
    pending.accounts.set('p_alice', { status: 'failed', code: 'target_pending', retryable: true, held: [] });
    expect((await check(pending.port, [ALICE, ...original('/app')])).status).toBe(503);
  });

  test('nobody is let through while the session store does not answer', async () => {
    const { LatchgateError } = await import('../../src/model/errors.ts');
    const sessions = {
      read: async () => {
        throw new LatchgateError('session_store_unavailable', 'down');
      },
      handleOf: (id: string) => id,
      onEnded: () => () => {},
    };
    const { port } = await world({ deps: { sessions } });
    expect((await check(port, [ALICE, ...original('/app')])).status).toBe(503);
    expect((await check(port, [ALICE])).status).toBe(503);
  });

  test('closed paths, and calls of other origins to those that check none', async () => {
    const { port } = await world({
      target: { isClosed: (path) => path === '/app/closed', isForOwnPages: (path) => path === '/app/accounts' },
    });
    expect((await check(port, [ALICE, ...original('/app/closed')])).header('X-Latchgate-Code')).toBe('route_forbidden');
    const elsewhere = [ALICE, 'Origin: https://evil.example.com', ...original('/app/accounts', 'POST')];
    expect((await check(port, elsewhere)).header('X-Latchgate-Code')).toBe('origin_not_allowed');
    const ours = [ALICE, 'Origin: http://bi.example.com', 'Sec-Fetch-Site: same-origin'];
    expect((await check(port, [...ours, ...original('/app/accounts', 'POST')])).status).toBe(202);
  });
});

describe('somebody without a session', () => {
  const login = (path: string) => `http://bi.example.com/.latchgate/login?rd=${encodeURIComponent(path)}`;

  test('a browser gets 401 and, for the server in front, where it is to go', async () => {
    const { port } = await world();
    const answer = await check(port, [PAGE, ...original('/app/deep?x=%20y&z=1')]);
    expect([answer.status, answer.header('X-Latchgate-Code')]).toEqual([401, 'login_required']);
    expect(answer.header('X-Latchgate-Login')).toBe(login('/app/deep?x=%20y&z=1'));
    expect(answer.headers('Location')).toEqual([]);
    expect(JSON.parse(answer.body)).toMatchObject({
      error: 'login_required',
      login_url: login('/app/deep?x=%20y&z=1'),
    });
  });

  test('where it is asked for, a browser is sent there by an absolute address', async () => {
    const { port } = await world();
    for (const line of ['GET /.latchgate/auth?redirect=1', 'GET /.latchgate/auth?a=b&redirect=1']) {
      const answer = await check(port, [PAGE, ...original('/app/deep?x=1')], line);
      expect(answer.status).toBe(302);
      expect(answer.header('Location')).toBe(login('/app/deep?x=1'));
    }
    for (const line of ['GET /.latchgate/auth?redirect=0', 'GET /.latchgate/auth?noredirect=1']) {
      expect((await check(port, [PAGE, ...original('/app')], line)).status).toBe(401);
    }
  });

  test.each([
    ['no text/html', []],
    ['XMLHttpRequest', [PAGE, 'X-Requested-With: XMLHttpRequest']],
    ['fetch', [PAGE, 'Sec-Fetch-Mode: cors']],
  ])('a script gets 401 alone, even then: %s', async (_what, headers) => {
    const { port } = await world();
    const answer = await check(port, [...headers, ...original('/app/deep')], 'GET /.latchgate/auth?redirect=1');
    expect(answer.status).toBe(401);
    expect(answer.headers('X-Latchgate-Login')).toEqual([]);
    expect(JSON.parse(answer.body)).toMatchObject({ error: 'login_required' });
  });

  test('a form that was posted is none to come back to', async () => {
    const { port } = await world();
    const answer = await check(port, [PAGE, ...original('/app/deep', 'POST')], 'GET /.latchgate/auth?redirect=1');
    expect(answer.status).toBe(401);
    expect(JSON.parse(answer.body)).toMatchObject({ login_url: login('/') });
  });

  test('public routes are open to the methods that they list, and what a client said of itself is cleared', async () => {
    const { port } = await world();
    for (const [path, method] of [
      ['/health', 'GET'],
      ['/health/x', 'HEAD'],
      ['/open', 'POST'],
    ] as const) {
      const answer = await check(port, [...original(path, method)]);
      expect(answer.status).toBe(202);
      expect(told(answer)).toEqual(Object.fromEntries(IDENTITY.map((name) => [name, ['']])));
    }
  });

  test('a method that is not said opens nothing that lists methods', async () => {
    const { port } = await world();
    expect((await check(port, ['X-Original-URI: /health'])).header('X-Latchgate-Code')).toBe('method_not_allowed');
    expect((await check(port, [ALICE, 'X-Original-URI: /read'])).status).toBe(403);
    expect((await check(port, [ALICE, 'X-Original-URI: /app'])).status).toBe(202);
    expect((await check(port, ['X-Original-URI: /open'])).status).toBe(202);
  });

  test("a backend's own logout is ours, where we are asked to redirect", async () => {
    const { port } = await world({ target: { logoutPaths: ['/app/logout'] } });
    const answer = await check(port, [ALICE, ...original('/app/logout')], 'GET /.latchgate/auth?redirect=1');
    expect(answer.header('Location')).toBe('http://bi.example.com/.latchgate/logout');
    expect((await check(port, [ALICE, ...original('/app/logout')])).status).toBe(202);
  });
});

describe('who is believed', () => {
  const spellings = [
    ['X-Original-URI', 'X-Original-Method'],
    ['X-Original-URL', 'X-Original-Method'],
    ['X-Forwarded-Uri', 'X-Forwarded-Method'],
    ['x-forwarded-uri', 'X-FORWARDED-METHOD'],
  ] as const;

  test.each(spellings)('%s of a trusted peer', async (uri, method) => {
    const { port } = await world();
    expect((await check(port, [`${uri}: /health`, `${method}: GET`])).status).toBe(202);
    expect((await check(port, [ALICE, `${uri}: /bobs`, `${method}: GET`])).status).toBe(403);
  });

  test.each([[], ['10.0.0.0/8'], ['127.0.0.2'], ['::1']])('nobody else: trusted_proxies %s', async (...trusted) => {
    const { port, logged } = await world({}, trusted);
    for (const [uri, method] of spellings) {
      const said = [`${uri}: /health`, `${method}: GET`];
      expect((await check(port, said)).status).toBe(401);
      // `when` does not count either: there is no route.
      expect((await check(port, [ALICE, `${uri}: /bobs`, `${method}: GET`])).status).toBe(202);
    }
    expect(logged.filter(({ message }) => message.includes('trusted_proxies'))).toHaveLength(1);
  });

  test('for anybody else the session alone decides, and nothing is given that signs in', async () => {
    const signIn: SignIn = {
      headers: async () => ({ set: { authorization: 'Bearer secret' }, validForSeconds: 300 }),
      drop: ['authorization'],
    };
    for (const trusted of [[], ['127.0.0.1']]) {
      const { port } = await world({ target: { signIn } }, trusted);
      const answer = await check(port, [ALICE]);
      expect(answer.status).toBe(202);
      expect(answer.head).not.toContain('secret');
      expect(told(answer)).toMatchObject({ 'X-Forwarded-User': ['alice'], 'X-Latchgate-Assertion': [''] });
      const stranger = await check(port, [PAGE], 'GET /.latchgate/auth?redirect=1');
      expect(stranger.status).toBe(401);
      expect(stranger.headers('X-Latchgate-Login')).toEqual([]);
    }
  });

  test('for anybody else the name in a target is told only when there is one target', async () => {
    const upstream = await startUpstream();
    const targets = ['main', 'other'].map((name) => ({ name, url: upstream.url }));
    const { port } = await world({ deps: { targets } }, []);
    const answer = await check(port, [ALICE]);
    expect(answer.status).toBe(202);
    expect(told(answer)).toMatchObject({ 'X-Forwarded-User': [''], 'X-Forwarded-Email': ['alice@example.com'] });
  });

  test('an account that is not ready keeps nobody out where the session alone decides', async () => {
    const { port, accounts } = await world({}, []);
    accounts.set('p_alice', { status: 'none' });
    const answer = await check(port, [ALICE]);
    expect(answer.status).toBe(202);
    expect(answer.headers('X-Forwarded-User')).toEqual(['']);
    accounts.set('p_alice', ready('alice'));
  });

  test.each([
    ['X-Original-URI: /health', 'X-Forwarded-Uri: /bobs'],
    ['X-Forwarded-Uri: /bobs', 'X-Original-URI: /health'],
    ['X-Forwarded-Uri: /bobs', 'x-forwarded-uri: /health'],
    ['X-Forwarded-Uri: /health?a', 'X-Original-URI: /health?b'],
    ['X-Original-URL: http://bi.example.com/bobs', 'X-Original-URI: /health'],
  ])('a client cannot add to what the server in front says: %s, %s', async (one, other) => {
    const { port } = await world();
    for (const cookie of [[], [ALICE]]) {
      const answer = await check(port, [...cookie, one, other, 'X-Original-Method: GET']);
      expect(answer.status).toBe(403);
      expect(answer.header('X-Latchgate-Code')).toBe('request_invalid');
    }
  });

  test('a client cannot say another method', async () => {
    const { port } = await world();
    const headers = ['X-Forwarded-Uri: /health', 'X-Forwarded-Method: POST', 'X-Original-Method: GET'];
    expect((await check(port, headers)).status).toBe(403);
    const override = [...original('/read', 'POST'), ALICE, 'X-HTTP-Method-Override: GET', 'X-Method-Override: GET'];
    expect((await check(port, override)).status).toBe(403);
  });
});

describe('a browser that asks through a trusted proxy', () => {
  const signIn: SignIn = {
    headers: async () => ({ set: { authorization: 'Bearer for-the-backend', 'x-remote': 'r' }, validForSeconds: 300 }),
    drop: ['authorization', 'x-remote'],
  };
  const JAR = 'Cookie: latchgate=alice; of-the-backend=http-only';
  const KEYS = 'Authorization: Basic of-the-browser';
  const questions: [string, string, readonly string[]][] = [
    ['as nginx does', 'GET /.latchgate/auth', original('/app')],
    ['as Traefik does', 'GET /.latchgate/auth?redirect=1', ['X-Forwarded-Uri: /app', 'X-Forwarded-Method: GET']],
    ['as Envoy does', 'GET /.latchgate/auth/envoy/app', []],
    ['about a public route', 'GET /.latchgate/auth', original('/open')],
    ['about nothing', 'GET /.latchgate/auth', []],
  ];
  const guesses: [string, readonly string[]][] = [
    ['no secret', []],
    ['an empty one', ['X-Latchgate-Secret: ']],
    ['a part of it', [`X-Latchgate-Secret: ${SECRET.slice(0, -1)}`]],
    ['more than it', [`X-Latchgate-Secret: ${SECRET}x`]],
    ['it twice', [`X-Latchgate-Secret: ${SECRET}`, `X-Latchgate-Secret: ${SECRET}`]],
    ['another spelling of the name', [`X_Latchgate_Secret: ${SECRET}`]],
  ];

  test.each(questions)('%s gets no token and no cookie to read', async (_how, line, said) => {
    for (const target of [{ signIn }, {}]) {
      const { port } = await world({ target });
      for (const [, guess] of guesses) {
        const answer = await ask(port, line, [JAR, KEYS, ...said, ...guess]);
        expect([200, 202]).toContain(answer.status);
        for (const secret of ['for-the-backend', 'http-only', 'of-the-browser']) {
          expect(answer.head).not.toContain(secret);
        }
        for (const name of ['Authorization', 'X-Remote', 'Cookie']) expect(answer.header(name) ?? '').toBe('');
      }
    }
  });

  test('is told by routes and `when` as anybody, and who it is', async () => {
    const { port } = await world();
    expect((await ask(port, 'GET /.latchgate/auth', original('/app'))).status).toBe(401);
    expect((await ask(port, 'GET /.latchgate/auth', original('/open'))).status).toBe(202);
    expect((await ask(port, 'GET /.latchgate/auth', [ALICE, ...original('/bobs')])).status).toBe(403);
    const answer = await ask(port, 'GET /.latchgate/auth', [ALICE, ...original('/app')]);
    expect(answer.header('X-Forwarded-User')).toBe('alice');
    expect(answer.header('X-Forwarded-Email')).toBe('alice@example.com');
  });

  test('where the config names no secret nobody has one, and the log says so once', async () => {
    const { port, logged } = await world({ target: { signIn }, deps: { forwardAuthSecrets: [] } });
    for (const guess of [[], ['X-Latchgate-Secret: '], [`X-Latchgate-Secret: ${SECRET}`]]) {
      const answer = await ask(port, 'GET /.latchgate/auth', [ALICE, ...original('/app'), ...guess]);
      expect([answer.status, answer.header('Authorization')]).toEqual([202, '']);
    }
    expect(logged.filter(({ message }) => message.includes('forward_auth'))).toHaveLength(1);
    expect(JSON.stringify(logged)).not.toContain(SECRET);
  });

  test('has no use for the secret where it is nobody whom we trust', async () => {
    const { port } = await world({ target: { signIn } }, ['10.0.0.0/8']);
    const answer = await check(port, [JAR, ...original('/app')]);
    expect([answer.status, answer.header('Authorization') ?? '']).toEqual([202, '']);
    expect(answer.head).not.toContain('http-only');
  });

  test('each secret of the list will do', async () => {
    const { port } = await world({ target: { signIn } });
    const answer = await ask(port, 'GET /.latchgate/auth', [
      ALICE,
      ...original('/app'),
      'X-Latchgate-Secret: another secret',
    ]);
    expect(answer.header('Authorization')).toBe('Bearer for-the-backend');
  });
});

describe('the question itself', () => {
  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])('%s is none', async (method) => {
    const { port } = await world();
    const answer = await check(port, [ALICE, ...original('/app'), 'Content-Length: 0'], `${method} /.latchgate/auth`);
    expect(answer.status).toBe(405);
    expect(answer.header('Allow')).toBe('GET, HEAD');
  });

  test('is asked under its path as it stands: another spelling got past a rule that keeps clients from asking', async () => {
    const { port, calls } = await world();
    expect((await check(port, [ALICE, ...original('/app')], 'GET /.latchgate/auth?x=1')).status).toBe(202);
    for (const path of [
      '/%2elatchgate/auth',
      '/x/../.latchgate/auth',
      '/.latchgate/x/../auth',
      '/.latchgate/./auth',
      '/.latchgate/%61uth',
      'http://bi.example.com/.latchgate/auth',
    ]) {
      const answer = await check(port, [ALICE, ...original('/app')], `GET ${path}`);
      expect(answer.status).toBe(404);
      expect(answer.headers('X-Latchgate-Assertion')).toEqual([]);
    }
    expect(calls.gateway).toEqual([]);
    for (const path of ['/.latchgate/auth/', '/.latchgate/authx', '/.latchgate/auth/x', '/.latchgate/auth/envoy']) {
      expect((await check(port, [ALICE, ...original('/bobs')], `GET ${path}`)).body).toBe('gateway');
    }
  });

  test('a body is ignored, and the connection goes on', async () => {
    const { port } = await world();
    const one = ['GET /.latchgate/auth HTTP/1.1', 'Host: bi.example.com', ALICE, ...original('/app')];
    const bytes = `${[...one, 'Content-Length: 5'].join('\r\n')}\r\n\r\nhello${[...one, 'Connection: close'].join('\r\n')}\r\n\r\n`;
    expect((await exchange(port, bytes)).match(/HTTP\/1\.1 202/g)).toHaveLength(2);
  });

  test('odd framing is 400 and closed', async () => {
    const { port } = await world();
    for (const path of ['/.latchgate/auth', '/.latchgate/auth/envoy/health']) {
      const bytes = `GET ${path} HTTP/1.1\r\nHost: a\r\nHost: b\r\n${original('/health').join('\r\n')}\r\n\r\n`;
      expect(parseAnswer(await exchange(port, bytes)).status).toBe(400);
    }
  });
});

describe('WebSockets', () => {
  const handshake = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  ];
  const OURS = 'Origin: http://bi.example.com';

  function upgrade(port: number, headers: readonly string[]): Promise<Answer> {
    const secret = `X-Latchgate-Secret: ${SECRET}`;
    const lines = ['GET /.latchgate/auth HTTP/1.1', 'Host: gateway', secret, ...handshake, ...headers];
    return exchange(port, `${lines.join('\r\n')}\r\n\r\n`).then(parseAnswer);
  }

  test('a server in front that asks with the whole handshake gets an answer, not a socket', async () => {
    const { port } = await world();
    const answer = await upgrade(port, [ALICE, OURS, ...original('/app/ws')]);
    expect(answer.status).toBe(202);
    expect(answer.header('X-Forwarded-User')).toBe('alice');
    expect((await upgrade(port, [OURS, ...original('/app/ws')])).status).toBe(401);
    expect((await upgrade(port, [ALICE, OURS, ...original('/bobs')])).status).toBe(403);
  });

  test.each([
    ['none', []],
    ['another', ['Origin: https://evil.example.com']],
    ['one that only begins like ours', ['Origin: http://bi.example.com.evil.example']],
    ['null', ['Origin: null']],
    ['two', [OURS, 'Origin: https://evil.example.com']],
  ])('an Origin of ours is needed: %s', async (_what, origin) => {
    const { port } = await world();
    expect((await upgrade(port, [ALICE, ...origin, ...original('/app/ws')])).status).toBe(403);
    // What is left of the handshake when the server in front has taken Upgrade out.
    for (const left of ['Sec-WebSocket-Key: x', 'Sec-WebSocket-Version: 13', 'Sec-Fetch-Mode: websocket']) {
      const answer = await check(port, [ALICE, left, ...origin, ...original('/app/ws')]);
      expect(answer.status).toBe(403);
    }
  });

  test('a public route is not public for a socket', async () => {
    const { port } = await world();
    expect((await check(port, [OURS, 'Sec-WebSocket-Version: 13', ...original('/open')])).status).toBe(401);
    expect((await check(port, [ALICE, OURS, 'Sec-WebSocket-Version: 13', ...original('/open')])).status).toBe(202);
  });
});

describe('Envoy', () => {
  function envoy(port: number, address: string, headers: readonly string[] = [], method = 'GET'): Promise<Answer> {
    return check(port, headers, `${method} /.latchgate/auth/envoy${address}`);
  }

  test('is told yes by 200, with the original address behind ours and the original method', async () => {
    const { port } = await world();
    const answer = await envoy(port, '/app/x?y=1', [ALICE]);
    expect(answer.status).toBe(200);
    expect(answer.header('X-Forwarded-User')).toBe('alice');
    expect((await envoy(port, '/health')).status).toBe(200);
    expect((await envoy(port, '/health', ['Content-Length: 0'], 'POST')).status).toBe(403);
    expect((await envoy(port, '/read', [ALICE, 'Content-Length: 0'], 'POST')).status).toBe(403);
    expect((await envoy(port, '/app', [ALICE, 'Content-Length: 0'], 'DELETE')).status).toBe(200);
    expect((await envoy(port, '/bobs', [ALICE])).status).toBe(403);
  });

  test('gets the redirect to the login for a browser', async () => {
    const { port } = await world();
    const answer = await envoy(port, '/app/deep?x=1', [PAGE]);
    expect(answer.status).toBe(302);
    expect(answer.header('Location')).toBe(
      `http://bi.example.com/.latchgate/login?rd=${encodeURIComponent('/app/deep?x=1')}`,
    );
    expect((await envoy(port, '/app/deep')).status).toBe(401);
  });

  test.each([
    '/../../../health',
    '/%2e%2e/%2e%2e/%2e%2e/health',
    '/../../health',
    '/../login',
    '/../auth',
    '/x/../../health',
  ])('the address behind ours never climbs into ours, or out to a route: %s', async (address) => {
    const { port, calls } = await world();
    const answer = await envoy(port, address);
    // It is an address of its own, whose dots end at its own root.
    expect(answer.status).toBe(address.endsWith('/health') ? 200 : 403);
    expect(answer.header('X-Forwarded-User') ?? '').toBe('');
    expect(calls.gateway).toEqual([]);
  });

  test('headers of the client that say another address are refused', async () => {
    const { port } = await world();
    for (const header of ['X-Original-URI: /health', 'X-Forwarded-Uri: /health', 'X-Original-Method: GET']) {
      const answer = await envoy(port, '/bobs', [ALICE, header, 'Content-Length: 0'], 'POST');
      expect(answer.status).toBe(403);
    }
    expect((await envoy(port, '/bobs', [ALICE, 'X-Original-URI: /app'])).header('X-Latchgate-Code')).toBe(
      'request_invalid',
    );
  });

  test('from a peer that is not trusted the address behind ours says nothing', async () => {
    const { port } = await world({}, []);
    expect((await envoy(port, '/health')).status).toBe(401);
    expect((await envoy(port, '/bobs', [ALICE])).status).toBe(200);
  });
});

describe('several host names', () => {
  const REPORTS = 'reports.example.com';
  const routes: readonly Route<Session>[] = [
    { path: '/', target: 'main', isPublic: false, when: ({ identity }) => identity.person === 'p_bob' },
    { host: REPORTS, path: '/', target: 'main', isPublic: false },
    { host: REPORTS, path: '/open', target: 'main', isPublic: true },
  ];

  test.each([
    ['X-Forwarded-Host', [`X-Forwarded-Host: ${REPORTS}`, ...original('/x')]],
    ['another case, with a port', ['X-Forwarded-Host: REPORTS.example.com:80', ...original('/x')]],
    ['X-Original-URL', [`X-Original-URL: http://${REPORTS}/x`, 'X-Original-Method: GET']],
  ])('each has its own routes: %s', async (_what, headers) => {
    const { port } = await world({ routes });
    expect((await check(port, [ALICE, ...headers])).status).toBe(202);
    expect((await check(port, [ALICE, 'X-Forwarded-Host: bi.example.com', ...original('/x')])).status).toBe(403);
    // The one that we are asked by, where nothing else is said.
    expect((await check(port, [ALICE, ...original('/x')])).status).toBe(403);
  });

  test.each([
    ['unknown', ['X-Forwarded-Host: evil.example.com', ...original('/open')], 'host_unknown'],
    [
      'unknown in an address',
      ['X-Original-URL: http://evil.example.com/open', 'X-Original-Method: GET'],
      'host_unknown',
    ],
    ['empty', ['X-Forwarded-Host: ', ...original('/open')], 'host_unknown'],
    ['a list', [`X-Forwarded-Host: ${REPORTS}, bi.example.com`, ...original('/open')], 'host_unknown'],
    [
      'two',
      [`X-Forwarded-Host: ${REPORTS}`, 'X-Forwarded-Host: bi.example.com', ...original('/open')],
      'request_invalid',
    ],
    ['two ways', [`X-Forwarded-Host: ${REPORTS}`, 'X-Original-URL: http://bi.example.com/open'], 'request_invalid'],
  ])('any other is none: %s', async (_what, headers, code) => {
    const { port } = await world({ routes });
    const answer = await check(port, [ALICE, ...headers]);
    expect(answer.status).toBe(403);
    expect(answer.header('X-Latchgate-Code')).toBe(code);
  });

  test('the way back from the login is to the host that was asked', async () => {
    const { port } = await world({ routes });
    const answer = await check(port, [PAGE, `X-Forwarded-Host: ${REPORTS}`, ...original('/x?y=1')]);
    const back = encodeURIComponent(`http://${REPORTS}/x?y=1`);
    expect(answer.header('X-Latchgate-Login')).toBe(`http://bi.example.com/.latchgate/login?rd=${back}`);
  });

  test('Envoy asks under the host that it was asked by; we may have another name for others', async () => {
    const { port } = await world({ routes });
    const at = async (host: string, path: string, headers: readonly string[] = []) => {
      const lines = [`GET /.latchgate/auth${path} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ALICE, ...headers];
      return parseAnswer(await exchange(port, `${lines.join('\r\n')}\r\n\r\n`));
    };
    expect((await at(REPORTS, '/envoy/x')).status).toBe(200);
    expect((await at('bi.example.com', '/envoy/x')).status).toBe(403);
    expect((await at('latchgate:4180', '/envoy/open')).header('X-Latchgate-Code')).toBe('host_unknown');
    expect((await at('latchgate:4180', '', [`X-Forwarded-Host: ${REPORTS}`, ...original('/x')])).status).toBe(202);
    expect((await at('latchgate:4180', '', original('/x'))).status).toBe(403);
  });

  test('a WebSocket is of a page of the host that it asks', async () => {
    const { port } = await world({ routes });
    const socket = [ALICE, 'Sec-WebSocket-Version: 13', `X-Forwarded-Host: ${REPORTS}`, ...original('/ws')];
    expect((await check(port, [...socket, `Origin: http://${REPORTS}`])).status).toBe(202);
    expect((await check(port, [...socket, 'Origin: http://bi.example.com'])).status).toBe(403);
  });
});

test('what is told of a session is made once for many questions', async () => {
  const { port, calls } = await world();
  const answers = [];
  for (let at = 0; at < 10; at += 1) answers.push(await check(port, [ALICE, ...original(`/app/${at}`)]));
  expect(new Set(answers.map((answer) => answer.header('X-Latchgate-Assertion'))).size).toBe(1);
  expect(calls.account).toBe(1);
});
