import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { alice, ask, closeAll, onClose, sessionOf, startUpstream, startWorld, until } from './harness.ts';

afterEach(closeAll);

const HEAD = 'Host: bi.example.com\r\nCookie: latchgate=alice\r\n';
const PIECE = Buffer.alloc(64 * 1024, 'x');
const PIECES = 1_600;
/** More than all buffers on the way together, and far less than what is sent. */
const HELD_AT_MOST = 40 * 1024 * 1024;

function open(port: number): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  onClose(() => socket.destroy());
  return socket;
}

/** Writes 100 MB and waits wherever it has to. */
async function pour(stream: Socket | ServerResponse, sent: { bytes: number }): Promise<void> {
  for (let at = 0; at < PIECES; at += 1) {
    sent.bytes += PIECE.length;
    if (!stream.write(PIECE)) await new Promise((resolve) => stream.once('drain', resolve));
  }
}

async function standsStill(sent: { bytes: number }): Promise<number> {
  for (;;) {
    const before = sent.bytes;
    await new Promise((resolve) => setTimeout(resolve, 200));
    if (sent.bytes === before && before > 0) return before;
  }
}

describe('streams', () => {
  it('of 100 MB go down no faster than the client reads', async () => {
    const sent = { bytes: 0 };
    const upstream = await startUpstream((_req, res) => {
      void pour(res, sent).then(() => res.end());
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const response = await new Promise<IncomingMessage>((resolve) => {
      httpRequest({ port, headers: { host: 'bi.example.com', cookie: 'latchgate=alice' } }, resolve).end();
    });
    expect(await standsStill(sent)).toBeLessThan(HELD_AT_MOST);
    let received = 0;
    for await (const chunk of response) received += (chunk as Buffer).length;
    expect(received).toBe(PIECES * PIECE.length);
  }, 60_000);

  it('of 100 MB go up no faster than the upstream reads', async () => {
    let received = 0;
    let letGo: () => void = () => {};
    const upstream = await startUpstream((req, res) => {
      letGo = () => {
        req.on('data', (chunk: Buffer) => {
          received += chunk.length;
        });
        req.on('end', () => res.end('all here'));
      };
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const socket = open(port);
    const sent = { bytes: 0 };
    socket.write(`POST / HTTP/1.1\r\n${HEAD}Connection: close\r\nContent-Length: ${PIECES * PIECE.length}\r\n\r\n`);
    const poured = pour(socket, sent);
    expect(await standsStill(sent)).toBeLessThan(HELD_AT_MOST);
    let answer = '';
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString();
    });
    letGo();
    await poured;
    await until(() => answer.includes('all here'), 'the answer');
    expect(received).toBe(PIECES * PIECE.length);
  }, 60_000);

  it('arrive as they were, whatever their pieces', async () => {
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7_919) % 256));
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    for (const size of [1, 1_000, 16_384, 16_385, 100_000, 300_000]) {
      const upstream = await startUpstream((req, res) => {
        if (req.url === '/length') res.setHeader('Content-Length', size);
        req.pipe(res);
      });
      const { port } = await startWorld({ upstream: upstream.url });
      for (const path of ['/length', '/chunked']) {
        const received = await new Promise<Buffer>((resolve) => {
          const headers = { host: 'bi.example.com', cookie: 'latchgate=alice' };
          const request = httpRequest({ port, path, method: 'POST', headers }, (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () => resolve(Buffer.concat(chunks)));
          });
          for (let at = 0; at < size; at += 9_999) request.write(body.subarray(at, Math.min(size, at + 9_999)));
          request.end();
        });
        expect([path, size, digest(received)]).toEqual([path, size, digest(body.subarray(0, size))]);
      }
      await closeAll();
    }
  });

  it('of events arrive one by one, the head before the first', async () => {
    let events: ServerResponse | undefined;
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      res.flushHeaders();
      events = res;
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const socket = open(port);
    let raw = '';
    socket.on('data', (chunk: Buffer) => {
      raw += chunk.toString();
    });
    socket.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    await until(() => raw.includes('text/event-stream\r\n') && raw.includes('\r\n\r\n'), 'the head');
    for (const event of ['one', 'two', 'three']) {
      events?.write(`data: ${event}\n\n`);
      await until(() => raw.includes(`data: ${event}\n\n`), `event ${event}`);
    }
  });

  it('are given up at the upstream when the client goes, before and in the middle of the answer', async () => {
    const closed: string[] = [];
    const begun: string[] = [];
    const upstream = await startUpstream((req, res) => {
      begun.push(req.url ?? '');
      res.on('close', () => closed.push(req.url ?? ''));
      if (req.url === '/middle') res.write('begun');
    });
    const { port, logged } = await startWorld({ upstream: upstream.url });
    for (const path of ['/before', '/middle']) {
      const socket = open(port);
      socket.write(`GET ${path} HTTP/1.1\r\n${HEAD}\r\n`);
      await until(() => begun.includes(path), 'the request arrived');
      socket.destroy();
      await until(() => closed.includes(path), 'the upstream was told');
    }
    const upload = open(port);
    upload.write(`POST /upload HTTP/1.1\r\n${HEAD}Content-Length: 1000\r\n\r\nabc`);
    await until(() => begun.includes('/upload'), 'the request arrived');
    upload.destroy();
    await until(() => closed.includes('/upload'), 'the upstream was told');
    expect(logged.filter(({ level }) => level === 'error')).toEqual([]);
    expect((await ask(port, 'GET /middle2', ['Cookie: none=1'])).status).toBe(401);
  });

  it('that are open when the session ends are cut off, those of others go on', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.write('begun');
    });
    const { port, end, sessions } = await startWorld({ upstream: upstream.url });
    sessions.set('carol', sessionOf(alice));
    const [mine, other] = [open(port), open(port)];
    const states = [mine, other].map((socket) => {
      const state = { raw: '', closed: false };
      socket.on('data', (chunk: Buffer) => {
        state.raw += chunk.toString();
      });
      socket.on('close', () => {
        state.closed = true;
      });
      return state;
    });
    mine.write(`GET / HTTP/1.1\r\n${HEAD}\r\n`);
    other.write(`GET / HTTP/1.1\r\n${HEAD.replace('alice', 'carol')}\r\n`);
    await until(() => states.every(({ raw }) => raw.includes('begun')), 'both streams');
    end('alice');
    await until(() => states[0]?.closed === true, 'the stream of the ended session is closed');
    expect(states[1]?.closed).toBe(false);
  });
});

