import { LatchgateError } from '../../src/model/errors.ts';
import type { Session } from '../../src/session/store.ts';
import { isPasswordLogin, isSecurityApi } from '../../src/targets/superset/guarded-paths.ts';
import type { SignIn } from '../../src/targets/target.ts';
import { alice, ask, bob, closeAll, sessionOf, startUpstream, startWorld, until, valuesOf } from './harness.ts';

afterEach(closeAll);

const HTML = 'Accept: text/html,application/xhtml+xml';

describe('somebody without a session', () => {
  it('who browses is sent to the login and comes back to the same address', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /a%20b/?x=1&y=%2F#'.replace('#', ''), [HTML, 'Sec-Fetch-Mode: navigate']);
    expect(answer.status).toBe(302);
    expect(answer.header('location')).toBe(`/.latchgate/login?rd=${encodeURIComponent('/a%20b/?x=1&y=%2F')}`);
    expect(answer.header('cache-control')).toBe('no-store');
    expect(answer.header('x-request-id')).toBeDefined();
    expect((await ask(port, 'HEAD /', [HTML])).status).toBe(302);
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    ['GET /api', ['Accept: application/json'], '/api'],
    ['GET /api', [], '/api'],
    ['GET /api', [HTML, 'X-Requested-With: XMLHttpRequest'], '/'],
    ['GET /api', [HTML, 'Sec-Fetch-Mode: cors'], '/'],
    ['POST /api', [HTML, 'Content-Length: 2'], '/'],
    ['DELETE /api', [HTML], '/'],
    ['OPTIONS /api', [HTML], '/'],
  ])('who calls an API gets 401 in JSON: %s %j', async (line, headers, back) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, line, headers, headers.join().includes('Length') ? '{}' : '');
    expect([answer.status, answer.header('content-type')]).toEqual([401, 'application/json']);
    const body = JSON.parse(answer.body);
    expect(body).toMatchObject({
      error: 'login_required',
      login_url: `http://bi.example.com/.latchgate/login?rd=${encodeURIComponent(back)}`,
    });
    expect(upstream.seen).toEqual([]);
  });

  it.each([
    'latchgate=nobody',
    'latchgate=alice; latchgate=alice',
    'latchgate=alice; latchgate=bob',
    'Latchgate=alice',
  ])('is nobody with the cookie %s', async (cookie) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    expect((await ask(port, 'GET /', [`Cookie: ${cookie}`])).status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });

  it('keeps its connection when it sent a body, and loses it when the body has no end', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const endless = await ask(port, 'POST /', ['Content-Length: 100000000'], 'a'.repeat(3_000_000));
    expect([0, 401]).toContain(endless.status);
    expect((await ask(port, 'POST /', ['Content-Length: 500000'], 'a'.repeat(500_000))).status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });
});

