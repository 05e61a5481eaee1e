import { createHosts, isAuthority } from '../../src/proxy/hosts.ts';
import { ask, closeAll, exchange, parseAnswer, startUpstream, startWorld, valuesOf } from './harness.ts';

afterEach(closeAll);

const COOKIE = 'Cookie: latchgate=alice';
const HTML = 'Accept: text/html';
const MAIN = 'bi.example.com';
const REPORTS = 'reports.example.com';

describe('the hosts of a configuration', () => {
  it('are that of public_url and those of routes, each in every spelling that means it', () => {
    const hosts = createHosts('https://bi.example.com', [REPORTS, MAIN, REPORTS, 'other.example.com:8443']);
    expect(hosts.all.map(({ host }) => host)).toEqual([MAIN, REPORTS, 'other.example.com:8443']);
    expect(hosts.find('bi.example.com:443')).toBe(hosts.main);
    expect(hosts.find('BI.Example.COM')).toBe(hosts.main);
    expect(hosts.find('reports.example.com')).toMatchObject({
      origin: 'https://reports.example.com',
      port: '443',
      isMain: false,
    });
    expect(hosts.find('other.example.com:8443')).toMatchObject({ origin: 'https://other.example.com:8443' });
    expect(hosts.named(undefined)).toBe(hosts.main);
    expect(hosts.named(REPORTS)).toBe(hosts.find(REPORTS));
  });

  it('have the port of public_url unless they name one', () => {
    const hosts = createHosts('http://bi.localhost:4180', ['reports.localhost', 'old.localhost:80', '[::1]']);
    expect(hosts.all.map(({ origin }) => origin)).toEqual([
      'http://bi.localhost:4180',
      'http://reports.localhost:4180',
      'http://old.localhost',
      'http://[::1]:4180',
    ]);
    expect(hosts.find('bi.localhost')).toBeUndefined();
    expect(hosts.find('old.localhost:80')).toBe(hosts.find('old.localhost'));
  });

  it.each(['a', 'a.b:1', '[::1]:8', '127.0.0.1', 'a_b', 'a.', 'a:'])('could be %s', (text) => {
    expect(isAuthority(text)).toBe(true);
  });

  it.each(['', 'u@a', 'a/b', 'a b', 'a?b', 'a#b', 'a,b', 'a:b', 'a:1:2', '[::1', 'a%2eb', 'ü', ':80'])(
    'can never be %j',
    (text) => {
      expect(isAuthority(text)).toBe(false);
    },
  );
});

/** Two hosts with a route each; the first one has the longer path too. */
async function twoHosts() {
  const upstream = await startUpstream();
  const world = await startWorld({
    upstream: upstream.url,
    routes: [
      { path: '/', target: 'main', isPublic: false },
      { path: '/open', target: 'main', isPublic: true },
      { host: REPORTS, path: '/', target: 'main', isPublic: false },
      { host: REPORTS, path: '/status', target: 'main', isPublic: true, methods: ['GET'] },
    ],
  });
  return { upstream, ...world };
}

