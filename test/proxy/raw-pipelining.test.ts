import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { ask, closeAll, exchange, onClose, parseAnswer, startUpstream, startWorld, until } from './harness.ts';

afterEach(closeAll);

const OWN = 'Host: bi.example.com\r\nCookie: latchgate=alice\r\n';
const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://bi.example.com\r\n';
const get = (path: string, more = ''): string => `GET ${path} HTTP/1.1\r\n${OWN}${more}\r\n`;

/** Everything that could be waiting behind a request that was refused. */
const FOLLOWING = [
  get('/smuggled'),
  get('/.latchgate/smuggled'),
  `POST /smuggled HTTP/1.1\r\n${OWN}Content-Length: 3\r\n\r\nabc`,
  get('/smuggled', UPGRADE),
  `CONNECT bi.example.com:80 HTTP/1.1\r\n${OWN}\r\n`,
];

const chunked = (coding: string, version = '1.1') =>
  `POST /first HTTP/${version}\r\n${OWN}Connection: keep-alive\r\nTransfer-Encoding: ${coding}\r\n\r\n5\r\nabcde\r\n0\r\n\r\n`;

/** Well-formed for the parser, and refused for what they could mean to another server. */
const REFUSED: readonly (readonly [string, string])[] = [
  ...['gzip, chunked', 'identity, chunked', 'x, chunked', ',chunked', ', chunked'].map(
    (coding) => [`Transfer-Encoding: ${coding}`, chunked(coding)] as const,
  ),
  ['two Transfer-Encodings', chunked('identity\r\nTransfer-Encoding: chunked')],
  ['chunks in HTTP/1.0', chunked('chunked', '1.0')],
  ['no Host', 'GET /first HTTP/1.1\r\nCookie: latchgate=alice\r\n\r\n'],
  ['two Hosts', get('/first', 'Host: evil.example\r\n')],
  ['the same Host twice', get('/first', 'Host: bi.example.com\r\n')],
  ...['//evil.example/', '*', '/a%2fb', '/a;b', 'http://evil.example/', 'ftp://bi.example.com/', '/%c0%ae/x'].map(
    (target) => [`the target ${target}`, get(target)] as const,
  ),
];

describe('what stands behind a request that was refused for its form', () => {
  it.each(REFUSED)('is not looked at: %s', async (_what, refused) => {
    const upstream = await startUpstream();
    const { port, calls } = await startWorld({ upstream: upstream.url });
    // From now on nothing has to be waited for before a request of alice goes up.
    expect((await ask(port, 'GET /before')).status).toBe(200);
    for (const following of FOLLOWING) {
      const raw = await exchange(port, refused + following + following);
      expect(raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 400']);
      expect(parseAnswer(raw).header('connection')).toBe('close');
    }
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/before']);
    expect(calls.gateway).toEqual([]);
  });

  it('is not looked at when it comes a little later either', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    await ask(port, 'GET /before');
    const client = open(port);
    client.socket.write(get('//evil.example/'));
    client.socket.write(get('/smuggled'));
    await until(() => client.raw !== '', 'the refusal');
    client.socket.write(get('/smuggled'));
    await until(() => client.isClosed, 'the connection is closed');
    expect(client.raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 400']);
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/before']);
  });
});

describe('a request that expects what nobody knows', () => {
  const EXPECT = 'Expect: foo\r\n';

  it('is answered as any other', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = parseAnswer(await exchange(port, get('/first', `${EXPECT}Connection: close\r\n`)));
    expect([answer.status, answer.body, answer.headers('x-request-id').length]).toEqual([200, 'hello', 1]);
    expect(upstream.seen.map(({ rawHeaders }) => rawHeaders.includes('Expect'))).toEqual([false]);
  });

  it.each(REFUSED)('is refused as any other, with what stands behind it: %s', async (_what, refused) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const raw = await exchange(port, refused.replace('\r\n', `\r\n${EXPECT}`) + get('/smuggled'));
    expect(raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 400']);
    expect(upstream.seen).toEqual([]);
  });

  it('has nobody suffer when the one behind it breaks off', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const broken = `POST /broken HTTP/1.1\r\n${OWN}Transfer-Encoding: chunked\r\n\r\nzz\r\n`;
    await exchange(port, get('/first', EXPECT) + broken);
    expect((await ask(port, 'GET /after')).status).toBe(200);
  });
});

interface Client {
  readonly socket: Socket;
  raw: string;
  isClosed: boolean;
}

function open(port: number): Client {
  const socket = connect(port, '127.0.0.1');
  const client: Client = { socket, raw: '', isClosed: false };
  socket.on('data', (chunk: Buffer) => {
    client.raw += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    client.isClosed = true;
  });
  onClose(() => socket.destroy());
  return client;
}