describe('routes', () => {
  const routes = [
    { path: '/', target: 'main', isPublic: false },
    { path: '/health', target: 'main', isPublic: true, methods: ['GET'] },
    {
      path: '/admin',
      target: 'main',
      isPublic: false,
      when: (session: { identity: { groups: readonly string[] } }) => session.identity.groups.includes('bi-admins'),
    },
  ];

  const anonymous: readonly (readonly [string, number])[] = [
    ['GET /health', 200],
    ['GET /health/deep', 200],
    ['HEAD /health', 200],
    ['GET /health?x=/admin', 200],
    ['GET /%68ealth', 200],
    ['GET /x/../health', 200],
    ['POST /health', 405],
    ['OPTIONS /health', 405],
    ['GET /healthy', 401],
    ['GET /HEALTH', 401],
    ['GET /health/../x', 401],
    ['GET /health/%2e%2e/x', 401],
    ['GET /x?/health', 401],
    ['GET /health%2f..%2fx', 400],
    ['GET /health/..;/x', 400],
    ['GET /health//..//x', 400],
    ['GET /health%252f..%252fx', 400],
    ['GET /x%00/health', 400],
    ['GET //health', 400],
    ['GET /health\\..\\x', 400],
  ];
  it.each(anonymous)('without a session %s is %i', async (line, status) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, routes });
    expect((await ask(port, line, [])).status).toBe(status);
    expect(upstream.seen.length).toBe(status === 200 ? 1 : 0);
  });

  it.each([
    'X-Forwarded-Uri: /health',
    'X-Original-URL: /health',
    'X-HTTP-Method-Override: GET',
    'User-Agent: ELB-HealthChecker/2.0',
  ])('are not chosen by a header: %s', async (header) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, routes });
    expect((await ask(port, 'GET /x', [header])).status).toBe(401);
    expect((await ask(port, 'POST /health', [header])).status).toBe(405);
  });

  it('keep what a target closes closed, and lets only our own pages call what it guards', async () => {
    const upstream = await startUpstream();
    const target = { isClosed: isPasswordLogin, isForOwnPages: isSecurityApi };
    const { port } = await startWorld({ upstream: upstream.url, target });
    const status = async (line: string, ...headers: string[]) =>
      (await ask(port, line, ['Cookie: latchgate=alice', ...headers])).status;
    for (const path of ['login', 'login/', '%6cogin', 'x/../login', 'refresh']) {
      expect(await status(`POST /api/v1/security/${path}`)).toBe(403);
    }
    expect(await status('POST /bi/api/v1/security/login')).toBe(403);
    const users = 'POST /api/v1/security/users/';
    expect(await status(users, 'Origin: http://evil.example.com')).toBe(403);
    expect(await status(users, 'Origin: http://bi.example.com', 'Sec-Fetch-Site: same-site')).toBe(403);
    expect(await status(users, 'Origin: null')).toBe(403);
    expect(await status('DELETE /api/v1/security/roles/1', 'Sec-Fetch-Site: cross-site')).toBe(403);
    expect(upstream.seen).toHaveLength(0);
    expect(await status(users, 'Origin: http://bi.example.com', 'Sec-Fetch-Site: same-origin')).toBe(200);
    expect(await status(users, 'Origin: null', 'Sec-Fetch-Site: same-origin')).toBe(200);
    expect(await status(users)).toBe(200);
    expect(await status('POST /api/v1/chart/data', 'Origin: http://evil.example.com')).toBe(200);
    expect(await status('GET /api/v1/securityx/login')).toBe(200);
  });

  it('let no page of another origin change anything where the backend does not look', async () => {
    const upstream = await startUpstream();
    const routes = [
      { path: '/open', target: 'main', isPublic: true },
      { path: '/', target: 'main', isPublic: false },
    ];
    const target = { isWrittenByOwnPagesAlone: true };
    const { port } = await startWorld({ upstream: upstream.url, routes, target });
    const statusOf = async (line: string, ...headers: string[]) =>
      (await ask(port, line, ['Cookie: latchgate=alice', ...headers])).status;
    const elsewhere = [
      ['Origin: https://evil.example.net'],
      ['Origin: http://sibling.example.com', 'Sec-Fetch-Site: same-site'],
      ['Origin: http://bi.example.com', 'Sec-Fetch-Site: cross-site'],
      ['Origin: http://bi.example.com:8080'],
      ['Origin: https://bi.example.com'],
      ['Origin: http://bi.example.com.'],
      ['Origin: null'],
      ['Origin: '],
      ['Sec-Fetch-Site: cross-site'],
      ['Sec-Fetch-Site: same-site'],
      ['Sec-Fetch-Site: anything'],
    ];
    for (const headers of elsewhere) {
      for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
        expect([method, headers, await statusOf(`${method} /x`, ...headers)]).toEqual([method, headers, 403]);
      }
      for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(await statusOf(`${method} /x`, ...headers)).toBe(200);
      expect(await statusOf('POST /open', ...headers)).toBe(200);
    }
    expect(upstream.seen.some(({ method, url }) => method === 'POST' && url === '/x')).toBe(false);
    expect(await statusOf('POST /x', 'Origin: http://bi.example.com', 'Sec-Fetch-Site: same-origin')).toBe(200);
    expect(await statusOf('POST /x', 'Origin: http://bi.example.com')).toBe(200);
    expect(await statusOf('POST /x')).toBe(200);
  });

  it("take a browser home from a backend's login, or to the page that sent it there, and never further", async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, target: { loginPaths: ['/login', '/login/'] } });
    for (const [query, location] of [
      ['', '/'],
      ['?next=%2Fdash%2F1%3Fa%3Db', '/dash/1?a=b'],
      ['?next=http%3A%2F%2Fbi.example.com%2Fdash', '/dash'],
      ['?next=http%3A%2F%2Fevil.example.net%2Fdash', '/'],
      ['?next=//evil.example.net', '/'],
      ['?next=/%5Cevil.example.net', '/'],
      ['?next=/x/..//evil.example.net', '/'],
      ['?next=javascript:alert(1)', '/'],
      ['?next=/a%0d%0aSet-Cookie:x=y', '/'],
    ]) {
      const answer = await ask(port, `GET /login/${query}`);
      expect([query, answer.status, answer.header('location')]).toEqual([query, 302, location]);
    }
    expect((await ask(port, 'HEAD /%6cogin')).status).toBe(302);
    expect(upstream.seen).toEqual([]);
    expect((await ask(port, 'POST /login/')).status).toBe(200);
    expect((await ask(port, 'GET /login/x')).status).toBe(200);
  });

  it('get something new to sign in with after a 401 of the backend, though not with every one', async () => {
    let minted = 0;
    const renewed: string[] = [];
    let status = 401;
    const upstream = await startUpstream((_req, res) => res.writeHead(status).end());
    const signIn: SignIn = {
      headers: async () => {
        minted += 1;
        return { set: { authorization: `Bearer ${minted}` }, validForSeconds: 600 };
      },
      renew: ({ id }) => void renewed.push(id),
      drop: ['authorization'],
    };
    const { port, clock } = await startWorld({ upstream: upstream.url, target: { signIn } });
    const token = async () => {
      await ask(port, 'GET /');
      return valuesOf(upstream.seen.at(-1), 'authorization');
    };
    expect(await token()).toEqual(['Bearer 1']);
    expect(await token()).toEqual(['Bearer 2']);
    expect(await token()).toEqual(['Bearer 2']);
    clock.at += 9_999;
    expect(await token()).toEqual(['Bearer 2']);
    clock.at += 1;
    // It is this answer that says so.
    expect(await token()).toEqual(['Bearer 2']);
    expect(await token()).toEqual(['Bearer 3']);
    expect(renewed).toEqual(['id-alice', 'id-alice']);
    status = 403;
    clock.at += 20_000;
    expect(await token()).toEqual(['Bearer 3']);
    expect(await token()).toEqual(['Bearer 3']);
    expect(renewed).toHaveLength(2);
  });

  it('never forward TRACE, whose answer would show the browser what we added', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    expect((await ask(port, 'TRACE /')).status).toBe(405);
    expect(upstream.seen).toHaveLength(0);
  });

  it('refuse whom `when` does not fit, and record it for `why`', async () => {
    const upstream = await startUpstream();
    const { port, refused } = await startWorld({ upstream: upstream.url, routes });
    expect((await ask(port, 'GET /admin/x')).status).toBe(200);
    const answer = await ask(port, 'GET /x/%2e%2e/admin/x?secret=1', ['Cookie: latchgate=bob']);
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([403, 'route_forbidden']);
    expect(upstream.seen).toHaveLength(1);
    expect(refused).toEqual([
      expect.objectContaining({
        requestId: answer.header('x-request-id'),
        person: 'p_bob',
        target: 'main',
        path: '/admin/x',
      }),
    ]);
  });

  it('give the gateway its own paths, however they are written, and nothing else', async () => {
    const upstream = await startUpstream();
    const { port, calls } = await startWorld({
      upstream: upstream.url,
      routes: [{ path: '/', target: 'main', isPublic: true }],
    });
    for (const path of [
      '/.latchgate',
      '/.latchgate/login?rd=/',
      '/x/../.latchgate/y',
      '/%2elatchgate/z',
      'http://bi.example.com/.latchgate/a',
    ]) {
      expect((await ask(port, `GET ${path}`, [])).body).toBe('gateway');
    }
    expect(calls.gateway).toEqual([
      '/.latchgate',
      '/.latchgate/login?rd=/',
      '/.latchgate/y',
      '/.latchgate/z',
      '/.latchgate/a',
    ]);
    expect((await ask(port, 'GET /.latchgatex', [])).body).toBe('hello');
    expect(upstream.seen).toHaveLength(1);
  });

  it('say 404 where nothing is served', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({
      upstream: upstream.url,
      routes: [{ path: '/bi', target: 'main', isPublic: true }],
    });
    expect((await ask(port, 'GET /', [])).status).toBe(404);
    expect((await ask(port, 'GET /bi', [])).status).toBe(200);
  });

  it('take the logout of the backend to the logout of the gateway', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, target: { logoutPaths: ['/logout/'] } });
    expect((await ask(port, 'GET /logout/?x')).header('location')).toBe('/.latchgate/logout');
    expect(upstream.seen).toEqual([]);
  });
});

