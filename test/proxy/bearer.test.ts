import { LatchgateError } from '../../src/model/errors.ts';
import type { ProxyBearer, ProxySession } from '../../src/proxy/deps.ts';
import type { Route } from '../../src/proxy/routes.ts';
import type { Session } from '../../src/session/store.ts';
import type { SignIn } from '../../src/targets/target.ts';
import {
  alice,
  ask,
  bob,
  closeAll,
  exchange,
  type HttpUpstream,
  parseAnswer,
  sessionOf,
  startRawUpstream,
  startUpstream,
  startWorld,
  until,
  valuesOf,
  type World,
  type WorldOptions,
} from './harness.ts';

afterEach(closeAll);

const TOKEN = 'Authorization: Bearer ours.bob';
const FRONT_SECRET = 'what only the web server in front knows';
const ALICE = 'Cookie: latchgate=alice';
const ROUTES: readonly Route<Session>[] = [
  { path: '/open', target: 'main', isPublic: true },
  { path: '/alices', target: 'main', isPublic: false, when: ({ identity }) => identity.person === 'p_alice' },
  { path: '/', target: 'main', isPublic: false },
];

interface Clients {
  readonly world: World;
  readonly upstream: HttpUpstream;
  /** How often a session was asked for, and with what. */
  readonly asked: { readonly token: string; readonly target: string | undefined }[];
  known: boolean;
}

/** Tokens are `ours.NAME`; `ours.bad` and `ours.narrow` are refused. */
async function clients({
  trusted = [],
  ...options
}: Partial<WorldOptions> & { readonly trusted?: readonly string[] } = {}): Promise<Clients> {
  const upstream = await startUpstream();
  const asked: { token: string; target: string | undefined }[] = [];
  const textOf = (token: ProxyBearer) => token.handle.slice('h-'.length);
  const sessionFor = (name: string): ProxySession => ({
    handle: `h-ours.${name}`,
    session: sessionOf(name === 'alice' ? alice : bob),
  });
  const state = { known: false };
  const world = await startWorld({
    upstream: upstream.url,
    routes: ROUTES,
    ...options,
    deps: {
      bearers: {
        tokenIn: (line) => {
          const text = /^bearer (ours\.\w+)$/i.exec(line)?.[1];
          return text === undefined ? undefined : { handle: `h-${text}` };
        },
        peek: (token) => (state.known ? sessionFor(textOf(token).slice(5)) : undefined),
        session: async (token, { target }) => {
          const text = textOf(token);
          asked.push({ token: text, target });
          if (text === 'ours.bad') throw new LatchgateError('invalid_token', 'no');
          if (text === 'ours.narrow') {
            throw new LatchgateError('insufficient_scope', 'no', { detail: { scope: 'bi.read bi.write' } });
          }
          if (text === 'ours.down') throw new LatchgateError('provider_unavailable', 'no');
          return sessionFor(text.slice(5));
        },
      },
      trustedProxies: trusted,
      forwardAuthSecrets: [FRONT_SECRET],
    },
  });
  return Object.assign(state, { world, upstream, asked });
}

