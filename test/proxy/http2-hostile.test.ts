import { closeAll, type HttpUpstream, startUpstream } from './harness.ts';
import {
  ACK,
  ALICE,
  CONTINUATION,
  DATA,
  END_HEADERS,
  END_STREAM,
  frame,
  GOAWAY,
  HEADERS,
  headerBlock,
  INTERNAL_ERROR,
  PING,
  PRIORITY,
  PROTOCOL_ERROR,
  PUSH_PROMISE,
  RawClient,
  RST_STREAM,
  SETTINGS,
  WINDOW_UPDATE,
} from './http2-frames.ts';
import { askHttp2, openHttp2, removeAuthority, type SecureWorld, startSecureWorld } from './secure-harness.ts';

let upstream: HttpUpstream;
let world: SecureWorld;

beforeAll(async () => {
  upstream = await startUpstream();
  world = await startSecureWorld({ upstream: upstream.url });
});
beforeEach(() => upstream.seen.splice(0));
afterAll(async () => {
  await closeAll();
  await removeAuthority();
});

type Pairs = readonly (readonly [name: string, value: string])[];
const without = (name: string): Pairs => ALICE.filter(([one]) => one !== name);
const changed = (name: string, value: string): Pairs => ALICE.map(([one, old]) => [one, one === name ? value : old]);
const POST = changed(':method', 'POST');

/** Whether somebody else is served as ever. */
async function isServed(): Promise<boolean> {
  const session = openHttp2(world);
  const { status } = await askHttp2(session);
  session.destroy();
  return status === 200;
}

/** A status of three digits in a header block of the server's (RFC 7541 appendix A). */
function statusIn(block: Buffer | undefined): number | undefined {
  const known = [200, 204, 206, 304, 400, 404, 500][(block?.[0] ?? 0) - 0x88];
  return known ?? Number(/[1-5]\d\d/.exec(unhuffled(block))?.[0]);
}

/** Digits of RFC 7541 appendix B: five bits for 0 to 2, six for the others. */
function unhuffled(block: Buffer | undefined): string {
  if (block === undefined || block[0] !== 0x48) return '';
  if (block[1] === 3) return block.toString('latin1', 2, 5);
  let bits = '';
  for (const byte of block.subarray(2, 2 + ((block[1] ?? 0) & 0x7f))) bits += byte.toString(2).padStart(8, '0');
  let digits = '';
  while (digits.length < 3) {
    const isShort = Number.parseInt(bits.slice(0, 5), 2) < 3;
    digits += isShort ? Number.parseInt(bits.slice(0, 5), 2) : Number.parseInt(bits.slice(0, 6), 2) - 0b011001 + 3;
    bits = bits.slice(isShort ? 5 : 6);
  }
  return digits;
}