describe('a person whose account is not ready', () => {
  it.each([
    [{ status: 'none' as const }, 403, 'no_access'],
    [{ status: 'failed' as const, code: 'account_taken', retryable: false, held: [] }, 409, 'account_taken'],
    [{ status: 'failed' as const, code: 'of_some_policy', retryable: true, held: [] }, 503, 'target_pending'],
  ])('is never forwarded: %j', async (state, status, code) => {
    const upstream = await startUpstream();
    const { port, accounts, refused } = await startWorld({ upstream: upstream.url });
    accounts.set('p_alice', state);
    const answer = await ask(port, 'POST /', ['Cookie: latchgate=alice', 'Content-Length: 3'], 'abc');
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([status, code]);
    expect(upstream.seen).toEqual([]);
    expect(refused).toHaveLength(1);
  });

  it('is let in as soon as it is ready, and out again within a second of losing it', async () => {
    const upstream = await startUpstream();
    const { port, accounts, clock } = await startWorld({ upstream: upstream.url });
    const state = accounts.get('p_alice');
    accounts.delete('p_alice');
    expect((await ask(port, 'GET /')).status).toBe(403);
    if (state !== undefined) accounts.set('p_alice', state);
    expect((await ask(port, 'GET /')).status).toBe(200);
    accounts.delete('p_alice');
    clock.at += 1_000;
    expect((await ask(port, 'GET /')).status).toBe(403);
  });

  it('is out as soon when the clock is turned back, and is told of by an assertion of now', async () => {
    const upstream = await startUpstream();
    const { port, accounts, clock } = await startWorld({ upstream: upstream.url });
    await ask(port, 'GET /');
    clock.at -= 3_600_000;
    await ask(port, 'GET /');
    const [, claims = ''] = valuesOf(upstream.seen[1], 'x-latchgate-assertion').join().split('.');
    expect(JSON.parse(Buffer.from(claims, 'base64url').toString()).iat).toBe(clock.at / 1_000);
    accounts.delete('p_alice');
    clock.at -= 3_600_000;
    expect((await ask(port, 'GET /')).status).toBe(403);
  });

  it('is refused with 503 while the session store is away, and never let through', async () => {
    const upstream = await startUpstream();
    let isDown = true;
    const { port } = await startWorld({
      upstream: upstream.url,
      deps: {
        sessions: {
          read: async () => {
            if (isDown) throw new LatchgateError('session_store_unavailable', 'down');
            return { handle: 'x', session: sessionOf(bob) };
          },
          onEnded: () => () => {},
        },
      },
    });
    expect((await ask(port, 'GET /')).status).toBe(503);
    isDown = false;
    expect((await ask(port, 'GET /')).status).toBe(200);
    expect(upstream.seen).toHaveLength(1);
  });
});