describe('a request that still waits for its answer when the session ends', () => {
  it('is told to log in, and given up at the upstream', async () => {
    let arrived = false;
    let closed = false;
    const upstream = await startUpstream((_req, res) => {
      arrived = true;
      res.on('close', () => {
        closed = true;
      });
    });
    const { port, end } = await startWorld({ upstream: upstream.url });
    const asked = ask(port, 'GET /');
    await until(() => arrived, 'the request arrived');
    end('alice');
    expect(JSON.parse((await asked).body).error).toBe('login_required');
    await until(() => closed, 'the upstream was told');
  });
});

describe('answers', () => {
  it.each([
    ['HEAD', 200, 'content-length: 5000'],
    ['GET', 204, ''],
    ['GET', 304, 'etag: "x"'],
    ['GET', 205, ''],
  ])('%s %i have no body and keep the connection', async (method, status, line) => {
    const upstream = await startUpstream((_req, res) => {
      const [name = 'x-a', value = 'b'] = line === '' ? [] : line.split(': ');
      res.writeHead(status, { [name]: value }).end();
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const socket = open(port);
    let raw = '';
    socket.on('data', (chunk: Buffer) => {
      raw += chunk.toString();
    });
    const request = `${method} / HTTP/1.1\r\n${HEAD}\r\n`;
    socket.write(request);
    await until(() => raw.includes('\r\n\r\n'), 'the first answer');
    const first = raw;
    expect(first).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (line !== '') expect(first.toLowerCase()).toContain(line);
    raw = '';
    socket.write(request);
    await until(() => raw.includes('\r\n\r\n'), 'the second answer');
    expect(raw).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('keep their headers in order, case and number, without what is hop by hop', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(207, 'Odd Status', [
        ...['X-One', '1', 'x-TWO', 'b, c', 'Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'Link', '<a>', 'Link', '<b>'],
        ...[
          'Connection',
          'X-Hop',
          'X-Hop',
          '1',
          'Keep-Alive',
          'timeout=9',
          'Alt-Svc',
          'h3=":443"',
          'X-Request-Id',
          'theirs',
        ],
        ...['Content-Security-Policy', "script-src 'nonce-x'", 'X-Latin', '\xe9', 'Content-Length', '2'],
      ]);
      res.end(Buffer.from('ok'));
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /');
    const [status, ...lines] = answer.head.split('\r\n');
    expect(status).toBe('HTTP/1.1 207 Odd Status');
    expect(lines.slice(0, 9)).toEqual([
      'X-One: 1',
      'x-TWO: b, c',
      'Set-Cookie: a=1',
      'Set-Cookie: b=2',
      'Link: <a>',
      'Link: <b>',
      "Content-Security-Policy: script-src 'nonce-x'",
      'X-Latin: \xe9',
      'Content-Length: 2',
    ]);
    expect(answer.head).not.toMatch(/X-Hop|Keep-Alive: timeout=9|Alt-Svc|theirs/i);
    expect(answer.headers('x-request-id')).toHaveLength(1);
  });

  it('that come before the body is in leave the connection in order', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(413, { 'content-length': '3' }).end('big');
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const socket = open(port);
    let raw = '';
    socket.on('data', (chunk: Buffer) => {
      raw += chunk.toString();
    });
    socket.write(`POST / HTTP/1.1\r\n${HEAD}Content-Length: 400000\r\n\r\n${'a'.repeat(200_000)}`);
    await until(() => raw.includes('big'), 'the early answer');
    raw = '';
    socket.write('a'.repeat(200_000));
    socket.write(`GET / HTTP/1.1\r\n${HEAD}Connection: close\r\n\r\n`);
    await until(() => raw.includes('big'), 'the answer to the next request');
    expect(raw).toMatch(/^HTTP\/1\.1 413/);
  });
});