describe('a request that HTTP/2 does not know', () => {
  const resets: readonly (readonly [string, Pairs])[] = [
    ...['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings'].map((name): [string, Pairs] => [
      `the header ${name}`,
      [...ALICE, [name, 'close']],
    ]),
    ['Transfer-Encoding', [...ALICE, ['transfer-encoding', 'chunked']]],
    ['TE with more than trailers', [...ALICE, ['te', 'gzip']]],
    ['a name in upper case', [...ALICE, ['X-Upper', 'a']]],
    ['a pseudo header behind the others', [...ALICE, [':path', '/other']]],
    ['a pseudo header of answers', [[':status', '200'], ...ALICE]],
    ['an unknown pseudo header', [[':x', 'y'], ...ALICE]],
    ['another protocol', [...ALICE.slice(0, 4), [':protocol', 'websocket'], ...ALICE.slice(4)]],
    ['two methods', [[':method', 'POST'], ...ALICE]],
    ['two paths', [[':path', '/other'], ...ALICE]],
    ['two authorities', [[':authority', 'evil.example'], ...ALICE]],
    ...[':method', ':scheme', ':path', ':authority'].map((name): [string, Pairs] => [`no ${name}`, without(name)]),
    ['plain http', changed(':scheme', 'http')],
    ...['', 'x', '*', 'https://bi.example.com/', '/a b', '/a\nb', '/ HTTP/1.1\r\nx: y', '/\0'].map(
      (path): [string, Pairs] => [`the path ${JSON.stringify(path)}`, changed(':path', path)],
    ),
    ['an empty authority', changed(':authority', '')],
    ['two Hosts', [...ALICE, ['host', 'bi.example.com'], ['host', 'evil.example']]],
    [
      'CONNECT',
      [
        [':method', 'CONNECT'],
        [':authority', 'evil.example:443'],
      ],
    ],
    ['CONNECT with a path', changed(':method', 'CONNECT')],
    ['extended CONNECT', [...changed(':method', 'CONNECT').slice(0, 4), [':protocol', 'websocket'], ...ALICE.slice(4)]],
    ['a method that is none', changed(':method', 'GET /x')],
    ['two lengths', [...ALICE, ['content-length', '0'], ['content-length', '5']]],
    ['a length without a body', [...ALICE, ['content-length', '5']]],
    ['an odd length', [...ALICE, ['content-length', '0x0']]],
  ];
  it.each(resets)('is reset, and nothing reaches the backend: %s', async (_name, pairs) => {
    const client = await RawClient.open(world);
    client.ask(1, pairs);
    await client.until(() => client.errorOf(1) !== undefined, 'the reset');
    expect([client.errorOf(1), client.of(1, HEADERS)]).toEqual([PROTOCOL_ERROR, undefined]);
    expect(upstream.seen).toEqual([]);
  });

  const answered: readonly (readonly [string, number, Pairs])[] = [
    ['another host', 421, changed(':authority', 'evil.example')],
    ['the address of the gateway', 421, changed(':authority', '127.0.0.1')],
    ['another port', 421, changed(':authority', 'bi.example.com:8443')],
    ['a name with a dot behind it', 421, changed(':authority', 'bi.example.com.')],
    ['another host in Host alone', 421, [...without(':authority'), ['host', 'evil.example']]],
    ['a Host that differs', 400, [...ALICE, ['host', 'evil.example']]],
    ['an authority that differs', 400, [...changed(':authority', 'evil.example'), ['host', 'bi.example.com']]],
    ['a fragment', 400, changed(':path', '/a#b')],
    ['an encoded slash', 400, changed(':path', '/a%2fb')],
    ['an empty segment', 400, changed(':path', '//evil.example/')],
    ['TRACE', 405, changed(':method', 'TRACE')],
    ['PRI', 400, changed(':method', 'PRI')],
    [
      'a head that is too large',
      431,
      [...ALICE, ['a', 'x'.repeat(14_000)], ['b', 'x'.repeat(14_000)], ['c', 'x'.repeat(5_000)]],
    ],
  ];
  it.each(answered)('is refused in words, and nothing reaches the backend: %s', async (_name, status, pairs) => {
    const client = await RawClient.open(world);
    const block = headerBlock(pairs);
    const parts = [0, 16_000, 32_000].map((at) => block.subarray(at, at + 16_000)).filter(({ length }) => length > 0);
    for (const [at, part] of parts.entries()) {
      const flags = (at === 0 ? END_STREAM : 0) | (at === parts.length - 1 ? END_HEADERS : 0);
      client.send(frame(at === 0 ? HEADERS : CONTINUATION, flags, 1, part));
    }
    await client.until(() => client.of(1, DATA) !== undefined || client.errorOf(1) !== undefined, 'the answer');
    expect(statusIn(client.of(1, HEADERS)?.payload)).toBe(status);
    expect(JSON.parse(String(client.of(1, DATA)?.payload))).toMatchObject({ error: expect.any(String) });
    expect(upstream.seen).toEqual([]);
  });

  it('with user info in its authority is refused, in words or, by Node 22 and 24, with a reset', async () => {
    const client = await RawClient.open(world);
    client.ask(1, changed(':authority', 'bi.example.com@evil.example'));
    await client.until(() => client.of(1, DATA) !== undefined || client.errorOf(1) !== undefined, 'the refusal');
    const status = client.of(1, HEADERS) && statusIn(client.of(1, HEADERS)?.payload);
    expect([status, client.errorOf(1)]).toEqual(status === undefined ? [undefined, PROTOCOL_ERROR] : [400, undefined]);
    expect(upstream.seen).toEqual([]);
  });

  const dropped: readonly (readonly [string, Pairs[number]])[] = [
    ['a name with a blank', ['x a', 'evil']],
    ['no name', ['', 'evil']],
    ['a colon in the name', ['x:a', 'evil']],
    ['CRLF in the value', ['x-a', 'evil\r\nx-forwarded-user: evil']],
    ['LF in the value', ['x-a', 'evil\nx-forwarded-user: evil']],
    ['CR in the value', ['x-a', 'evil\rx-forwarded-user: evil']],
    ['NUL in the value', ['x-a', 'evil\0']],
    ['an identity header', ['x-forwarded-user', 'evil']],
    ['an identity header in another spelling', ['x_forwarded_user', 'evil']],
  ];
  it.each(dropped)('loses what no backend may see: %s', async (_name, pair) => {
    const client = await RawClient.open(world);
    client.ask(1, [...ALICE, pair]);
    await client.until(() => client.of(1, HEADERS) !== undefined || client.errorOf(1) !== undefined, 'an end');
    for (const { rawHeaders } of upstream.seen) expect(rawHeaders.join('\n')).not.toContain('evil');
  });

  it('is served when Host and authority agree, and without an authority when there is a Host', async () => {
    const client = await RawClient.open(world);
    client.ask(1, [...ALICE, ['host', 'BI.example.com']]);
    client.ask(3, [...without(':authority'), ['host', 'bi.example.com'], ['te', 'trailers']]);
    await client.until(() => client.of(1, DATA) !== undefined && client.of(3, DATA) !== undefined, 'the answers');
    expect(upstream.seen.map(({ rawHeaders }) => rawHeaders.filter((one) => /^host$/i.test(one)).length)).toEqual([
      1, 1,
    ]);
  });
});

