import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { constants } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Route } from '../../src/proxy/routes.ts';
import type { Session } from '../../src/session/store.ts';
import { closeAll, startUpstream, until, valuesOf } from './harness.ts';
import {
  ALICE,
  DATA,
  END_HEADERS,
  frame,
  GOAWAY,
  HEADERS,
  headerBlock,
  RawClient,
  RST_STREAM,
} from './http2-frames.ts';
import { askHttp2, openHttp2, openStream, REPORTS, removeAuthority, startSecureWorld } from './secure-harness.ts';

afterEach(closeAll);
afterAll(removeAuthority);

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
    const heard = openStream(session, { ':method': 'POST', expect: '100-continue' }, false);
    heard.stream.once('continue', () => heard.stream.end('body'));
    await until(() => heard.closed, 'the answer');
    expect([heard.status, upstream.seen[0]?.body]).toEqual([200, 'body']);
    const nobody = openStream(session, { ':method': 'POST', expect: '100-continue', cookie: '' }, false);
    let isAsked = false;
    nobody.stream.once('continue', () => {
      isAsked = true;
    });
    await until(() => nobody.closed, 'the refusal');
    expect([nobody.status, isAsked]).toEqual([401, false]);
  });

  it('that is reset while it asks is no failure of ours', async () => {
    const upstream = await startUpstream();
    const world = await startSecureWorld({ upstream: upstream.url });
    const client = await RawClient.open(world);
    for (const id of [1, 3, 5]) {
      const code = Buffer.alloc(4);
      const body = Array.from({ length: 8 }, () => frame(DATA, 0, id, Buffer.alloc(16_384)));
      const head = headerBlock([
        ...ALICE.map(([name, value]) => [name, name === ':method' ? 'POST' : value] as const),
        ['expect', '100-continue'],
      ]);
      client.send(Buffer.concat([frame(HEADERS, END_HEADERS, id, head), ...body, frame(RST_STREAM, 0, id, code)]));
    }
    expect((await askHttp2(openHttp2(world))).status).toBe(200);
    await sleep(200);
    expect(world.logged.filter(({ level }) => level === 'error')).toEqual([]);
  });

  it('is refused without its body being waited for', async () => {
    const upstream = await startUpstream();
    const session = openHttp2(await startSecureWorld({ upstream: upstream.url }));
    const heard = openStream(session, { ':method': 'POST', cookie: '' }, false);
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
    const slow = openStream(session, { ':path': '/slow' });
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
