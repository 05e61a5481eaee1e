import { createHash } from 'node:crypto';
import { request as httpRequest } from 'node:http';
import type { Socket } from 'node:net';
import { closeAll, exchange, parseAnswer, startRawUpstream, startUpstream, until, valuesOf } from '../harness.ts';
import { OK } from './answers.ts';
import { open, startStage } from './stage.ts';

afterEach(closeAll);

const head = (lines: string, method = 'POST') => `${method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n`;
const digest = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

/** Remembers all that came on all connections, and answers when it has seen `end`. */
async function startRecorder(end: string) {
  const seen: { text: string; writes: number } = { text: '', writes: 0 };
  const upstream = await startRawUpstream((socket, bytes) => {
    seen.text += bytes;
    seen.writes += 1;
    if (seen.text.endsWith(end)) socket.write(OK);
  });
  return { ...upstream, seen };
}

describe('a body on its way up', () => {
  it('keeps its length, or its being in chunks', async () => {
    const upstream = await startUpstream();
    const { port } = await startStage(upstream.url);
    await exchange(port, `${head('Content-Length: 5\r\n')}hello`);
    await exchange(port, `${head('Transfer-Encoding: chunked\r\n')}3\r\nhel\r\n2;a=b\r\nlo\r\n0\r\nX-T: u\r\n\r\n`);
    await exchange(port, `${head('Transfer-Encoding: chunked\r\n')}0\r\n\r\n`);
    expect(
      upstream.seen.map((seen) => [valuesOf(seen, 'content-length'), valuesOf(seen, 'transfer-encoding')]),
    ).toEqual([
      [['5'], []],
      [[], ['chunked']],
      [[], ['chunked']],
    ]);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['hello', 'hello', '']);
  });

  it('that is not there is said not to be, where one is usual', async () => {
    const upstream = await startUpstream();
    const { port } = await startStage(upstream.url);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'GET']) await exchange(port, head('', method));
    await exchange(port, head('Content-Length: 0\r\n'));
    const lengths = upstream.seen.map((seen) => valuesOf(seen, 'content-length').join());
    expect(lengths).toEqual(['0', '0', '0', '', '', '0']);
  });

  it('that is here leaves together with its head, in one piece', async () => {
    for (const [lines, body, sent] of [
      ['Content-Length: 5\r\n', 'hello', 'hello'],
      ['Transfer-Encoding: chunked\r\n', '5\r\nhello\r\n0\r\n\r\n', '5\r\nhello\r\n0\r\n\r\n'],
    ] as const) {
      const upstream = await startRecorder(sent);
      const { port } = await startStage(upstream.url);
      expect(parseAnswer(await exchange(port, head(lines) + body)).body).toBe('ok');
      expect(upstream.seen.text.endsWith(`\r\n\r\n${sent}`)).toBe(true);
      expect(upstream.seen.writes).toBe(1);
      await closeAll();
    }
  });

  it('arrives byte by byte as it was, whatever its pieces', async () => {
    const body = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * 7_919) % 256));
    let received = '';
    const upstream = await startUpstream((req, res) => {
      const hash = createHash('sha256');
      req.on('data', (chunk: Buffer) => hash.update(chunk));
      req.on('end', () => {
        received = hash.digest('hex');
        res.end('ok');
      });
    });
    const { port } = await startStage(upstream.url);
    for (const size of [1, 16_383, 16_384, 16_385, 70_000, 300_000]) {
      for (const headers of [{ 'content-length': size }, {}]) {
        await new Promise<void>((resolve) => {
          const sent = httpRequest({ port, method: 'PUT', headers }, (res) => res.resume().on('end', resolve));
          for (let at = 0; at < size; at += 9_999) sent.write(body.subarray(at, Math.min(size, at + 9_999)));
          sent.end();
        });
        expect([size, received]).toEqual([size, digest(body.subarray(0, size))]);
      }
    }
  });

  it('that its client breaks off is broken off there too', async () => {
    for (const lines of ['Content-Length: 100\r\n', 'Transfer-Encoding: chunked\r\n']) {
      for (const leave of [(socket: Socket) => socket.end(), (socket: Socket) => socket.resetAndDestroy()]) {
        const upstream = await startRecorder('never');
        const { port, failed } = await startStage(upstream.url);
        const client = open(port, `${head(lines)}3\r\nabc`);
        await until(() => upstream.seen.text.includes('abc'), 'the beginning arrived');
        leave(client.socket);
        await until(() => upstream.sockets.size === 0, 'the upstream socket is closed');
        expect(upstream.seen.text).toMatch(/abc(?:\r\n)?$/);
        await until(() => failed.length === 1, 'it failed');
        await closeAll();
      }
    }
  });

  it('is not waited for without end when its upstream takes nothing of it', async () => {
    const upstream = await startRawUpstream((socket) => void socket.pause());
    const { port, failed } = await startStage(upstream.url, { idleTimeoutMs: 1_500 });
    const client = open(port, head(`Content-Length: ${50 * 1024 * 1024}\r\n`));
    client.socket.write(Buffer.alloc(50 * 1024 * 1024));
    await until(() => failed.length === 1, 'it is given up');
    expect(failed[0]).toMatchObject({ started: false, error: { code: 'upstream_timeout' } });
    await until(() => client.raw.includes('504') || client.isClosed, 'the client is told');
  });
});