describe('an API client', () => {
  it('gets through with its token alone, which the upstream never sees', async () => {
    const { world, upstream, asked } = await clients();
    const answer = await ask(world.port, 'GET /api?x=1', [TOKEN]);
    expect([answer.status, answer.headers('set-cookie')]).toEqual([200, []]);
    expect(valuesOf(upstream.seen[0], 'x-forwarded-user')).toEqual(['bob']);
    expect(valuesOf(upstream.seen[0], 'x-latchgate-assertion')).toHaveLength(1);
    expect(valuesOf(upstream.seen[0], 'authorization')).toEqual([]);
    expect(JSON.stringify(upstream.seen)).not.toContain('ours.bob');
    expect(asked).toEqual([{ token: 'ours.bob', target: 'main' }]);
  });

  it('is asked about no further while it is known', async () => {
    const all = await clients();
    all.known = true;
    expect((await ask(all.world.port, 'GET /', [TOKEN])).status).toBe(200);
    expect(all.asked).toEqual([]);
  });

  it('is who the token says, whatever cookie comes along', async () => {
    const { world, upstream } = await clients();
    expect((await ask(world.port, 'GET /', [TOKEN, ALICE])).status).toBe(200);
    expect(valuesOf(upstream.seen[0], 'x-forwarded-user')).toEqual(['bob']);
    expect((await ask(world.port, 'GET /alices', [TOKEN, ALICE])).status).toBe(403);
    expect((await ask(world.port, 'GET /alices', ['Authorization: Bearer ours.bad', ALICE])).status).toBe(401);
    expect(upstream.seen).toHaveLength(1);
  });

  it('is refused as every person is, and remembered for `why`', async () => {
    const { world } = await clients();
    const answer = await ask(world.port, 'GET /alices/x', [TOKEN]);
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([403, 'route_forbidden']);
    expect(world.refused).toMatchObject([{ person: 'p_bob', path: '/alices/x' }]);
  });

  it('signs in at a target by what is ours', async () => {
    const signIn: SignIn = {
      headers: async () => ({ set: { authorization: 'Bearer for GoodData' }, validForSeconds: 300 }),
      drop: ['authorization'],
    };
    const { world, upstream } = await clients({ target: { signIn } });
    expect((await ask(world.port, 'GET /', [TOKEN])).status).toBe(200);
    expect(valuesOf(upstream.seen[0], 'authorization')).toEqual(['Bearer for GoodData']);
  });

  it('needs no Origin of ours: no browser sends its token by itself', async () => {
    const { world } = await clients({ target: { isWrittenByOwnPagesAlone: true, isForOwnPages: () => true } });
    const elsewhere = ['Origin: https://elsewhere.example', 'Sec-Fetch-Site: cross-site', 'Content-Length: 0'];
    expect((await ask(world.port, 'POST /x', [TOKEN, ...elsewhere])).status).toBe(200);
    expect((await ask(world.port, 'POST /x', [ALICE, ...elsewhere])).status).toBe(403);
    expect((await ask(world.port, 'POST /x', ['Authorization: Bearer theirs', ALICE, ...elsewhere])).status).toBe(403);
  });

  it('does not get into what is closed', async () => {
    const { world } = await clients({ target: { isClosed: (path) => path === '/closed' } });
    expect((await ask(world.port, 'GET /closed', [TOKEN])).status).toBe(403);
  });

  it('keeps its token to itself on public routes, where nobody asks who it is', async () => {
    const { world, upstream, asked } = await clients();
    expect((await ask(world.port, 'GET /open', [TOKEN])).status).toBe(200);
    expect((await ask(world.port, 'GET /open', ['Authorization: Bearer ours.bad'])).status).toBe(200);
    for (const seen of upstream.seen) expect(valuesOf(seen, 'authorization')).toEqual([]);
    expect(asked).toEqual([]);
  });

  it('is cut off when its session ends', async () => {
    const seen: string[] = [];
    const slow = await startRawUpstream((socket) => {
      seen.push('asked');
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n');
    });
    const { world } = await clients({ upstream: slow.url });
    const answer = exchange(world.port, `GET /stream HTTP/1.1\r\nHost: bi.example.com\r\n${TOKEN}\r\n\r\n`);
    await until(() => seen.length > 0, 'the stream');
    world.end('ours.bob');
    expect(await answer).not.toContain('0\r\n\r\n');
    await until(() => slow.sockets.size === 0, 'the end of the stream');
  });
});

