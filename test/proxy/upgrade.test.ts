import { connect, type Socket } from 'node:net';
import { closeAll, onClose, parseAnswer, startRawUpstream, startWorld, until } from './harness.ts';

afterEach(closeAll);

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const VERSION = 'Sec-WebSocket-Version: 13';
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket', KEY, VERSION];
const ORIGIN = 'Origin: http://bi.example.com';
const COOKIE = 'Cookie: a=1; latchgate=alice';
const SWITCHED =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n';

interface Client {
  readonly socket: Socket;
  raw: string;
  closed: boolean;
}

function send(port: number, line: string, headers: readonly string[], after = ''): Client {
  const socket = connect(port, '127.0.0.1');
  const client: Client = { socket, raw: '', closed: false };
  socket.on('data', (chunk: Buffer) => {
    client.raw += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    client.closed = true;
  });
  const first = line.includes(' HTTP/') ? line : `${line} HTTP/1.1`;
  socket.write(`${first}\r\nHost: bi.example.com\r\n${headers.join('\r\n')}\r\n\r\n${after}`);
  onClose(() => socket.destroy());
  return client;
}

/** Switches, then sends back in capitals whatever it gets. */
function echo() {
  return startRawUpstream((socket, bytes) => {
    if (bytes.startsWith('GET ')) socket.write(SWITCHED);
    else socket.write(bytes.toUpperCase());
  });
}