describe('a body that is not what was said', () => {
  it.each([
    ['longer', '5', ['hello', ' and more']],
    ['shorter', '50', ['hello']],
  ])('is never a second request: %s', async (_name, length, pieces) => {
    const client = await RawClient.open(world);
    client.ask(1, [...POST, ['content-length', length]], END_HEADERS);
    for (const [at, piece] of pieces.entries()) {
      client.send(frame(DATA, at === pieces.length - 1 ? END_STREAM : 0, 1, piece));
    }
    await client.until(() => client.errorOf(1) !== undefined, 'the reset');
    // Node 20 says the one, Node 22 and 24 the other.
    expect([PROTOCOL_ERROR, INTERNAL_ERROR]).toContain(client.errorOf(1));
    expect(upstream.seen.length).toBeLessThanOrEqual(1);
    for (const { body } of upstream.seen) expect(body.length).toBeLessThanOrEqual(5);
  });

  it('that holds a request of HTTP/1.1 stays a body', async () => {
    const client = await RawClient.open(world);
    const smuggled = 'GET /smuggled HTTP/1.1\r\nHost: bi.example.com\r\nCookie: latchgate=alice\r\n\r\n';
    client.ask(1, POST, END_HEADERS);
    client.send(frame(DATA, END_STREAM, 1, `0\r\n\r\n${smuggled}`));
    client.ask(3, [...POST, ['content-length', String(smuggled.length)]], END_HEADERS);
    client.send(frame(DATA, END_STREAM, 3, smuggled));
    await client.until(() => client.of(1, DATA) !== undefined && client.of(3, DATA) !== undefined, 'both answers');
    expect(upstream.seen.map(({ url }) => url)).toEqual(['/', '/']);
    expect(upstream.seen.map(({ body }) => body).sort()).toEqual([`0\r\n\r\n${smuggled}`, smuggled].sort());
  });

  it('that ends in trailers loses them', async () => {
    const client = await RawClient.open(world);
    client.ask(1, POST, END_HEADERS);
    client.send(frame(DATA, 0, 1, 'hello'));
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, headerBlock([['x-forwarded-user', 'evil']])));
    await client.until(() => client.of(1, DATA) !== undefined, 'the answer');
    expect(upstream.seen[0]?.body).toBe('hello');
    expect(upstream.seen[0]?.rawHeaders.join('\n')).not.toContain('evil');
  });
});

