import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, closeAll, onClose, startRawUpstream, startUpstream, startWorld, until } from './harness.ts';
import { HOST, head } from './raw-harness.ts';

afterEach(closeAll);

const HEAD_TIMEOUT_MS = 500;
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const HANDSHAKE = [
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Origin: http://bi.example.com'],
];
const SWITCHED = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';

/** Both ends are in this process. */
const openSockets = () => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length;

interface Peer {
  readonly socket: Socket;
  raw: string;
  isClosed: boolean;
}

function peer(port: number, bytes = ''): Peer {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const one: Peer = { socket, raw: '', isClosed: false };
  socket.on('data', (chunk: Buffer) => {
    one.raw += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('end', () => socket.end());
  socket.on('close', () => {
    one.isClosed = true;
  });
  onClose(() => socket.destroy());
  if (bytes !== '') socket.write(bytes, 'latin1');
  return one;
}

const crowd = (port: number, count: number, bytes = '') => Array.from({ length: count }, () => peer(port, bytes));
const allClosed = (peers: readonly Peer[]) => peers.every(({ isClosed }) => isClosed);

describe('others are served, and nothing is left,', () => {
  it('beside 2,000 connections that say nothing, which end', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url, server: { headTimeoutMs: HEAD_TIMEOUT_MS } });
    expect((await ask(port, 'GET /')).status).toBe(200);
    const before = openSockets();
    const peers: Peer[] = [];
    // Not more at once than wait to be accepted: the system would put the others off for seconds.
    while (peers.length < 2_000) {
      peers.push(...crowd(port, 200));
      await until(() => peers.every(({ socket }) => !socket.connecting), 'all are connected');
      expect((await ask(port, 'GET /')).status).toBe(200);
    }
    await until(() => allClosed(peers), 'all are ended');
    await until(() => openSockets() <= before, 'no socket is left');
    expect((await ask(port, 'GET /')).status).toBe(200);
  }, 30_000);

  it('beside 400 that were used and are kept open', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const before = openSockets();
    const peers: Peer[] = [];
    while (peers.length < 400) {
      peers.push(...crowd(port, 100, head('GET / HTTP/1.1')));
      await until(() => peers.every(({ raw }) => raw.endsWith('hello')), 'all are answered');
    }
    expect((await ask(port, 'GET /')).status).toBe(200);
    expect(peers.some(({ isClosed }) => isClosed)).toBe(false);
    for (const { socket } of peers) socket.end();
    await until(() => allClosed(peers), 'all are ended');
    await until(() => openSockets() <= before, 'no socket is left, those to the upstream neither');
  }, 30_000);

  it.each([
    ['heads', (at: number) => head('GET / HTTP/1.1').slice(0, at), HEAD_TIMEOUT_MS, 60_000],
    [
      'heads that never end',
      (at: number) => `GET / HTTP/1.1\r\n${HOST}\r\n${'X: y\r\n'.repeat(at)}`,
      HEAD_TIMEOUT_MS,
      60_000,
    ],
    [
      'bodies that stop',
      (at: number) => head('POST / HTTP/1.1', 'Content-Length: 9999') + 'a'.repeat(Math.min(at, 5)),
      HEAD_TIMEOUT_MS,
      800,
    ],
    [
      'chunks that stop',
      (at: number) => head('POST / HTTP/1.1', 'Transfer-Encoding: chunked') + '1\r\na\r\n'.repeat(Math.min(at, 5)),
      HEAD_TIMEOUT_MS,
      800,
    ],
    [
      'bodies to pages of the gateway',
      (at: number) => head('POST /.latchgate/page HTTP/1.1', 'Content-Length: 9999') + 'a'.repeat(at),
      HEAD_TIMEOUT_MS,
      800,
    ],
  ])(
    'beside slow %s, which are told 408',
    async (_what, bytesUpTo, headTimeoutMs, bodyTimeoutMs) => {
      let gone = 0;
      const upstream = await startUpstream((req, res) => {
        if (req.method === 'GET') return void res.end('hello');
        req.resume();
        req.on('close', () => {
          gone += 1;
        });
      });
      const { port } = await startWorld({
        upstream: upstream.url,
        target: { timeouts: { idleTimeoutMs: bodyTimeoutMs } },
        server: { headTimeoutMs, bodyTimeoutMs, gateway: () => {} },
      });
      const before = openSockets();
      const peers = crowd(port, 100, bytesUpTo(1));
      for (let at = 2; at < 60 && !allClosed(peers); at += 1) {
        for (const { socket } of peers)
          if (socket.writable) socket.write(bytesUpTo(at).slice(bytesUpTo(at - 1).length));
        if (at % 10 === 0) expect((await ask(port, 'GET /')).body).toBe('hello');
        await sleep(40);
      }
      await until(() => allClosed(peers), 'all are ended');
      expect(peers.filter(({ raw }) => !/^HTTP\/1\.1 408 /.test(raw)).map(({ raw }) => raw)).toEqual([]);
      const begun = upstream.seen.filter(({ method }) => method === 'POST').length;
      await until(() => gone === begun, 'the upstream was told');
      await until(() => openSockets() <= before + 1, 'no socket is left but the one that is kept for the upstream');
    },
    30_000,
  );

  const halves = [
    ['before anything', ''],
    ['in a head', head('GET / HTTP/1.1').slice(0, 30)],
    ['in a body', `${head('POST / HTTP/1.1', 'Content-Length: 9')}abc`],
    ['in a chunk', `${head('POST / HTTP/1.1', 'Transfer-Encoding: chunked')}9\r\nabc`],
    ['between two chunks', `${head('POST / HTTP/1.1', 'Transfer-Encoding: chunked')}3\r\nabc\r\n`],
    ['behind a request that waits', head('GET / HTTP/1.1')],
    ['behind ten requests that wait', head('GET / HTTP/1.1').repeat(10)],
  ] as const;

  it.each(halves)(
    'after peers that closed their half, or both, or reset: %s',
    async (_what, bytes) => {
      const waiting: ServerResponse[] = [];
      const upstream = await startUpstream((req, res) => {
        if (req.url === '/else') return void res.end('hello');
        waiting.push(res);
      });
      const { port } = await startWorld({ upstream: upstream.url });
      expect((await ask(port, 'GET /else')).status).toBe(200);
      const before = openSockets();
      for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
        const peers = crowd(port, 20, bytes);
        await until(() => peers.every(({ socket }) => !socket.connecting), 'all are connected');
        await sleep(50);
        for (const { socket } of peers) socket[leave]();
        expect((await ask(port, 'GET /else')).body).toBe('hello');
        await until(() => allClosed(peers), `all are ended after ${leave}`);
      }
      await until(() => waiting.every((res) => res.destroyed || res.writableEnded), 'the upstream was told');
      await until(() => openSockets() <= before + 1, 'no socket is left');
    },
    30_000,
  );

  it('after tunnels of which either side closed its half', async () => {
    const upstream = await startRawUpstream((socket, bytes) => {
      if (bytes.startsWith('GET /ws')) socket.write(SWITCHED);
      else socket.write(bytes.startsWith('GET ') ? OK : bytes.toUpperCase());
    });
    const { port } = await startWorld({ upstream: upstream.url });
    expect((await ask(port, 'GET /')).status).toBe(200);
    const before = openSockets();
    const peers = crowd(port, 50, head('GET /ws HTTP/1.1', ...HANDSHAKE));
    await until(() => peers.every(({ raw }) => raw.includes('101')), 'the tunnels');
    for (const { socket } of peers.slice(0, 25)) socket.end('bye');
    await until(
      () => peers.slice(0, 25).every(({ isClosed, raw }) => isClosed && raw.endsWith('BYE')),
      'the last words',
    );
    for (const socket of upstream.sockets) socket.end();
    await until(() => allClosed(peers), 'all are ended');
    expect((await ask(port, 'GET /')).status).toBe(200);
    await until(() => openSockets() <= before + 1, 'no socket is left');
  }, 30_000);

  it('after upstreams that closed their half in every place', async () => {
    const answers = [
      '',
      'HTTP/1.1 200 OK\r\nConte',
      'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc',
      'HTTP/1.1 200 OK\r\n\r\nto the end',
      OK,
    ];
    let at = 0;
    const upstream = await startRawUpstream((socket) => void socket.end(answers[at++ % answers.length] ?? ''));
    const { port } = await startWorld({ upstream: upstream.url });
    const before = openSockets();
    const statuses: number[] = [];
    for (let round = 0; round < 3 * answers.length; round += 1) statuses.push((await ask(port, 'GET /')).status);
    expect(statuses.slice(0, 6).map((status) => [502, 200].includes(status))).toEqual(Array(6).fill(true));
    expect(statuses.filter((status) => status === 502)).toHaveLength(2 * 3);
    await until(() => openSockets() <= before && upstream.sockets.size === 0, 'no socket is left');
  });
});
