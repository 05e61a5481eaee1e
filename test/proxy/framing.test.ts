import { connect } from 'node:net';
import { closeAll, exchange, parseAnswer, startUpstream, startWorld, until } from './harness.ts';

afterEach(closeAll);

const HOST = 'Host: bi.example.com';
const COOKIE = 'Cookie: latchgate=alice';
const AFTER = `GET /smuggled HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\r\n`;

/** Each is followed by a second request that must never be served. */
const broken: readonly (readonly [string, string])[] = [
  [
    'Content-Length with Transfer-Encoding',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  [
    'Transfer-Encoding with Content-Length',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n`,
  ],
  [
    'two Content-Lengths that differ',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nContent-Length: 0\r\nContent-Length: 4\r\n\r\nabcd`,
  ],
  [
    'two Content-Lengths that agree',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n`,
  ],
  ...['4, 4', '+4', '-1', '0x4', '4 4', '1e1', '4.0', '', '18446744073709551620', 'a'].map(
    (length) =>
      [
        `Content-Length: ${length}`,
        `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nContent-Length: ${length}\r\n\r\nabcd`,
      ] as const,
  ),
  ...[
    'identity',
    'gzip, chunked',
    'chunked, identity',
    'chunked, chunked',
    'xchunked',
    'chunked;x=1',
    '\vchunked',
    '"chunked"',
    'chunked\t,',
  ].map(
    (coding) =>
      [
        `Transfer-Encoding: ${coding}`,
        `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding: ${coding}\r\n\r\n0\r\n\r\n`,
      ] as const,
  ),
  [
    'two Transfer-Encodings',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['chunks in HTTP/1.0', `POST / HTTP/1.0\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['obs-fold', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX-A: b\r\n c\r\n\r\n`],
  [
    'obs-fold in Transfer-Encoding',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['bare LF', `GET / HTTP/1.1\n${HOST}\n${COOKIE}\n\n`],
  ['bare LF behind one header', `GET / HTTP/1.1\r\n${HOST}\r\nX-A: b\n${COOKIE}\r\n\r\n`],
  ['bare CR', `GET / HTTP/1.1\r\n${HOST}\r\nX-A: b\rX-B: c\r\n${COOKIE}\r\n\r\n`],
  ['space before the colon', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX-A : b\r\n\r\n`],
  ['space before the first header', `GET / HTTP/1.1\r\n ${HOST}\r\n${COOKIE}\r\n\r\n`],
  [
    'space before the colon of Content-Length',
    `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nContent-Length : 4\r\n\r\nabcd`,
  ],
  ['no Host', `GET / HTTP/1.1\r\n${COOKIE}\r\n\r\n`],
  ['two Hosts', `GET / HTTP/1.1\r\n${HOST}\r\nHost: evil.example\r\n${COOKIE}\r\n\r\n`],
  ['NUL in a value', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX-A: a\0b\r\n\r\n`],
  ['NUL in a name', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX-\0A: b\r\n\r\n`],
  ['a name with a blank', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX A: b\r\n\r\n`],
  ['an empty name', `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n: b\r\n\r\n`],
  ['an unknown version', `GET / HTTP/1.2\r\n${HOST}\r\n${COOKIE}\r\n\r\n`],
  ['HTTP/2 without asking', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['no version', 'GET /\r\n\r\n'],
  ['a foreign absolute target', `GET http://evil.example/ HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\r\n`],
  ['asterisk-form', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\r\n`],
];

describe('requests that two servers could read differently', () => {
  it.each(broken)('end with 400 and a closed connection: %s', async (_name, head) => {
    const upstream = await startUpstream();
    const { port, calls } = await startWorld({ upstream: upstream.url });
    const raw = await exchange(port, Buffer.from(head + AFTER, 'latin1'));
    expect(raw.match(/^HTTP\/1\.1 \d{3}/gm)).toEqual(['HTTP/1.1 400']);
    const answer = parseAnswer(raw);
    expect([answer.header('connection'), JSON.parse(answer.body).error]).toEqual(['close', 'request_invalid']);
    expect(answer.header('x-request-id')).toMatch(/^\w{16}$/);
    expect(upstream.seen).toEqual([]);
    expect(calls.gateway).toEqual([]);
  });

  const brokenChunks = [
    '5\r\nabc\r\n0\r\n\r\n',
    'x\r\nabc\r\n0\r\n\r\n',
    '3 \r\nabc\r\n0\r\n\r\n',
    '+3\r\nabc\r\n0\r\n\r\n',
    '3\nabc\n0\n\n',
    '3\r\nabcd\r\n0\r\n\r\n',
    '0x3\r\nabc\r\n0\r\n\r\n',
  ];
  it.each(brokenChunks)('never become a second request: chunk %j', async (chunk) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const head = `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const raw = await exchange(port, Buffer.from(head + chunk + AFTER, 'latin1'));
    expect(raw.match(/^HTTP\/1\.1 200/gm)).toBeNull();
    expect(upstream.seen.length).toBeLessThanOrEqual(1);
    expect(upstream.seen.map(({ url }) => url)).not.toContain('/smuggled');
  });

  it('get 431 beyond 32 KiB of head', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const big = `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nX-Big: ${'a'.repeat(33_000)}\r\n\r\n`;
    expect(JSON.parse(parseAnswer(await exchange(port, big)).body)).toMatchObject({ error: 'header_too_large' });
    expect(upstream.seen).toEqual([]);
  });

  it.each(['CONNECT evil.example:443', 'CONNECT bi.example.com:80'])('are refused and closed: %s', async (line) => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = parseAnswer(await exchange(port, `${line} HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\n\r\n${AFTER}`));
    expect(answer.status).toBe(405);
    expect(upstream.seen).toEqual([]);
  });
});