describe('an answer that comes before the body is in', () => {
  it('is passed on, and its connection is not used again', async () => {
    const connections = new Set<Socket>();
    const upstream = await startRawUpstream((socket, bytes) => {
      connections.add(socket);
      if (bytes.startsWith('POST')) socket.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig');
      else socket.write(OK);
    });
    const { port, failed } = await startStage(upstream.url);
    const client = open(port, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 400000\r\n\r\n${'a'.repeat(200_000)}`);
    await until(() => client.raw.endsWith('big'), 'the early answer');
    client.socket.write(`${'a'.repeat(200_000)}GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
    await until(() => client.isClosed, 'the next answer');
    expect(client.raw.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 413', 'HTTP/1.1 200']);
    expect(connections.size).toBe(2);
    expect(failed).toEqual([]);
  });

  it('may itself be a stream that the body goes on beside', async () => {
    const upstream = await startUpstream((req, res) => {
      res.writeHead(200, { 'content-type': 'text/plain' });
      res.flushHeaders();
      req.on('data', (chunk: Buffer) => res.write(`<${chunk}>`));
      req.on('end', () => res.end('.'));
    });
    const { port } = await startStage(upstream.url);
    const client = open(port, head('Transfer-Encoding: chunked\r\n'));
    await until(() => client.raw.includes('\r\n\r\n'), 'the head');
    for (const word of ['one', 'two']) {
      client.socket.write(`3\r\n${word}\r\n`);
      await until(() => client.raw.includes(`<${word}>`), word);
    }
    client.socket.write('0\r\n\r\n');
    await until(() => client.isClosed, 'the end');
    expect(client.raw.endsWith('1\r\n.\r\n0\r\n\r\n')).toBe(true);
  });

  it('is passed on when its upstream closes right behind it', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.end('HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno');
    });
    const { port } = await startStage(upstream.url);
    const client = open(port, `${head('Content-Length: 100\r\n')}abc`);
    await until(() => client.raw.endsWith('no'), 'the answer');
    expect(parseAnswer(client.raw).status).toBe(403);
  });
});

it('a request that waited to be told to continue gets every line of its answer', async () => {
  const upstream = await startRawUpstream((socket) => {
    socket.write(
      'HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nLink: <a>\r\nLink: <b>\r\nContent-Length: 2\r\n\r\nok',
    );
  });
  const { port } = await startStage(upstream.url);
  const client = open(port, head('Expect: 100-continue\r\nContent-Length: 5\r\n'));
  await until(() => client.raw.includes('100 Continue'), 'to be told');
  client.socket.write('hello');
  await until(() => client.isClosed, 'the answer');
  const answer = parseAnswer(client.raw.slice(client.raw.indexOf('HTTP/1.1 200')));
  expect(answer.headers('set-cookie')).toEqual(['a=1', 'b=2']);
  expect([answer.headers('link'), answer.body]).toEqual([['<a>', '<b>'], 'ok']);
});