describe('a token that does not hold', () => {
  it('is told by RFC 6750', async () => {
    const { world, upstream } = await clients();
    const bad = await ask(world.port, 'GET /', ['Authorization: Bearer ours.bad']);
    expect([bad.status, bad.header('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
    expect(JSON.parse(bad.body)).toMatchObject({ error: 'invalid_token', request_id: bad.header('x-request-id') });
    const narrow = await ask(world.port, 'GET /', ['Authorization: Bearer ours.narrow']);
    expect([narrow.status, narrow.header('www-authenticate')]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="bi.read bi.write"',
    ]);
    const down = await ask(world.port, 'GET /', ['Authorization: Bearer ours.down']);
    expect([down.status, down.header('www-authenticate')]).toEqual([503, undefined]);
    const none = await ask(world.port, 'GET /', []);
    expect([none.status, none.header('www-authenticate')]).toEqual([401, 'Bearer']);
    expect(upstream.seen).toEqual([]);
  });

  it('never becomes a redirect to the login', async () => {
    const { world } = await clients();
    const page = ['Accept: text/html', 'Sec-Fetch-Mode: navigate'];
    expect((await ask(world.port, 'GET /', ['Authorization: Bearer ours.bad', ...page])).status).toBe(401);
    expect((await ask(world.port, 'GET /', page)).status).toBe(302);
  });

  it('brought over and over is answered with 429; those that hold are not held up', async () => {
    const all = await clients();
    const { world } = all;
    const bad = 'GET / HTTP/1.1\r\nHost: bi.example.com\r\nAuthorization: Bearer ours.bad\r\n';
    const answers = await exchange(world.port, `${`${bad}\r\n`.repeat(299)}${bad}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 401/g)).toHaveLength(300);
    const more = await ask(world.port, 'GET /', ['Authorization: Bearer ours.worse']);
    expect([more.status, more.header('retry-after')]).toEqual([429, '1']);
    expect(all.asked).toHaveLength(300);
    all.known = true;
    expect((await ask(world.port, 'GET /', [TOKEN])).status).toBe(200);
    expect((await ask(world.port, 'GET /', [ALICE])).status).toBe(200);
  });
});

describe('who brings bad tokens over and over', () => {
  const BAD = ['GET / HTTP/1.1', 'Host: bi.example.com', 'Authorization: Bearer ours.bad'];

  async function failing(port: number, times: number, headers: readonly string[] = []): Promise<void> {
    const one = `${[...BAD, ...headers].join('\r\n')}\r\n`;
    const answers = await exchange(port, `${`${one}\r\n`.repeat(times - 1)}${one}Connection: close\r\n\r\n`);
    expect(answers.match(/HTTP\/1\.1 401/g)).toHaveLength(times);
  }

  const from = async (port: number, list?: string) => {
    const said = list === undefined ? [] : [`X-Forwarded-For: ${list}`];
    return (await ask(port, 'GET /', ['Authorization: Bearer ours.bad', ...said])).status;
  };

  it('may again when time has passed', async () => {
    const { world } = await clients();
    await failing(world.port, 300);
    expect(await from(world.port)).toBe(429);
    world.clock.at += 1_000;
    expect(await from(world.port)).toBe(401);
  });

  it('keeps neither a callback nor a logout of the provider from being looked at', async () => {
    const { world } = await clients();
    await failing(world.port, 300);
    for (const line of ['GET /.latchgate/callback/staff?state=x', 'POST /.latchgate/backchannel-logout/staff']) {
      expect((await ask(world.port, line, ['Content-Length: 0'])).body).toBe('gateway');
    }
  });

  it('is not told by X-Forwarded-For who it is, unless a trusted peer says so', async () => {
    const { port } = (await clients()).world;
    await failing(port, 300, ['X-Forwarded-For: 192.0.2.1']);
    expect(await from(port, '192.0.2.2')).toBe(429);

    const behind = (await clients({ trusted: ['127.0.0.1', '10.0.0.0/8'] })).world;
    await failing(behind.port, 300, ['X-Forwarded-For: 198.51.100.7, 192.0.2.1, 10.0.0.1']);
    expect(await from(behind.port, '192.0.2.1')).toBe(429);
    expect(await from(behind.port, 'spoofed, 192.0.2.1:4711')).toBe(429);
    expect(await from(behind.port, '198.51.100.8, 192.0.2.1, 10.9.9.9')).toBe(429);
    expect(await from(behind.port, '192.0.2.2')).toBe(401);
    expect(await from(behind.port, '192.0.2.1, 192.0.2.2')).toBe(401);
    expect(await from(behind.port)).toBe(401);
  });

  it('is not who comes with good ones, or while the provider does not answer', async () => {
    const { port } = (await clients()).world;
    for (const [name, status] of [
      ['bob', 200],
      ['down', 503],
    ] as const) {
      const one = `GET / HTTP/1.1\r\nHost: bi.example.com\r\nAuthorization: Bearer ours.${name}\r\n`;
      const answers = await exchange(port, `${`${one}\r\n`.repeat(299)}${one}Connection: close\r\n\r\n`);
      expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(new Array(300).fill(`HTTP/1.1 ${status}`));
    }
    expect(await from(port)).toBe(401);
  });
});

describe('another Authorization', () => {
  it.each(['Basic YTpi', 'Bearer theirs', 'Bearer', 'Bearer ours.bob extra', 'Negotiate abc', 'ours.bob'])(
    'is the business of the upstream: %s',
    async (value) => {
      const { world, upstream, asked } = await clients();
      expect((await ask(world.port, 'GET /', [ALICE, `Authorization: ${value}`])).status).toBe(200);
      expect(valuesOf(upstream.seen[0], 'authorization')).toEqual([value]);
      expect(valuesOf(upstream.seen[0], 'x-forwarded-user')).toEqual(['alice']);
      expect((await ask(world.port, 'GET /', [`Authorization: ${value}`])).status).toBe(401);
      expect(asked).toEqual([]);
    },
  );

  it.each([
    [TOKEN, TOKEN],
    [TOKEN, 'Authorization: Basic YTpi'],
    ['Authorization: Basic YTpi', TOKEN],
    ['authorization: bearer ours.alice', TOKEN],
    ['Authorization: ', TOKEN],
  ])('beside a token of ours is refused: %s, %s', async (one, other) => {
    const { world, upstream } = await clients();
    for (const path of ['/', '/open']) {
      const answer = await ask(world.port, `GET ${path}`, [one, other, ALICE]);
      expect([answer.status, JSON.parse(answer.body).error]).toEqual([400, 'request_invalid']);
    }
    expect(upstream.seen).toEqual([]);
  });

  it('of two lines that are not ours goes on as it came', async () => {
    const { world, upstream } = await clients();
    expect((await ask(world.port, 'GET /', [ALICE, 'Authorization: a', 'Authorization: b'])).status).toBe(200);
    expect(valuesOf(upstream.seen[0], 'authorization')).toEqual(['a', 'b']);
  });

  it.each([
    'Authorization_: Bearer ours.bob',
    'X-Authorization: Bearer ours.bob',
    'Proxy-Authorization: Bearer ours.bob',
  ])('by another name is none: %s', async (header) => {
    const { world, asked } = await clients();
    expect((await ask(world.port, 'GET /', [header])).status).toBe(401);
    expect(asked).toEqual([]);
  });

  it('in the query or the body is none (RFC 6750 §2.2, §2.3)', async () => {
    const { world, asked } = await clients();
    expect((await ask(world.port, 'GET /?access_token=ours.bob', [])).status).toBe(401);
    const form = ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 21'];
    expect((await ask(world.port, 'POST /', form, 'access_token=ours.bob')).status).toBe(401);
    expect(asked).toEqual([]);
  });

  it('is nothing to us where no tokens are taken', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /', [TOKEN]);
    expect([answer.status, answer.header('www-authenticate')]).toEqual([401, undefined]);
    expect((await ask(port, 'GET /', [TOKEN, TOKEN, ALICE])).status).toBe(200);
  });
});

describe('WebSockets of API clients', () => {
  const handshake = [
    'GET /ws HTTP/1.1',
    'Host: bi.example.com',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`,
  ];

  async function open(headers: readonly string[]) {
    const upstream = await startRawUpstream((socket) =>
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
    );
    const { world } = await clients({ upstream: upstream.url });
    const answer = parseAnswer(await exchange(world.port, `${[...handshake, ...headers].join('\r\n')}\r\n\r\n`));
    return { status: answer.status, request: upstream.requests[0] };
  }

  it('need no Origin; one that is there has to be ours', async () => {
    const opened = await open([TOKEN]);
    expect(opened.status).toBe(101);
    expect(opened.request).toMatch(/^x-forwarded-user: bob\r$/im);
    expect(opened.request).not.toMatch(/authorization/i);
    expect((await open([TOKEN, 'Origin: http://bi.example.com'])).status).toBe(101);
    for (const origin of ['Origin: https://evil.example.com', 'Origin: null', 'Origin: ']) {
      expect((await open([TOKEN, origin])).status).toBe(403);
    }
    expect((await open([ALICE])).status).toBe(403);
    expect((await open(['Authorization: Bearer theirs', ALICE])).status).toBe(403);
    expect((await open(['Authorization: Bearer ours.bad'])).status).toBe(401);
  });
});

describe('forward-auth', () => {
  const original = (path: string, method = 'GET') => [`X-Original-URI: ${path}`, `X-Original-Method: ${method}`];
  const check = (port: number, headers: readonly string[]) =>
    ask(port, 'GET /.latchgate/auth', [...headers, `X-Latchgate-Secret: ${FRONT_SECRET}`]);

  const clientsBehind = () => clients({ trusted: ['127.0.0.1'] });

  it('takes tokens as well', async () => {
    const { world, asked } = await clientsBehind();
    const answer = await check(world.port, [TOKEN, ...original('/api')]);
    expect([answer.status, answer.headers('x-forwarded-user')]).toEqual([202, ['bob']]);
    // The web server is told to keep the token back.
    expect(answer.headers('authorization')).toEqual(['']);
    expect(asked).toEqual([{ token: 'ours.bob', target: 'main' }]);
    const open = await check(world.port, [TOKEN, ...original('/open')]);
    expect([open.status, open.headers('authorization'), open.headers('x-forwarded-user')]).toEqual([202, [''], ['']]);
    expect((await check(world.port, [TOKEN, ...original('/alices')])).status).toBe(403);
  });

  it('refuses as the proxy does', async () => {
    const { world } = await clientsBehind();
    const bad = await check(world.port, ['Authorization: Bearer ours.bad', ALICE, ...original('/api')]);
    expect([bad.status, bad.header('www-authenticate')]).toEqual([401, 'Bearer error="invalid_token"']);
    expect(bad.header('x-latchgate-code')).toBe('invalid_token');
    expect((await check(world.port, ['Authorization: Bearer ours.narrow', ...original('/api')])).status).toBe(403);
    expect((await check(world.port, [TOKEN, TOKEN, ...original('/api')])).status).toBe(403);
    expect((await check(world.port, original('/api'))).header('www-authenticate')).toBe('Bearer');
  });

  it('lets an API client open a WebSocket without an Origin', async () => {
    const { world } = await clientsBehind();
    const socket = ['Sec-WebSocket-Version: 13', ...original('/ws')];
    expect((await check(world.port, [TOKEN, ...socket])).status).toBe(202);
    expect((await check(world.port, [TOKEN, 'Origin: https://evil.example.com', ...socket])).status).toBe(403);
    expect((await check(world.port, [ALICE, ...socket])).status).toBe(403);
  });

  it('decides by the token alone for who is not trusted', async () => {
    const { world, asked } = await clients();
    expect((await check(world.port, [TOKEN, ...original('/alices')])).status).toBe(202);
    expect((await check(world.port, ['Authorization: Bearer ours.bad', ALICE])).status).toBe(401);
    expect(asked).toEqual([
      { token: 'ours.bob', target: undefined },
      { token: 'ours.bad', target: undefined },
    ]);
  });
});