describe('requests that are whole', () => {
  it('are answered one by one and in order when they come at once, each with its own session', async () => {
    const upstream = await startUpstream((req, res) => {
      setTimeout(() => res.end(`<${req.url}>`), req.url === '/1' ? 50 : 0);
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const one = (path: string, cookie: string) => `GET ${path} HTTP/1.1\r\n${HOST}\r\n${cookie}\r\n\r\n`;
    const raw = await exchange(
      port,
      one('/1', COOKIE) + one('/2', 'Cookie: none=1') + one('/3', `${COOKIE}\r\nConnection: close`),
    );
    expect(raw.match(/HTTP\/1\.1 \d{3}|<\/\d>/g)).toEqual([
      'HTTP/1.1 200',
      '</1>',
      'HTTP/1.1 401',
      'HTTP/1.1 200',
      '</3>',
    ]);
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/1', '/3']);
  });

  it('reach the upstream with the body that they had, by length and in chunks', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const head = `POST / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nConnection: close\r\n`;
    await exchange(port, `${head}Content-Length: 5\r\n\r\nhello`);
    await exchange(
      port,
      `${head}Transfer-Encoding: Chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nX-Trailer: forged\r\n\r\n`,
    );
    await exchange(port, `${head}Content-Length: 0\r\n\r\n`);
    await exchange(port, `${head.replace('POST', 'GET')}Content-Length: 5\r\n\r\nhello`);
    expect(upstream.seen.map(({ body }) => body)).toEqual(['hello', 'hello', '', 'hello']);
    expect(JSON.stringify(upstream.seen)).not.toContain('forged');
  });

  it('of HTTP/1.0 get an answer without chunks', async () => {
    const upstream = await startUpstream((_req, res) => {
      res.write('a');
      res.end('b');
    });
    const { port } = await startWorld({ upstream: upstream.url });
    const answer = parseAnswer(await exchange(port, `GET / HTTP/1.0\r\n${HOST}\r\n${COOKIE}\r\n\r\n`));
    expect([answer.status, answer.body, answer.header('transfer-encoding')]).toEqual([200, 'ab', undefined]);
  });

  it('that expect 100-continue are told to go on only once they are let through', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({ upstream: upstream.url });
    const head = `POST / HTTP/1.1\r\n${HOST}\r\nExpect: 100-continue\r\nContent-Length: 5\r\n`;
    const refused = await exchange(port, `${head}\r\n`);
    expect(refused).toMatch(/^HTTP\/1\.1 401/);
    expect(parseAnswer(refused).header('connection')).toBe('close');
    const socket = connect(port, '127.0.0.1');
    let raw = '';
    socket.on('data', (chunk: Buffer) => {
      raw += chunk.toString();
    });
    socket.write(`${head}${COOKIE}\r\nConnection: close\r\n\r\n`);
    await until(() => raw === 'HTTP/1.1 100 Continue\r\n\r\n', '100 Continue');
    socket.write('hello');
    await until(() => raw.includes('HTTP/1.1 200'), 'the answer');
    expect(upstream.seen.map(({ body }) => body)).toEqual(['hello']);
    socket.destroy();
  });

  it('that trickle in are ended, while others are served', async () => {
    const upstream = await startUpstream();
    const { port } = await startWorld({
      upstream: upstream.url,
      server: { headTimeoutMs: 300 },
    });
    const slow = Array.from({ length: 50 }, () => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write('GET / HT');
      return socket;
    });
    const answer = await exchange(port, `GET / HTTP/1.1\r\n${HOST}\r\n${COOKIE}\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 200/);
    for (const socket of slow) socket.resume();
    await until(() => slow.every((socket) => socket.closed), 'every slow connection is closed');
  }, 20_000);
});