describe('a connection that means harm', () => {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const setting = Buffer.concat([Buffer.from([0, 3]), number(100)]);
  const id = (at: number) => 2 * at + 1;
  const open = (at: number, pairs: Pairs, flags: number) => frame(HEADERS, flags, id(at), headerBlock(pairs));

  const floods: readonly (readonly [string, (at: number) => Buffer, number])[] = [
    [
      'opens and resets streams',
      (at) => Buffer.concat([open(at, ALICE, END_HEADERS | END_STREAM), frame(RST_STREAM, 0, id(at), number(8))]),
      3_000,
    ],
    ['opens streams without an end', (at) => open(at, POST, END_HEADERS), 1_000],
    ['sends broken requests', (at) => open(at, [...ALICE, ['connection', 'x']], END_HEADERS | END_STREAM), 2_000],
    [
      'goes on with its headers for ever',
      (at) => (at === 0 ? open(0, ALICE, END_STREAM) : frame(CONTINUATION, 0, 1, headerBlock([[`a${at}`, 'b']]))),
      2_000,
    ],
    [
      'goes on with nothing for ever',
      (at) => (at === 0 ? open(0, ALICE, END_STREAM) : frame(CONTINUATION, 0, 1)),
      2_000,
    ],
    ['sends settings', () => frame(SETTINGS, 0, 0, setting), 5_000],
    ['sends many settings at once', () => frame(SETTINGS, 0, 0, Buffer.concat(Array(2_000).fill(setting))), 5],
    ['acknowledges what nobody asked', () => frame(SETTINGS, ACK, 0), 5_000],
    ['pings', () => frame(PING, 0, 0, Buffer.alloc(8)), 5_000],
    ['changes priorities', (at) => frame(PRIORITY, 0, id(at), Buffer.from([0, 0, 0, 0, 1])), 5_000],
    ['opens its window', () => frame(WINDOW_UPDATE, 0, 0, number(1)), 5_000],
    ['opens its window too far', () => frame(WINDOW_UPDATE, 0, 0, number(0x7fffffff)), 3],
    ['sends empty data', (at) => (at === 0 ? open(0, POST, END_HEADERS) : frame(DATA, 0, 1)), 5_000],
    ['sends data on no stream', () => frame(DATA, 0, 0, 'x'), 3],
    ['resets streams that are not there', (at) => frame(RST_STREAM, 0, id(at), number(8)), 1_000],
    ['promises', () => frame(PUSH_PROMISE, END_HEADERS, 1, Buffer.alloc(8)), 3],
    ['sends frames that nobody knows', () => frame(0xaa, 0, 0, Buffer.alloc(10)), 5_000],
    ['sends a frame that is too large', () => frame(DATA, 0, 1, Buffer.alloc(20_000)), 3],
    ['talks of something else', () => Buffer.from('GET / HTTP/1.1\r\nHost: bi.example.com\r\n\r\n'), 3],
  ];
  it.each(floods)('is alone in that, and nobody else waits: %s', async (_name, make, count) => {
    const client = await RawClient.open(world);
    await client.flood(make, count);
    expect(await isServed()).toBe(true);
    client.socket.destroy();
    expect(upstream.seen.length).toBeLessThan(count);
  });

  // Else Node would use memory that it has freed, or abort: the process would be gone.
  it.each([
    ['in peace', 0],
    ['for an error', 2],
  ])('may ask behind its GOAWAY, in one piece with it, over and over: %s', async (_why, code) => {
    const goaway = frame(GOAWAY, 0, 0, Buffer.concat([number(0), number(code)]));
    const asked = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, at) => open(from + at, ALICE, END_HEADERS | END_STREAM));
    const sent = [open(40, POST, END_HEADERS), frame(DATA, END_STREAM, id(40), 'hello')];
    for (let round = 0; round < 5; round += 1) {
      const client = await RawClient.open(world);
      client.send(...asked(0, 20), goaway, ...asked(20, 40), ...sent);
      await client.until(() => client.closed, 'the end of the connection');
      const answers = client.frames.filter(({ type }) => type === HEADERS);
      // In peace each is answered, and by no refusal.
      if (code === 0) expect(answers.map(({ payload }) => statusIn(payload))).toEqual(Array(41).fill(200));
    }
    expect(await isServed()).toBe(true);
  });

  it('cannot blow up a small head to a large one', async () => {
    const client = await RawClient.open(world);
    const [name, value] = [Buffer.from('a'), Buffer.alloc(3_900, 'x')];
    // Indexed once (RFC 7541 §6.2.1), then named ten thousand times with a byte each.
    const entry = [Buffer.from([0x40, 1]), name, Buffer.from([0x7f, 0xbd, 0x1d]), value];
    const block = Buffer.concat([headerBlock(ALICE), ...entry, Buffer.alloc(10_000, 0x80 | 62)]);
    client.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block));
    await client.until(() => client.errorOf(1) !== undefined, 'the end');
    expect(client.of(1, HEADERS)).toBeUndefined();
    expect(upstream.seen).toEqual([]);
    expect(await isServed()).toBe(true);
  });

  it('is told how many streams there may be', async () => {
    const client = await RawClient.open(world);
    const settings =
      client.frames.find(({ type, flags }) => type === SETTINGS && flags === 0)?.payload ?? Buffer.alloc(0);
    const told = new Map<number, number>();
    for (let at = 0; at < settings.length; at += 6) told.set(settings.readUInt16BE(at), settings.readUInt32BE(at + 2));
    expect(told.get(3)).toBe(100);
    expect(told.get(6)).toBe(65_536);
    expect(told.get(8) ?? 0).toBe(0);
    for (let at = 0; at < 100; at += 1) client.send(open(at, POST, END_HEADERS));
    expect(await isServed()).toBe(true);
    expect(client.closed).toBe(false);
    client.send(open(100, POST, END_HEADERS));
    await client.until(() => client.errorOf(id(100)) !== undefined, 'the stream too many');
    expect(client.of(id(100), HEADERS)).toBeUndefined();
    expect(await isServed()).toBe(true);
  });
});