describe('a person who is somebody else by now', () => {
  it('loses what is under way where they may not go any more, and nothing else', async () => {
    const upstream = await startUpstream(() => {});
    const when = ({ identity }: Session) => identity.groups.includes('bi-admins');
    const routes = [
      { path: '/admins', target: 'main', isPublic: false, when },
      { path: '/', target: 'main', isPublic: false },
    ];
    const { port, proxy, held } = await startWorld({ upstream: upstream.url, routes });
    const asked = ask(port, 'GET /admins');
    void ask(port, 'GET /');
    await until(() => upstream.seen.length === 2, 'both are under way');
    proxy.look('h-alice', sessionOf(alice));
    proxy.look('h-bob', sessionOf(bob));
    proxy.look('h-alice', sessionOf({ ...alice, groups: ['finance'] }));
    expect([(await asked).status, JSON.parse((await asked).body).error]).toEqual([403, 'route_forbidden']);
    expect(held()).toEqual(['h-alice']);
  });
});

describe('a session that ended', () => {
  it('is refused at once, also when it ended while its request waited', async () => {
    const upstream = await startUpstream();
    let letGo: () => void = () => {};
    const waiting = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { port, end } = await startWorld({
      upstream: upstream.url,
      deps: {
        account: async () => {
          end('alice');
          await waiting;
          return { status: 'ready', id: '1', userName: 'alice', changes: [], held: [] };
        },
      },
    });
    const asked = ask(port, 'GET /');
    setTimeout(letGo, 50);
    expect((await asked).status).toBe(401);
    expect((await ask(port, 'GET /')).status).toBe(401);
    expect(upstream.seen).toEqual([]);
  });

  it('never lends its headers to the next person of the same browser', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    for (const who of ['alice', 'bob', 'alice', 'bob']) {
      await ask(port, 'GET /', [`Cookie: latchgate=${who}`]);
      expect(valuesOf(upstream.seen.at(-1), 'x-forwarded-user')).toEqual([who]);
    }
  });
});
