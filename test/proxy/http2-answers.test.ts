import { constants } from 'node:http2';
import { closeAll, startRawUpstream, startUpstream, until } from './harness.ts';
import { askHttp2, openHttp2, openStream, removeAuthority, startSecureWorld } from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

describe('an answer over HTTP/2', () => {
  it('has the headers of the backend, but none of one connection', async () => {
    const upstream = await startRawUpstream((socket) => {
      const lines = [
        'Connection: close, X-Hop',
        'X-Hop: 1',
        'Keep-Alive: timeout=5',
        'Set-Cookie: a=1',
        'Set-Cookie: b=2',
      ];
      const more = [
        'Content-Type: text/plain',
        'X-Two: 1',
        'X-Two: 2',
        'Trailer: X-Last',
        'Transfer-Encoding: chunked',
      ];
      socket.end(`HTTP/1.1 200 OK\r\n${[...lines, ...more].join('\r\n')}\r\n\r\n5\r\nhello\r\n0\r\nX-Last: 1\r\n\r\n`);
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, headers, body, resetBy } = await askHttp2(session);
    expect([status, body, resetBy]).toEqual([200, 'hello', 0]);
    expect(headers).toMatchObject({ 'set-cookie': ['a=1', 'b=2'], 'content-type': 'text/plain', 'x-two': '1, 2' });
    for (const name of ['connection', 'keep-alive', 'x-hop', 'transfer-encoding', 'trailer', 'x-last']) {
      expect(headers).not.toHaveProperty(name);
    }
  });

  it('has all of its headers, however many', async () => {
    const upstream = await startRawUpstream((socket) => {
      const lines = Array.from({ length: 1_500 }, (_, at) => `Set-Cookie: c${at}=1`);
      socket.end(`HTTP/1.1 200 OK\r\n${lines.join('\r\n')}\r\nContent-Length: 2\r\n\r\nok`);
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, headers } = await askHttp2(session);
    expect([status, headers['set-cookie']?.length]).toEqual([200, 1_500]);
  });

  it('may say twice what Node says once', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.end(
        'HTTP/1.1 200 OK\r\nAge: 1\r\nAge: 2\r\nLast-Modified: a\r\nLast-Modified: b\r\nContent-Length: 2\r\n\r\nok',
      );
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, headers, body } = await askHttp2(session);
    expect([status, headers['age'], headers['last-modified'], body]).toEqual([200, '1, 2', 'a, b', 'ok']);
  });

  it('has no content where there must be none, whatever the backend sends', async () => {
    const upstream = await startRawUpstream((socket) => {
      socket.end('HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello');
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, body, resetBy } = await askHttp2(session);
    expect([status, body, resetBy]).toEqual([205, '', 0]);
  });

  it.each([
    ['HEAD', 'GET', 200, '5'],
    ['204', 'GET', 204, undefined],
    ['304', 'GET', 304, undefined],
  ])('without a body ends with its head: %s', async (name, _method, status, length) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(status, length === undefined ? {} : { 'Content-Length': length });
      res.end(status === 200 ? 'hello' : undefined);
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const answer = await askHttp2(session, { ':method': name === 'HEAD' ? 'HEAD' : 'GET' });
    expect([answer.status, answer.headers['content-length'], answer.body, answer.resetBy]).toEqual([
      status,
      length,
      '',
      0,
    ]);
    expect((await askHttp2(session)).resetBy).toBe(0);
  });

  it('is whole however large it is', async () => {
    const block = Buffer.alloc(64 * 1024, 'x');
    const upstream = await startUpstream(async (_req, res) => {
      for (let at = 0; at < 100; at += 1) if (!res.write(block)) await new Promise((done) => res.once('drain', done));
      res.end();
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, body, resetBy } = await askHttp2(session);
    expect([status, body.length, resetBy]).toEqual([200, 100 * block.length, 0]);
  });

  it('is as slow as the one who reads it, and no more of it is held than a few windows', async () => {
    let written = 0;
    const block = Buffer.alloc(64 * 1024, 'x');
    const upstream = await startUpstream((_req, res) => {
      const write = () => {
        while (written < 64 * 1024 * 1024) {
          written += block.length;
          if (!res.write(block)) return void res.once('drain', write);
        }
        res.end();
      };
      write();
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const stream = session.request({ ':path': '/', cookie: 'latchgate=alice' });
    stream.on('error', () => {});
    await until(() => written > 0, 'the beginning');
    let before = -1;
    await until(() => {
      const stands = written === before;
      before = written;
      return stands;
    }, 'the backend has to wait');
    expect(written).toBeLessThan(32 * 1024 * 1024);
    expect((await askHttp2(session, { ':method': 'HEAD', cookie: '' })).status).toBe(401);
    stream.close();
  });

  it('brings each event when it happens', async () => {
    let send: (text: string) => void = () => {};
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      send = (text) => void res.write(text);
      send('data: 0\n\n');
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const heard = openStream(session, { accept: 'text/event-stream' });
    for (let at = 1; at <= 5; at += 1) {
      await until(() => heard.body.endsWith(`data: ${at - 1}\n\n`), 'the event before');
      send(`data: ${at}\n\n`);
    }
    await until(() => heard.body.endsWith('data: 5\n\n'), 'the last event');
    expect([heard.status, heard.closed]).toEqual([200, false]);
  });

  it('that breaks off is reset, and other streams go on', async () => {
    const upstream = await startRawUpstream((socket, request) => {
      if (request.startsWith('GET /broken')) {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
        setTimeout(() => socket.destroy(), 20);
      } else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole');
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const broken = await askHttp2(session, { ':path': '/broken' });
    expect([broken.status, broken.resetBy]).toEqual([200, constants.NGHTTP2_INTERNAL_ERROR]);
    expect((await askHttp2(session)).body).toBe('whole');
  });

  it('of a backend that is down or talks nonsense is a refusal', async () => {
    const upstream = await startRawUpstream((socket) => socket.end('nonsense\r\n\r\n'));
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const { status, body } = await askHttp2(session);
    expect([status, JSON.parse(body).error]).toEqual([502, 'upstream_invalid']);
  });
});

describe('the end of a stream', () => {
  it('by its client is told to the backend, and other streams go on', async () => {
    let gone = 0;
    const upstream = await startUpstream((req, res) => {
      if (req.url === '/') return void res.end('here');
      res.once('close', () => {
        gone += 1;
      });
      if (req.url === '/begun') res.write('a part');
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const silent = openStream(session, { ':path': '/silent' });
    const begun = openStream(session, { ':path': '/begun' });
    const sending = openStream(session, { ':path': '/sending', ':method': 'POST' }, false);
    sending.stream.write('a part');
    await until(() => begun.body === 'a part' && upstream.seen.length === 3, 'all three');
    for (const { stream } of [silent, begun, sending]) stream.close(constants.NGHTTP2_CANCEL);
    await until(() => gone === 3, 'the backend gives up all three');
    expect((await askHttp2(session)).body).toBe('here');
  });

  it('with its connection is told to the backend', async () => {
    let gone = 0;
    const upstream = await startUpstream(
      (_req, res) =>
        void res.once('close', () => {
          gone += 1;
        }),
    );
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    for (let at = 0; at < 20; at += 1) openStream(session);
    await until(() => upstream.seen.length === 20, 'all of them');
    session.destroy();
    await until(() => gone === 20, 'the backend gives up all of them');
  });

  it('with its session cuts what is open of it, and nothing else on the connection', async () => {
    const upstream = await startUpstream((req, res) => {
      if (req.url !== '/silent') res.write('data: 1\n\n');
    });
    const world = await startSecureWorld({ upstream: upstream.url });
    const session = openHttp2(world);
    const mine = openStream(session);
    const waiting = openStream(session, { ':path': '/silent' });
    const other = openStream(session, { cookie: 'latchgate=bob' });
    await until(() => mine.body !== '' && other.body !== '' && upstream.seen.length === 3, 'all three');
    world.end('alice');
    await until(() => mine.closed && waiting.closed, 'what alice had open');
    expect([mine.stream.rstCode, waiting.status]).toEqual([constants.NGHTTP2_INTERNAL_ERROR, 401]);
    expect(other.closed).toBe(false);
    expect((await askHttp2(session)).status).toBe(401);
    expect(session.closed).toBe(false);
  });
});
