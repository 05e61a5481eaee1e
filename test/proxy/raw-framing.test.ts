import { ask, closeAll, type HttpUpstream, startUpstream, startWorld, type World } from './harness.ts';
import { COOKIE, head, SMUGGLED, statuses } from './raw-harness.ts';
import { SPELLINGS } from './raw-spellings.ts';

let upstream: HttpUpstream;
let world: World;

beforeAll(async () => {
  upstream = await startUpstream();
  world = await startWorld({ upstream: upstream.url });
  // From now on nothing has to be waited for before a request of alice goes up.
  await ask(world.port, 'GET /before');
});
beforeEach(() => {
  upstream.seen.length = 0;
  world.calls.gateway.length = 0;
});
afterAll(closeAll);

describe('raw requests that two servers could read differently', () => {
  it.each(Object.entries(SPELLINGS))(
    'end with 400 and a closed connection, whatever follows: %s',
    async (_what, all) => {
      const ends: Record<string, string> = {};
      for (const bytes of all) ends[bytes] = await statuses(world.port, bytes + SMUGGLED + SMUGGLED);
      expect(Object.entries(ends).filter(([, end]) => end !== '400 closed')).toEqual([]);
      // Its head may have gone up before the body was seen to be broken; never anything behind it.
      expect(upstream.seen.map(({ url }) => url).filter((url) => url !== '/first')).toEqual([]);
      expect(upstream.seen.length).toBeLessThanOrEqual(all.length);
      expect(world.calls.gateway).toEqual([]);
    },
  );

  it('end so however the bytes are cut', async () => {
    const ends: Record<string, string> = {};
    const all = Object.values(SPELLINGS).flat();
    for (const [at, bytes] of all.entries()) {
      const cuts = [1, 3, 7].map((part) => (at * 31 * part) % bytes.length).sort((a, b) => a - b);
      ends[bytes] = await statuses(world.port, bytes + SMUGGLED + SMUGGLED, cuts);
    }
    expect(Object.entries(ends).filter(([, end]) => end !== '400 closed')).toEqual([]);
    expect(upstream.seen.map(({ url }) => url).filter((url) => url !== '/first')).toEqual([]);
  }, 60_000);

  it.each(['bi.example.com:80', 'evil.example:443', '/', 'http://bi.example.com/', '127.0.0.1:22', '[::1]:22', '*'])(
    'are refused with 405 and a closed connection: CONNECT %s',
    async (target) => {
      for (const version of ['1.1', '1.0']) {
        const end = await statuses(world.port, head(`CONNECT ${target} HTTP/${version}`) + SMUGGLED);
        expect(['405 closed', '400 closed']).toContain(end);
      }
      expect(upstream.seen).toEqual([]);
    },
  );
});

describe('a Host that is none of ours', () => {
  const misdirected = [
    ...[
      'evil.example',
      'bi.example.com.evil.example',
      'xbi.example.com',
      'bi.example.com.',
      'example.com',
      'localhost',
    ],
    ...['127.0.0.1', '[::1]', 'bi.example.com:81', 'bi.example.com:443', 'bi.example.com:00080', 'bi.example.com:'],
    ...['bi_example.com', 'bi-example.com', 'com', 'evil.example:80'],
  ];
  const broken = [
    ...[
      'a b',
      'bi.example.com, evil.example',
      'bi.example.com evil.example',
      'http://bi.example.com',
      '//bi.example.com',
    ],
    ...[
      'user@bi.example.com',
      'bi.example.com@evil.example',
      'bi.example.com/',
      'bi.example.com/x',
      'bi.example.com:x',
    ],
    ...[
      'bi.example.com:80:80',
      'bi.example.com:-1',
      'bi.example.com:999999',
      '[::1',
      '::1',
      '*',
      'bi.example.com#',
      'b\xe9',
    ],
    ...[
      'bi.example.com?',
      'bi.example.com\\',
      'bi.example.com%00',
      'bi%2eexample.com',
      'bi.example.com\tx',
      '"bi.example.com"',
    ],
  ];

  it.each([
    [421, misdirected],
    [400, broken],
  ])('is %i, closed and never forwarded', async (status, hosts) => {
    for (const host of hosts) {
      for (const target of ['/first', '/.latchgate/login', `http://${host}/first`]) {
        const request = `GET ${target} HTTP/1.1\r\nHost: ${host}\r\n${COOKIE}\r\n\r\n`;
        const end = await statuses(world.port, request + SMUGGLED);
        const fits = end === `${status} closed` || (target.includes('//') && end === '400 closed');
        expect([target, host, end, fits]).toEqual([target, host, end, true]);
      }
    }
    expect(upstream.seen).toEqual([]);
    expect(world.calls.gateway).toEqual([]);
  });

  it('is not believed in other headers either', async () => {
    const names = [
      'X-Forwarded-Host',
      'X-Host',
      'X-Forwarded-Server',
      'X-HTTP-Host-Override',
      'Forwarded',
      'X-Original-Host',
    ];
    const lines = names.map((name) => `${name}: host=evil.example`);
    expect((await ask(world.port, 'GET /first', [COOKIE, ...lines])).status).toBe(200);
    expect(JSON.stringify(upstream.seen)).not.toContain('evil.example');
  });
});
