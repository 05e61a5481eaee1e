import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, closeAll, onClose, startRawUpstream, startUpstream, startWorld, until } from './harness.ts';

afterEach(closeAll);

const SIZE = 20_000_000;

function post(port: number, cookie: string, length: number): Socket {
  const socket = connect(port, '127.0.0.1');
  onClose(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(`POST / HTTP/1.1\r\nHost: bi.example.com\r\nCookie: ${cookie}\r\nContent-Length: ${length}\r\n\r\n`);
  return socket;
}

/** Writes as fast as the other side takes it, and reads nothing before `readAfterMs`. What has come, when it is closed. */
function sendThenRead(socket: Socket, readAfterMs: number): Promise<string> {
  socket.pause();
  const piece = Buffer.alloc(65_536);
  let left = SIZE;
  const more = (): void => {
    while (left > 0 && !socket.destroyed) {
      const next = piece.subarray(0, Math.min(left, piece.length));
      left -= next.length;
      if (!socket.write(next)) return void socket.once('drain', more);
    }
  };
  more();
  let answer = '';
  socket.on('data', (bytes: Buffer) => {
    answer += bytes.toString('latin1');
    if (/\r\n\r\n[\s\S]*(big|login_required)/.test(answer)) socket.destroy();
  });
  socket.pause();
  setTimeout(() => socket.resume(), readAfterMs);
  return new Promise((resolve) => socket.once('close', () => resolve(answer)));
}

describe('an upload', () => {
  it('takes as long as it takes, if only it goes on', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({
      upstream: upstream.url,
      target: { timeouts: { idleTimeoutMs: 1_000, answerTimeoutMs: 1_000 } },
      server: { headTimeoutMs: 500, bodyTimeoutMs: 500 },
    });
    const socket = post(port, 'latchgate=alice', 3_000);
    let answer = '';
    socket.on('data', (bytes: Buffer) => {
      answer += bytes.toString('latin1');
    });
    for (let at = 0; at < 30; at += 1) {
      socket.write('x'.repeat(100));
      await sleep(100);
    }
    await until(() => answer.endsWith('hello'), 'the answer');
    expect(upstream.seen.map(({ body }) => body.length)).toEqual([3_000]);
  });

  it.each([
    ['by the backend', 'latchgate=alice', /^HTTP\/1\.1 413 [\s\S]*big$/],
    ['by the gateway', 'latchgate=nobody', /^HTTP\/1\.1 401 [\s\S]*login_required/],
  ])('that is refused %s is told so, though it reads only when it has sent', async (_by, cookie, expected) => {
    const upstream = await startRawUpstream((socket, bytes) => {
      if (bytes.startsWith('POST')) socket.write('HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig');
    });
    const { port } = await startWorld({ upstream: upstream.url });
    expect(await sendThenRead(post(port, cookie, SIZE), 700)).toMatch(expected);
  });

  it('that is refused and never ends is not read for ever', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const socket = post(port, 'latchgate=nobody', 1_000_000_000);
    const piece = Buffer.alloc(65_536);
    const sending = setInterval(() => socket.write(piece), 5);
    onClose(() => clearInterval(sending));
    socket.resume();
    await new Promise((resolve) => socket.once('close', resolve));
  }, 30_000);
});

describe('many slow requests', () => {
  it.each([
    ['of one person', 'latchgate=alice', [{ path: '/', target: 'main', isPublic: false }]],
    [
      'of nobody',
      'none=1',
      [
        { path: '/', target: 'main', isPublic: true },
        { path: '/own', target: 'main', isPublic: false },
      ],
    ],
  ])('%s leave the others their connections', async (_whose, cookie, routes) => {
    const upstream = await startUpstream((req, res) => {
      req.resume();
      if (req.method === 'GET') res.end('hello');
    });
    const { port } = await startWorld({
      upstream: upstream.url,
      routes,
      target: { timeouts: { connections: 64, connectTimeoutMs: 2_000 } },
    });
    const slow = Array.from({ length: 70 }, () => post(port, cookie, 1_000));
    const answers = slow.map(() => '');
    for (const [at, socket] of slow.entries()) {
      socket.on('data', (bytes: Buffer) => {
        answers[at] += bytes.toString('latin1');
      });
    }
    await until(() => answers.filter((one) => one.startsWith('HTTP/1.1 429 ')).length === 54, 'those beyond the share');
    expect(answers.find((one) => one !== '')).toMatch(/Retry-After: 1[\s\S]*too_many_at_once/i);
    await until(() => upstream.seen.length === 16, 'those within the share');
    expect((await ask(port, 'GET /own', ['Cookie: latchgate=bob'])).body).toBe('hello');
    for (const socket of slow) socket.destroy();
    await until(() => slow.every((socket) => socket.closed), 'they are gone');
    await sleep(100);
    expect((await ask(port, 'GET /', [`Cookie: ${cookie}`])).status).toBe(200);
  });
});