/** One request with this Host line, or with none. */
async function askHost(port: number, line: string, host: string | undefined, headers: readonly string[] = [COOKIE]) {
  const lines = [`${line} HTTP/1.1`, ...(host === undefined ? [] : [`Host: ${host}`]), 'Connection: close', ...headers];
  return parseAnswer(await exchange(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')));
}

describe('a request for a host of the configuration', () => {
  it.each([MAIN, 'bi.example.com:80', 'BI.EXAMPLE.COM', REPORTS, 'Reports.example.com:80'])(
    'is served as %s, and the backend is told that host',
    async (host) => {
      const { port, upstream } = await twoHosts();
      expect((await askHost(port, 'GET /x', host)).status).toBe(200);
      const plain = host.toLowerCase().replace(':80', '');
      const [seen] = upstream.seen;
      expect(valuesOf(seen, 'Host')).toEqual([plain]);
      expect(valuesOf(seen, 'X-Forwarded-Host')).toEqual([plain]);
      expect(valuesOf(seen, 'X-Forwarded-Proto')).toEqual(['http']);
      expect(valuesOf(seen, 'X-Forwarded-Port')).toEqual(['80']);
    },
  );

  it('has the routes of that host alone', async () => {
    const { port, upstream } = await twoHosts();
    expect((await askHost(port, 'GET /open', MAIN, [])).status).toBe(200);
    expect((await askHost(port, 'GET /open', REPORTS, [])).status).toBe(401);
    expect((await askHost(port, 'GET /status', REPORTS, [])).status).toBe(200);
    expect((await askHost(port, 'GET /status', MAIN, [])).status).toBe(401);
    expect(upstream.seen.length).toBe(2);
  });

  it('finds nothing on a host for which there is no such route, though another host has one', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({
      upstream: upstream.url,
      routes: [{ host: REPORTS, path: '/', target: 'main', isPublic: true }],
    });
    expect((await askHost(port, 'GET /', MAIN)).status).toBe(404);
    expect((await askHost(port, 'GET /', REPORTS)).status).toBe(200);
  });

  it('cannot choose its host by a header that others believe', async () => {
    const { port, upstream } = await twoHosts();
    const forged = [`X-Forwarded-Host: ${REPORTS}`, `Forwarded: host=${REPORTS}`, `X-Host: ${REPORTS}`];
    expect((await askHost(port, 'GET /status', MAIN, forged)).status).toBe(401);
    expect((await askHost(port, 'GET /x', MAIN, [COOKIE, ...forged])).status).toBe(200);
    expect(valuesOf(upstream.seen[0], 'X-Forwarded-Host')).toEqual([MAIN]);
  });

  it('leads to the login on the main host, and back to where it was', async () => {
    const { port } = await twoHosts();
    const answer = await askHost(port, 'GET /a%20b?x=1', REPORTS, [HTML]);
    const back = encodeURIComponent('http://reports.example.com/a%20b?x=1');
    expect([answer.status, answer.header('location')]).toEqual([
      302,
      `http://bi.example.com/.latchgate/login?rd=${back}`,
    ]);
    const script = await askHost(port, 'GET /a', REPORTS, ['X-Requested-With: x']);
    expect(JSON.parse(script.body).login_url).toBe(
      `http://bi.example.com/.latchgate/login?rd=${encodeURIComponent('http://reports.example.com/')}`,
    );
  });

  it('in absolute-form is served when the two agree, in any spelling', async () => {
    const { port } = await twoHosts();
    expect((await askHost(port, 'GET http://REPORTS.example.com:80/status', REPORTS, [])).status).toBe(200);
    expect((await askHost(port, 'GET http://bi.example.com/open', 'BI.example.com', [])).status).toBe(200);
  });

  it('opens a WebSocket for pages of that very host', async () => {
    const { port, upstream } = await twoHosts();
    upstream.server.on('upgrade', (_req, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    const handshake = ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const upgrade = async (host: string, origin: string) => {
      const lines = ['GET /ws HTTP/1.1', `Host: ${host}`, COOKIE, ...handshake, key, `Origin: http://${origin}`];
      return parseAnswer(await exchange(port, `${lines.join('\r\n')}\r\n\r\n`)).status;
    };
    expect(await upgrade(REPORTS, REPORTS)).toBe(101);
    expect(await upgrade(MAIN, MAIN)).toBe(101);
    expect(await upgrade(REPORTS, MAIN)).toBe(403);
    expect(await upgrade(MAIN, REPORTS)).toBe(403);
    expect(await upgrade('evil.example', 'evil.example')).toBe(421);
  });
});

describe('a request for any other host', () => {
  it.each([
    'evil.example',
    '127.0.0.1',
    '[::1]',
    'localhost',
    'bi.example.com.',
    'bi.example.com:8080',
    'bi.example.com:443',
    'bi.example.com:',
    'bi.example.com.evil.example',
    'xbi.example.com',
    'example.com',
    'www.bi.example.com',
    'reports.example.com.',
    'b1.example.com',
  ])('is 421 before anything else: Host %s', async (host) => {
    const { port, upstream, calls } = await twoHosts();
    for (const line of [
      'GET /',
      'GET /open',
      'POST /x',
      'OPTIONS /',
      'GET /.latchgate/login',
      'GET /.latchgate/logout',
    ]) {
      const answer = await askHost(port, line, host);
      expect([line, answer.status, JSON.parse(answer.body).error]).toEqual([line, 421, 'host_unknown']);
      expect(answer.header('connection')).toBe('close');
      expect(answer.header('set-cookie')).toBeUndefined();
    }
    expect([upstream.seen, calls.gateway]).toEqual([[], []]);
  });

  it.each([
    ['absolute-form of it', 'GET http://evil.example/', 'evil.example', 421],
    ['absolute-form with its port', 'GET http://bi.example.com:8080/', 'bi.example.com:8080', 421],
    ['absolute-form that the Host belies', 'GET http://bi.example.com/', 'evil.example', 400],
    ['a Host that absolute-form belies', 'GET http://evil.example/', MAIN, 400],
    ['two hosts of ours that differ', `GET http://${REPORTS}/`, MAIN, 400],
    ['user info in the Host', 'GET /', 'bi.example.com@evil.example', 400],
    ['user info before our name', 'GET /', 'evil@bi.example.com', 400],
    ['user info in absolute-form', 'GET http://x@bi.example.com/', MAIN, 400],
    ['a list of hosts', 'GET /', 'bi.example.com, evil.example', 400],
    ['a path in the Host', 'GET /', 'bi.example.com/evil', 400],
    ['an encoded name', 'GET /', 'bi%2eexample.com', 400],
    ['bytes beyond ASCII', 'GET /', 'b\u00ed.example.com', 400],
    ['an empty Host', 'GET /', '', 421],
    ['no Host', 'GET /', undefined, 400],
  ])('is refused: %s', async (_name, line, host, status) => {
    const { port, upstream } = await twoHosts();
    expect((await askHost(port, line, host)).status).toBe(status);
    expect(upstream.seen).toEqual([]);
  });

  it('is refused without a Host in HTTP/1.0, and with two in HTTP/1.1', async () => {
    const { port, upstream } = await twoHosts();
    expect(parseAnswer(await exchange(port, `GET /open HTTP/1.0\r\n${COOKIE}\r\n\r\n`)).status).toBe(421);
    const both = `GET /open HTTP/1.1\r\nHost: ${MAIN}\r\nHost: ${MAIN}\r\n${COOKIE}\r\n\r\n`;
    expect(parseAnswer(await exchange(port, both)).status).toBe(400);
    expect(upstream.seen).toEqual([]);
  });

  it('is served what machines ask for, which know us by internal names', async () => {
    const upstream = await startUpstream();
    const { port, calls } = await startWorld({ upstream: upstream.url, deps: { anyHostPaths: ['/scim/v2'] } });
    const served = ['/auth/nginx', '/backchannel-logout/staff', '/jwks.json'].map((path) => `/.latchgate${path}`);
    for (const path of served) expect((await askHost(port, `GET ${path}`, 'latchgate:4180')).status).toBe(200);
    expect(calls.gateway).toEqual(served);
    expect((await askHost(port, 'GET /.latchgate/auth', 'latchgate:4180')).status).toBe(202);
    const others = ['/.latchgate/authx', '/.latchgate/userinfo', '/.latchgate/backchannel-logoutx', '/scim/v20', '/x'];
    for (const path of others) expect((await askHost(port, `GET ${path}`, 'latchgate:4180')).status).toBe(421);
    const dotted = await askHost(port, 'GET /.latchgate/auth/../userinfo', 'latchgate:4180');
    expect(dotted.status).toBe(421);
  });

  it('is told to the log, so that a probe that asks by address can be found', async () => {
    const { port, logged } = await twoHosts();
    await askHost(port, 'GET /', '10.0.0.7:4180');
    expect(logged).toContainEqual(
      expect.objectContaining({
        message: 'request refused',
        fields: expect.objectContaining({ error: expect.objectContaining({ detail: { host: '10.0.0.7:4180' } }) }),
      }),
    );
  });
});

it('a deployment of one host serves that one', async () => {
  const upstream = await startUpstream();
  const { port } = await startWorld({ upstream: upstream.url });
  expect((await ask(port, 'GET /')).status).toBe(200);
  expect((await askHost(port, 'GET /', REPORTS)).status).toBe(421);
});
