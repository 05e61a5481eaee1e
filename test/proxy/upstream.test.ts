import type { Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  ask,
  closeAll,
  exchange,
  listen,
  onClose,
  parseAnswer,
  startRawUpstream,
  startWorld,
  until,
} from './harness.ts';

afterEach(closeAll);

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

describe('an upstream that answers with broken framing', () => {
  it.each([
    [
      'Content-Length with chunks',
      'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'chunks with Content-Length',
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n',
    ],
    ['two Content-Lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc'],
    ['an odd Content-Length', 'HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok'],
    ['a space before the colon', 'HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok'],
    ['a NUL in a header', 'HTTP/1.1 200 OK\r\nX-A: a\0b\r\nContent-Length: 2\r\n\r\nok'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['an endless head', `HTTP/1.1 200 OK\r\n${'X-A: aaaaaaaaaaaaaaaa\r\n'.repeat(5_000)}`],
    [
      'an upgrade that nobody asked for',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
    ],
  ])('is a 502, and its socket is dropped: %s', async (_name, bytes) => {
    const upstream = await startRawUpstream((socket) => void socket.write(Buffer.from(bytes, 'latin1')));
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /');
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body).error).toBe('upstream_invalid');
    expect(answer.header('x-request-id')).toBeDefined();
    await until(() => upstream.sockets.size === 0, 'the upstream socket is closed');
    expect(upstream.requests).toHaveLength(1);
  });

  it('cannot slip a second answer under the next request', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged`);
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const one = 'GET / HTTP/1.1\r\nHost: bi.example.com\r\nCookie: latchgate=alice\r\n';
    const raw = await exchange(port, `${one}\r\n${one}Connection: close\r\n\r\n`);
    expect(raw).not.toContain('forged');
    expect(raw.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
    await until(() => upstream.sockets.size === 0, 'the upstream sockets are closed');
  });

  it.each([
    ['with a length', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'],
    ['with a small length', 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'],
    ['in chunks', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n'],
    ['in the middle of a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nhalf'],
  ])('breaks the answer off for the client too, so that half is never taken for whole: %s', async (_name, bytes) => {
    const upstream = await startRawUpstream((socket) => void socket.end(bytes));
    const { port, logged } = await startWorld({ upstream: upstream.url });
    const raw = await exchange(port, 'GET / HTTP/1.1\r\nHost: bi.example.com\r\nCookie: latchgate=alice\r\n\r\n');
    const answer = parseAnswer(raw);
    expect(raw).not.toContain('\r\n0\r\n\r\n');
    expect(answer.body.length).toBeLessThan(100);
    await until(() => logged.some(({ message }) => message === 'an answer broke off'), 'a line in the log');
  });

  it('may close to end an answer without a length', async () => {
    const upstream = await startRawUpstream(
      (socket) => void socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwhole'),
    );
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /');
    expect([answer.status, answer.body]).toEqual([200, '5\r\nwhole\r\n0\r\n\r\n']);
  });

  it('may send hints ahead of its answer; they go no further', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n${OK}`);
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'GET /');
    expect([answer.status, answer.body, answer.header('link')]).toEqual([200, 'ok', undefined]);
  });
});

describe('an upstream that is not there', () => {
  it('is a 502 when it refuses, when it hangs up, and the next request finds it again', async () => {
    const closed = await startRawUpstream(() => {});
    const upstreamUrl = closed.url;
    await closeAll();
    const away = await startWorld({ upstream: upstreamUrl });
    expect(JSON.parse((await ask(away.port, 'GET /')).body).error).toBe('upstream_unavailable');

    let hangsUp = true;
    const upstream = await startRawUpstream((socket) => {
      if (hangsUp) socket.destroy();
      else socket.write(OK);
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = await ask(port, 'POST /', ['Cookie: latchgate=alice', 'Content-Length: 3'], 'abc');
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([502, 'upstream_unavailable']);
    expect(upstream.requests).toHaveLength(1);
    hangsUp = false;
    expect((await ask(port, 'GET /')).status).toBe(200);
  });

  it('is a 504 when it is silent', async () => {
    const sockets: Socket[] = [];
    const upstream = await startRawUpstream((socket) => void sockets.push(socket));
    const timeouts = { answerTimeoutMs: 300 };
    const { port } = await startWorld({ upstream: upstream.url, target: { timeouts } });
    const answer = await ask(port, 'GET /');
    expect([answer.status, JSON.parse(answer.body).error]).toEqual([504, 'upstream_timeout']);
    await until(() => upstream.sockets.size === 0, 'the upstream socket is closed');
  });

  it('is a 502 when its certificate is not for its name', async () => {
    const server = createTlsServer({}, (socket) => socket.destroy());
    const port443 = await listen(server);
    onClose(() => new Promise((resolve) => server.close(resolve)));
    const { port } = await startWorld({ upstream: `https://127.0.0.1:${port443}` });
    expect((await ask(port, 'GET /')).status).toBe(502);
  });
});

describe('connections to an upstream', () => {
  it('are used again, one request at a time', async () => {
    let open = 0;
    let most = 0;
    const upstream = await startRawUpstream((socket, request) => {
      open += (request.match(/^GET /gm) ?? []).length;
      most = Math.max(most, open);
      setTimeout(() => {
        open -= 1;
        socket.write(OK);
      }, 5);
    });
    const { port } = await startWorld({ upstream: upstream.url });
    for (let at = 0; at < 5; at += 1) expect((await ask(port, 'GET /')).body).toBe('ok');
    expect(most).toBe(1);
    expect(upstream.sockets.size).toBe(1);
  });
});