describe('a WebSocket', () => {
  it('goes through both ways, with the identity of the person and without the cookie of the gateway', async () => {
    const upstream = await echo();
    const { port } = await startWorld({ upstream: upstream.url });
    const forged = ['X-Forwarded-User: forged', 'x_forwarded_user: forged', 'Sec-WebSocket-Protocol: chat'];
    const client = send(port, 'GET /ws?x=1', [...UPGRADE, ORIGIN, COOKIE, ...forged], 'early;');
    await until(() => client.raw.includes('EARLY;'), 'what was sent behind the handshake came back');
    expect(client.raw).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/);
    expect(client.raw).toMatch(/\r\nSec-WebSocket-Accept: x\r\n(?:.+\r\n)*\r\nEARLY;$/);
    client.socket.write('hello');
    await until(() => client.raw.endsWith('EARLY;HELLO'), 'the echo');
    const [request = ''] = upstream.requests;
    expect(request).toMatch(/^GET \/ws\?x=1 HTTP\/1\.1\r\n/);
    expect(request.match(/^x-forwarded-user: .*$/gim)).toEqual(['X-Forwarded-User: alice']);
    expect(request).toMatch(/^x-latchgate-assertion: eyJ/im);
    expect(request).toMatch(/^cookie: a=1\r$/im);
    expect(request).toMatch(/^sec-websocket-protocol: chat\r$/im);
    expect(request).toMatch(/^upgrade: websocket\r$/im);
    expect(request).not.toContain('forged');
  });

  it('ends with either side', async () => {
    const upstream = await echo();
    const { port } = await startWorld({ upstream: upstream.url });
    const first = send(port, 'GET /', [...UPGRADE, ORIGIN, COOKIE]);
    await until(() => first.raw.includes('101'), 'the tunnel');
    first.socket.destroy();
    await until(() => upstream.sockets.size === 0, 'the upstream side is closed');
    const second = send(port, 'GET /', [...UPGRADE, ORIGIN, COOKIE]);
    await until(() => second.raw.includes('101'), 'the tunnel');
    for (const socket of upstream.sockets) socket.end('last words');
    await until(() => second.closed, 'the client side is closed');
    expect(second.raw).toMatch(/last words$/);
  });

  it('is closed when the session ends, and at shutdown', async () => {
    const upstream = await echo();
    const { port, end, held, proxy } = await startWorld({ upstream: upstream.url });
    const mine = send(port, 'GET /', [...UPGRADE, ORIGIN, COOKIE]);
    const other = send(port, 'GET /', [...UPGRADE, ORIGIN, 'Cookie: latchgate=bob']);
    await until(() => mine.raw.includes('101') && other.raw.includes('101'), 'both tunnels');
    expect(held()).toEqual(['h-alice', 'h-bob']);
    end('alice');
    await until(() => mine.closed, 'the tunnel of the ended session is closed');
    expect(held()).toEqual(['h-bob']);
    other.socket.write('still');
    await until(() => other.raw.endsWith('STILL'), 'the other tunnel goes on');
    proxy.endTunnels();
    await until(() => other.closed && upstream.sockets.size === 0, 'everything is closed');
    expect(held()).toEqual([]);
  });

  it.each([
    ['no session', 'GET /', [...UPGRADE, ORIGIN], 401],
    ['a session that is none', 'GET /', [...UPGRADE, ORIGIN, 'Cookie: latchgate=mallory'], 401],
    ['no Origin', 'GET /', [...UPGRADE, COOKIE], 403],
    ['a foreign Origin', 'GET /', [...UPGRADE, COOKIE, 'Origin: http://evil.example'], 403],
    [
      'an Origin that looks like ours',
      'GET /',
      [...UPGRADE, COOKIE, 'Origin: http://bi.example.com.evil.example'],
      403,
    ],
    ['another scheme', 'GET /', [...UPGRADE, COOKIE, 'Origin: https://bi.example.com'], 403],
    ['another port', 'GET /', [...UPGRADE, COOKIE, 'Origin: http://bi.example.com:8080'], 403],
    ['Origin null', 'GET /', [...UPGRADE, COOKIE, 'Origin: null'], 403],
    ['two Origins', 'GET /', [...UPGRADE, COOKIE, ORIGIN, 'Origin: http://evil.example'], 403],
    [
      'h2c',
      'GET /',
      ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__', ORIGIN, COOKIE],
      400,
    ],
    [
      'h2c beside websocket',
      'GET /',
      ['Connection: Upgrade', 'Upgrade: h2c, websocket', KEY, VERSION, ORIGIN, COOKIE],
      400,
    ],
    [
      'two Upgrades',
      'GET /',
      ['Connection: Upgrade', 'Upgrade: websocket', 'Upgrade: h2c', KEY, VERSION, ORIGIN, COOKIE],
      400,
    ],
    ['TLS', 'OPTIONS /', ['Connection: Upgrade', 'Upgrade: TLS/1.0', ORIGIN, COOKIE], 400],
    ['another method', 'POST /', [...UPGRADE, ORIGIN, COOKIE], 400],
    ['no key', 'GET /', ['Connection: Upgrade', 'Upgrade: websocket', VERSION, ORIGIN, COOKIE], 400],
    [
      'another version',
      'GET /',
      ['Connection: Upgrade', 'Upgrade: websocket', KEY, 'Sec-WebSocket-Version: 8', ORIGIN, COOKIE],
      400,
    ],
    ['a body', 'GET /', [...UPGRADE, ORIGIN, COOKIE, 'Content-Length: 30'], 400],
    ['chunks', 'GET /', [...UPGRADE, ORIGIN, COOKIE, 'Transfer-Encoding: chunked'], 400],
    ['a path that is not clear', 'GET /a%2fb', [...UPGRADE, ORIGIN, COOKIE], 400],
    ['a path of the gateway', 'GET /.latchgate/x', [...UPGRADE, ORIGIN, COOKIE], 400],
    ['HTTP/1.0', 'GET / HTTP/1.0', [...UPGRADE, ORIGIN, COOKIE], 400],
    ['two Hosts', 'GET /', ['Host: evil.example', ...UPGRADE, ORIGIN, COOKIE], 400],
  ])('is not opened, and not a byte goes upstream: %s', async (_name, line, headers, status) => {
    const upstream = await echo();
    const { port } = await startWorld({ upstream: upstream.url });
    const client = send(
      port,
      line,
      headers,
      'GET /smuggled HTTP/1.1\r\nHost: bi.example.com\r\nCookie: latchgate=alice\r\n\r\n',
    );
    await until(() => client.closed, 'the connection is closed');
    const answer = parseAnswer(client.raw);
    expect([answer.status, answer.header('connection')]).toEqual([status, 'close']);
    expect(answer.header('x-request-id')).toMatch(/^\w{16}$/);
    expect(client.raw.match(/HTTP\/1\.1 \d{3}/g)).toHaveLength(1);
    expect(upstream.requests).toEqual([]);
  });

  it('on a public route needs a session all the same', async () => {
    const upstream = await echo();
    const { port } = await startWorld({
      upstream: upstream.url,
      routes: [{ path: '/', target: 'main', isPublic: true }],
    });
    const client = send(port, 'GET /', [...UPGRADE, ORIGIN]);
    await until(() => client.closed, 'the connection is closed');
    expect(parseAnswer(client.raw).status).toBe(401);
    expect(upstream.requests).toEqual([]);
  });

  it('that the upstream declines is plain HTTP, answered and closed: nothing after it goes up unchecked', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\nSet-Cookie: latchgate=evil\r\nX-A: b\r\n\r\nnone');
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const after = 'GET /smuggled HTTP/1.1\r\nHost: bi.example.com\r\n\r\n';
    const client = send(port, 'GET /ws', [...UPGRADE, ORIGIN, COOKIE], after);
    await until(() => client.closed, 'the connection is closed');
    const answer = parseAnswer(client.raw);
    expect([answer.status, answer.body, answer.header('x-a'), answer.header('connection')]).toEqual([
      404,
      'none',
      'b',
      'close',
    ]);
    expect(answer.headers('set-cookie')).toEqual([]);
    expect(upstream.requests.join()).not.toContain('smuggled');
    expect(upstream.requests).toHaveLength(1);
  });

  it('whose upstream is broken or away is a 502', async () => {
    const upstream = await startRawUpstream((socket) => void socket.end('nonsense\r\n\r\n'));
    const { port } = await startWorld({ upstream: upstream.url });
    const client = send(port, 'GET /ws', [...UPGRADE, ORIGIN, COOKIE]);
    await until(() => client.closed, 'the connection is closed');
    expect(parseAnswer(client.raw).status).toBe(502);
  });
});
