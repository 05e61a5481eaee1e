import { ask, closeAll, type HttpUpstream, startUpstream, startWorld, type World } from './harness.ts';
import { char, head, SMUGGLED, statuses } from './raw-harness.ts';

let upstream: HttpUpstream;
let world: World;

beforeAll(async () => {
  upstream = await startUpstream();
  world = await startWorld({ upstream: upstream.url });
  await ask(world.port, 'GET /before');
});
beforeEach(() => {
  upstream.seen.length = 0;
});
afterAll(closeAll);

const LOOKALIKE = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const CHUNKED = head('POST /first HTTP/1.1', 'Transfer-Encoding: chunked');
const CONTROLS = [...Array.from({ length: 32 }, (_, code) => code), 127].filter((code) => ![9, 10, 13].includes(code));

const BROKEN: Readonly<Record<string, readonly string[]>> = {
  'a size that is none': [
    ...['+3', '-3', '0x3', '3h', '3 3', '3,3', '3.0', '3_', '\\x33', '"3"', 'g', 'three', '\xb3', '', ' ', '\t'],
    ...[' 3', '\t3', '3 ', '3\t', '3\x0b', '\x003', '3\x00', '\xa03'],
    ...['10000000000000003', 'fffffffffffffffff', '-1', '100000000000000003'],
    ...['f'.repeat(400)],
  ].map((size) => `${size}\r\nabc\r\n0\r\n\r\n`),
  'a line that ends in something else': [
    '3\nabc\r\n0\r\n\r\n',
    '3\rabc\r\n0\r\n\r\n',
    '3\r\nabc\n0\r\n\r\n',
    '3\r\nabc\r0\r\n\r\n',
    '3\r\nabc0\r\n\r\n',
    '3\r\nabc\r\n0\n\r\n',
    '3\r\nabc\r\n0\r\r\n',
    '3\r\nabc\r\n0\r\n\n',
    '3\r\nabc\r\n0\n\n',
    '3\n\rabc\r\n0\r\n\r\n',
    '3\r\r\nabc\r\n0\r\n\r\n',
    '3\r\nabc\r\n\r\n0\r\n\r\n',
    '\r\n3\r\nabc\r\n0\r\n\r\n',
    '\n3\r\nabc\r\n0\r\n\r\n',
  ],
  'more or fewer bytes than it says': [
    '3\r\nabcd\r\n0\r\n\r\n',
    '3\r\nab\r\n0\r\n\r\n',
    '1\r\n\r\n0\r\n\r\n',
    '2\r\nabc\r\n0\r\n\r\n',
    '0\r\nabc\r\n0\r\n\r\n',
    '3\r\nabcXX0\r\n\r\n',
    '3\r\nabc0\r\n0\r\n\r\n',
  ],
  'an extension that is none': [
    '3;\nabc\r\n0\r\n\r\n',
    '3;x\nabc\r\n0\r\n\r\n',
    '3;x\rabc\r\n0\r\n\r\n',
    '3;x=y\nabc\r\n0\r\n\r\n',
    '3;x="\n"\r\nabc\r\n0\r\n\r\n',
    '3;x="\r\n"\r\nabc\r\n0\r\n\r\n',
    '3;x\r\r\nabc\r\n0\r\n\r\n',
    ...CONTROLS.map((code) => `3;x${char(code)}y\r\nabc\r\n0\r\n\r\n`),
    `3;${'x'.repeat(20_000)}\r\nabc\r\n0\r\n\r\n`,
    ...['3 ;x', '3; x', '3;x =y', '3;x= y', '3x', '3:x', '3,x'].map((line) => `${line}\r\nabc\r\n0\r\n\r\n`),
  ],
  'a trailer that is none': [
    '3\r\nabc\r\n0\r\nX-A: b\n\r\n',
    '3\r\nabc\r\n0\r\nX-A : b\r\n\r\n',
    '3\r\nabc\r\n0\r\n X-A: b\r\n\r\n',
    '3\r\nabc\r\n0\r\nX-A: b\r\n c\r\n\r\n',
    '3\r\nabc\r\n0\r\nno colon\r\n\r\n',
    '3\r\nabc\r\n0\r\n: b\r\n\r\n',
    '3\r\nabc\r\n0\r\nX A: b\r\n\r\n',
    '3\r\nabc\r\n0\r\nX-A: \x00\r\n\r\n',
    '3\r\nabc\r\n0\r\nX-\x00A: b\r\n\r\n',
    '3\r\nabc\r\n0\r\nContent-Length: 3\r\n\r\n',
    '3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n',
    '3\r\nabc\r\n0\r\nGET /smuggled HTTP/1.1\r\n\r\n',
  ],
};