describe('an answer that is under way', () => {
  const intruders: readonly (readonly [string, string])[] = [
    ['CONNECT', 'CONNECT bi.example.com:80 HTTP/1.1\r\nHost: bi.example.com\r\n\r\n'],
    ['a WebSocket', get('/ws', UPGRADE)],
    ['h2c', get('/', 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n')],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['no HTTP', '\x16\x03\x01\x02\x00'],
    ['a head that is too large', get('/', `X-Big: ${'a'.repeat(40_000)}\r\n`)],
  ];

  it.each(intruders)('has nothing written into it by what follows: %s', async (_what, bytes) => {
    const upstream = await startUpstream((_req, res) => {
      res.writeHead(200, { 'content-length': '1000' });
      res.write('begun');
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const client = open(port);
    client.socket.write(get('/slow'));
    await until(() => client.raw.endsWith('begun'), 'the beginning of the answer');
    client.socket.write(bytes);
    await until(() => client.isClosed, 'the connection is closed');
    expect(client.raw.match(/HTTP\/1\.1/g)).toHaveLength(1);
    expect(client.raw).toMatch(/begun$/);
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/slow']);
  });

  it.each(intruders)('and has not begun is not mistaken for the refusal of what follows: %s', async (_what, bytes) => {
    const upstream = await startUpstream(() => {});
    const { port } = await startWorld({ upstream: upstream.url });
    const client = open(port);
    client.socket.write(get('/slow'));
    await until(() => upstream.seen.length === 1, 'the request arrived');
    client.socket.write(bytes);
    await until(() => client.isClosed, 'the connection is closed');
    expect(client.raw).toBe('');
  });
});

describe('a request that breaks off in its body', () => {
  const head = (coding = 'chunked') => `POST /first HTTP/1.1\r\n${OWN}Transfer-Encoding: ${coding}\r\n\r\n`;
  const bodies: readonly (readonly [string, string, string])[] = [
    ['a chunk that is none', head(), 'zz\r\n'],
    ['a chunk that is longer than it says', head(), '3\r\nabcd\r\n0\r\n\r\n'],
    ['a blank line for a chunk', head(), '\r\n5\r\nabcde\r\n0\r\n\r\n'],
    ['a coding that is almost chunked', head('chunked\t'), '5\r\nabcde\r\n0\r\n\r\n'],
  ];

  it.each(bodies)('is told so: %s', async (_what, start, rest) => {
    const upstream = await startUpstream(() => {});
    const { port } = await startWorld({ upstream: upstream.url });
    const raw = await exchange(port, start + rest + get('/smuggled'));
    expect(raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 400']);
    expect(upstream.seen.map(({ url }) => url)).not.toContain('/smuggled');
  });

  it.each(bodies)(
    'is told so, and given up at the upstream when it had begun there: %s',
    async (_what, _start, rest) => {
      let isGone = false;
      const upstream = await startUpstream((_req, res) => {
        res.on('close', () => {
          isGone = true;
        });
      });
      const { port } = await startWorld({ upstream: upstream.url });
      const client = open(port);
      client.socket.write(`${head()}2\r\nok\r\n`);
      await until(() => upstream.seen.length === 1, 'the head arrived');
      client.socket.write(rest.replace(/^5/, '5 ') + get('/smuggled'));
      await until(() => client.isClosed && isGone, 'both connections are closed');
      expect(client.raw.match(/HTTP\/1\.1 \d{3}/g)).toEqual(['HTTP/1.1 400']);
      expect(upstream.seen).toHaveLength(1);
    },
  );
});

describe('a connection that goes away', () => {
  it.each([
    ['CONNECT', 'CONNECT bi.example.com:80 HTTP/1.1\r\nHost: bi.example.com\r\n\r\n'],
    ['a WebSocket', get('/ws', UPGRADE)],
    ['h2c', get('/', 'Connection: Upgrade\r\nUpgrade: h2c\r\n')],
    ['a request that is refused', get('/a%2fb')],
    ['no HTTP', '\x16\x03\x01\x02\x00'],
  ])('by a reset, as it is answered, takes nobody along: %s', async (_what, bytes) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    for (let round = 0; round < 100; round += 1) {
      const { socket } = open(port);
      await once(socket, 'connect');
      socket.write(bytes);
      if (round % 2 === 0) await turn();
      socket.resetAndDestroy();
    }
    expect((await ask(port, 'GET /after')).status).toBe(200);
  });

  it('takes all of its requests along, also those whose answers waited for their turn', async () => {
    let gone = 0;
    const upstream = await startUpstream((_req, res) => {
      res.on('close', () => {
        gone += 1;
      });
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const client = open(port);
    client.socket.write(Array.from({ length: 20 }, (_, at) => get(`/${at}`)).join(''));
    await until(() => upstream.seen.length === 20, 'the requests arrived');
    client.socket.destroy();
    await until(() => gone === 20, 'the upstream was told of each');
  });
});
