import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { type ClientHttp2Session, type ClientHttp2Stream, constants, type OutgoingHttpHeaders } from 'node:http2';
import type { Route } from '../../src/proxy/routes.ts';
import type { Session } from '../../src/session/store.ts';
import { closeAll, startRawUpstream, startUpstream, until, valuesOf } from './harness.ts';
import { ALICE, DATA, GOAWAY, HEADERS, RawClient } from './http2-frames.ts';
import { askHttp2, openHttp2, REPORTS, removeAuthority, startSecureWorld } from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

/** A stream whose answer is read as it comes. */
function listen(session: ClientHttp2Session, headers: OutgoingHttpHeaders = {}, endStream = true) {
  const stream: ClientHttp2Stream = session.request(
    { ':path': '/', cookie: 'latchgate=alice', ...headers },
    { endStream },
  );
  const heard = { stream, status: 0, body: '', closed: false };
  stream.on('error', () => {});
  stream.on('response', (got) => {
    heard.status = Number(got[':status']);
  });
  stream.on('data', (chunk: Buffer) => {
    heard.body += chunk.toString('latin1');
  });
  stream.once('close', () => {
    heard.closed = true;
  });
  return heard;
}

describe('a request over HTTP/2', () => {
  it('arrives as one of HTTP/1.1 does', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const session = openHttp2(world);
    const answer = await askHttp2(session, { ':path': '/x?y=1', 'x-forwarded-for': '10.0.0.1' });
    expect([answer.status, answer.body, answer.resetBy]).toEqual([200, 'hello', 0]);
    const [seen] = upstream.seen;
    expect([seen?.method, seen?.url]).toEqual(['GET', '/x?y=1']);
    expect(valuesOf(seen, 'Host')).toEqual(['bi.example.com']);
    expect(valuesOf(seen, 'X-Forwarded-User')).toEqual(['alice']);
    expect(valuesOf(seen, 'X-Forwarded-Proto')).toEqual(['https']);
    expect(valuesOf(seen, 'X-Forwarded-Host')).toEqual(['bi.example.com']);
    expect(valuesOf(seen, 'X-Forwarded-For')).toEqual(['127.0.0.1']);
    expect(valuesOf(seen, 'Content-Length')).toEqual([]);
    expect(valuesOf(seen, 'Transfer-Encoding')).toEqual([]);
  });

  it('has its cookies together again, without ours', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const cookie = ['a=1', 'latchgate=alice', 'b=2; c=3', ...Array.from({ length: 150 }, (_, at) => `n${at}=${at}`)];
    expect((await askHttp2(session, { cookie })).status).toBe(200);
    expect(valuesOf(upstream.seen[0], 'Cookie')).toEqual([
      cookie.filter((one) => !one.startsWith('latchgate')).join('; '),
    ]);
    expect((await askHttp2(session, { cookie: ['latchgate=alice', 'latchgate=bob'] })).status).toBe(401);
  });

  it('keeps bytes beyond ASCII, in both directions', async () => {
    const upstream = await startUpstream((_req, res) => void res.setHeader('X-Name', 'J\u00fcrgen').end());
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const answer = await askHttp2(session, { 'x-name': 'J\u00fcrgen' });
    expect(valuesOf(upstream.seen[0], 'X-Name')).toEqual(['J\u00fcrgen']);
    expect(answer.headers['x-name']).toBe('J\u00fcrgen');
  });

  it.each([
    ['of a known length', true],
    ['of unknown length', false],
  ])('brings its body whole: %s', async (_name, isKnown) => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const body = 'abc'.repeat(500_000);
    const length = isKnown ? { 'content-length': body.length } : {};
    expect((await askHttp2(session, { ':method': 'PUT', ...length }, body)).status).toBe(200);
    const [seen] = upstream.seen;
    const digest = (text: string | undefined) =>
      createHash('sha256')
        .update(text ?? '')
        .digest('hex');
    expect(digest(seen?.body)).toBe(digest(body));
    expect(valuesOf(seen, 'Content-Length')).toEqual(isKnown ? [String(body.length)] : []);
  });

  it('of a method that takes a body, without one, says so', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    for (const method of ['POST', 'PUT', 'DELETE']) await askHttp2(session, { ':method': method });
    expect(upstream.seen.map((seen) => [seen.method, seen.body, ...valuesOf(seen, 'Transfer-Encoding')])).toEqual([
      ['POST', ''],
      ['PUT', ''],
      ['DELETE', ''],
    ]);
  });

  it('may ask before it sends its body, and is told to go on', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const heard = listen(session, { ':method': 'POST', expect: '100-continue' }, false);
    heard.stream.once('continue', () => heard.stream.end('body'));
    await until(() => heard.closed, 'the answer');
    expect([heard.status, upstream.seen[0]?.body]).toEqual([200, 'body']);
    const nobody = listen(session, { ':method': 'POST', expect: '100-continue', cookie: '' }, false);
    let isAsked = false;
    nobody.stream.once('continue', () => {
      isAsked = true;
    });
    await until(() => nobody.closed, 'the refusal');
    expect([nobody.status, isAsked]).toEqual([401, false]);
  });

  it('is refused without its body being waited for', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const heard = listen(session, { ':method': 'POST', cookie: '' }, false);
    heard.stream.write('the beginning');
    await until(() => heard.closed, 'the end of the stream');
    expect([heard.status, JSON.parse(heard.body).error]).toEqual([401, 'login_required']);
    expect(heard.stream.rstCode).toBe(constants.NGHTTP2_NO_ERROR);
    expect((await askHttp2(session)).status).toBe(200);
  });

  it('is for one of our hosts, whatever the connection was made for', async () => {
    const upstream = await startUpstream();
    const routes: Route<Session>[] = [
      { path: '/', target: 'main', isPublic: true },
      { host: REPORTS, path: '/', target: 'main', isPublic: false },
    ];
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url, routes }));
    const ask = async (authority: string) => (await askHttp2(session, { ':authority': authority, cookie: '' })).status;
    expect(await ask('bi.example.com')).toBe(200);
    expect(await ask('BI.example.com:443')).toBe(200);
    expect(await ask(REPORTS)).toBe(401);
    expect(await ask('evil.example')).toBe(421);
    expect(await ask('[::1]')).toBe(421);
  });

  it('without a session is sent to the login, or told in JSON', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const page = await askHttp2(session, { ':path': '/a?b', accept: 'text/html', cookie: '' });
    expect([page.status, page.headers['location']]).toEqual([
      302,
      `/.latchgate/login?rd=${encodeURIComponent('/a?b')}`,
    ]);
    const script = await askHttp2(session, { ':path': '/a?b', cookie: '' });
    expect([script.status, JSON.parse(script.body).error]).toEqual([401, 'login_required']);
    expect(upstream.seen).toEqual([]);
  });

  it('waits for no other on the same connection', async () => {
    const held: ServerResponse[] = [];
    const upstream = await startUpstream((req, res) => {
      if (req.url === '/slow') held.push(res);
      else res.end(req.url);
    });
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const slow = listen(session, { ':path': '/slow' });
    await until(() => held.length === 1, 'the slow one');
    const paths = Array.from({ length: 50 }, (_, at) => `/${at}`);
    const answers = await Promise.all(paths.map((path) => askHttp2(session, { ':path': path })));
    expect(answers.map(({ body }) => body)).toEqual(paths);
    expect(slow.status).toBe(0);
    held[0]?.end('at last');
    await until(() => slow.closed, 'the slow answer');
    expect(slow.body).toBe('at last');
  });
});

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
    const heard = listen(session, { accept: 'text/event-stream' });
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
    const silent = listen(session, { ':path': '/silent' });
    const begun = listen(session, { ':path': '/begun' });
    const sending = listen(session, { ':path': '/sending', ':method': 'POST' }, false);
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
    for (let at = 0; at < 20; at += 1) listen(session);
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
    const mine = listen(session);
    const waiting = listen(session, { ':path': '/silent' });
    const other = listen(session, { cookie: 'latchgate=bob' });
    await until(() => mine.body !== '' && other.body !== '' && upstream.seen.length === 3, 'all three');
    world.end('alice');
    await until(() => mine.closed && waiting.closed, 'what alice had open');
    expect([mine.stream.rstCode, waiting.status]).toEqual([constants.NGHTTP2_INTERNAL_ERROR, 401]);
    expect(other.closed).toBe(false);
    expect((await askHttp2(session)).status).toBe(401);
    expect(session.closed).toBe(false);
  });
});