describe('chunks that two servers could read differently', () => {
  it.each(Object.entries(BROKEN))('end with 400 and a closed connection, whatever follows: %s', async (_what, all) => {
    const ends: Record<string, string> = {};
    for (const body of all) ends[body] = await statuses(world.port, CHUNKED + body + SMUGGLED);
    expect(Object.entries(ends).filter(([, end]) => end !== '400 closed')).toEqual([]);
    expect(upstream.seen.map(({ url }) => url)).not.toContain('/smuggled');
    expect(upstream.seen.length).toBeLessThanOrEqual(all.length);
  });

  it.each(Object.entries(BROKEN))('end so when they come after the head: %s', async (_what, all) => {
    const ends: Record<string, string> = {};
    for (const body of all) {
      const cuts = [CHUNKED.length, CHUNKED.length + 3, CHUNKED.length + body.length - 1];
      ends[body] = await statuses(world.port, CHUNKED + body + SMUGGLED, cuts);
    }
    expect(Object.entries(ends).filter(([, end]) => end !== '400 closed')).toEqual([]);
    expect(upstream.seen.map(({ url }) => url)).not.toContain('/smuggled');
  });

  it.each(['8000000000000003', '7fffffffffffffff', 'ffffffff'])(
    'swallow what follows when they are longer than anything: %s',
    async (size) => {
      const client = statuses(world.port, `${CHUNKED}${size}\r\nabc\r\n0\r\n\r\n${SMUGGLED}`, [], 300);
      expect(await client).toBe('open');
      expect(upstream.seen.map(({ url }) => url)).toEqual(['/first']);
    },
  );

  it('end with 431 when their trailer is larger than a head may be', async () => {
    const trailer = 'X-A: aaaaaaaaaaaaaaaa\r\n'.repeat(3_000);
    expect(await statuses(world.port, `${CHUNKED}3\r\nabc\r\n0\r\n${trailer}\r\n`)).toBe('431 closed');
  });
});

describe('chunks that are odd and whole', () => {
  it.each([
    ['capital letters', 'B\r\nhello world\r\n0\r\n\r\n', 'hello world'],
    ['zeros in front', '00b\r\nhello world\r\n000\r\n\r\n', 'hello world'],
    ['extensions', 'b;x=1;y="z"\r\nhello world\r\n0;end\r\n\r\n', 'hello world'],
    ['trailers', '5\r\nhello\r\n0\r\nX-Forwarded-User: forged\r\nCookie: forged\r\n\r\n', 'hello'],
    ['what looks like another request', `23\r\n${LOOKALIKE}\r\n0\r\n\r\n`, LOOKALIKE],
    ['a byte each', `${[...'hello'].map((letter) => `1\r\n${letter}\r\n`).join('')}0\r\n\r\n`, 'hello'],
  ])('arrive as the body that they are: %s', async (_what, body, expected) => {
    const request = head('POST /first HTTP/1.1', 'Transfer-Encoding: chunked', 'Connection: close');
    expect(await statuses(world.port, request + body)).toBe('200 closed');
    expect(upstream.seen).toMatchObject([{ url: '/first', body: expected }]);
    expect(JSON.stringify(upstream.seen)).not.toContain('forged');
  });
});