describe('a connection of HTTP/2', () => {
  it('ends with its last stream when the gateway stops, and says which one that is', async () => {
    const held: ServerResponse[] = [];
    const upstream = await startUpstream((_req, res) => void held.push(res));
    const closing = new AbortController();
    const world = await startSecureWorld({ upstream: upstream.url, server: { closing: closing.signal } });
    const client = await RawClient.open(world);
    client.ask(1, ALICE);
    await until(() => held.length === 1, 'the slow one');
    closing.abort();
    await client.until(() => client.of(0, GOAWAY) !== undefined, 'the word that there may be no more');
    const goaway = client.of(0, GOAWAY)?.payload;
    expect([goaway?.readUInt32BE(0), goaway?.readUInt32BE(4)]).toEqual([1, 0]);
    // As if it had been sent before that was heard: a client may ask somebody else, because nobody has looked at it.
    client.ask(3, ALICE);
    held[0]?.end('at last');
    await client.until(() => client.of(1, DATA) !== undefined, 'the slow answer');
    expect(String(client.of(1, DATA)?.payload)).toBe('at last');
    await until(() => client.closed, 'the end of the connection');
    expect([client.of(3, HEADERS), upstream.seen.length]).toEqual([undefined, 1]);
  });

  it('that begins while the gateway stops is served', async () => {
    const upstream = await startUpstream();
    const closing = new AbortController();
    const world = await startSecureWorld({ upstream: upstream.url, server: { closing: closing.signal } });
    closing.abort();
    expect((await askHttp2(openHttp2(world))).body).toBe('hello');
  });
});
