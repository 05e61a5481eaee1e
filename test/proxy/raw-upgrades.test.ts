import { ask, closeAll, parseAnswer, startRawUpstream, startUpstream, startWorld } from './harness.ts';
import { COOKIE, head, SMUGGLED, statuses } from './raw-harness.ts';

afterEach(closeAll);

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const VERSION = 'Sec-WebSocket-Version: 13';
const ORIGIN = 'Origin: http://bi.example.com';

/** Asks for `lines` beside alice's cookie at an upstream that switches to anything; then speaks HTTP into what it got. */
async function upgrade(
  ...lines: readonly string[]
): Promise<{ readonly end: string; readonly requests: readonly string[] }> {
  const raw = await startRawUpstream((socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  const { port } = await startWorld({ upstream: raw.url });
  const end = await statuses(port, head('GET /ws HTTP/1.1', ...lines) + SMUGGLED, [], 2_000);
  return { end, requests: raw.requests };
}

describe('an upgrade', () => {
  const PROTOCOLS = [
    ...[
      'h2c',
      'H2C',
      'h2',
      'h2c, websocket',
      'websocket, h2c',
      'websocket,h2c',
      'websocket\r\nUpgrade: h2c',
      'h2c\r\nUpgrade: websocket',
    ],
    ...[
      'HTTP/2.0',
      'TLS/1.0',
      'TLS/1.2, HTTP/1.1',
      'IRC/6.9',
      'websocket/13',
      'websocket;x',
      '"websocket"',
      'web socket',
      'websockets',
      'SPDY/3.1',
    ],
    ...['x', 'tcp', 'connect-udp', 'connect-tcp', 'h3', 'WebSocket, WebSocket', 'raw', '*'],
  ];

  it('to anything but WebSocket is refused, and not a byte goes upstream', async () => {
    for (const protocol of PROTOCOLS) {
      for (const connection of ['Upgrade', 'upgrade, HTTP2-Settings', 'keep-alive, Upgrade']) {
        const { end, requests } = await upgrade(
          `Connection: ${connection}`,
          `Upgrade: ${protocol}`,
          KEY,
          VERSION,
          ORIGIN,
        );
        expect([protocol, connection, end, requests]).toEqual([protocol, connection, '400 closed', []]);
      }
    }
  }, 60_000);

  it('with settings of HTTP/2, or with a handshake that is not whole, is refused', async () => {
    const own = ['Connection: Upgrade', 'Upgrade: websocket', ORIGIN];
    const odd: readonly (readonly string[])[] = [
      ['HTTP2-Settings: AAMAAABkAAQAAP__', KEY, VERSION],
      ['HTTP2-Settings:', KEY, VERSION],
      [KEY],
      [VERSION],
      [KEY, KEY, VERSION],
      [KEY, VERSION, VERSION],
      ...['12', '8', '0', '013', '13, 8', '13 ', '1 3', 'x', '']
        .filter((one) => one !== '13 ')
        .map((one) => [KEY, `Sec-WebSocket-Version: ${one}`]),
      ...[
        '',
        'x',
        'dGhlIHNhbXBsZSBub25jZQ',
        'dGhlIHNhbXBsZSBub25jZQ==x',
        'dGhlIHNhbXBsZSBub25jZ===',
        '*'.repeat(24),
      ].map((one) => [VERSION, `Sec-WebSocket-Key: ${one}`]),
      [KEY, VERSION, 'Content-Length: 5'],
      [KEY, VERSION, 'Transfer-Encoding: chunked'],
    ];
    for (const lines of odd) {
      const { end, requests } = await upgrade(...own, ...lines);
      expect([lines, end, requests]).toEqual([lines, '400 closed', []]);
    }
  }, 60_000);

  it('from another origin, in any spelling, is refused', async () => {
    const origins = [
      ...[
        'http://evil.example',
        'https://bi.example.com',
        'http://bi.example.com:80',
        'http://bi.example.com:8080',
        'HTTP://bi.example.com',
        'http://BI.example.com',
      ],
      ...[
        'http://bi.example.com/',
        'http://bi.example.com/x',
        'http://bi.example.com.',
        'http://bi.example.com.evil.example',
        'http://xbi.example.com',
      ],
      ...[
        'http://bi.example.com@evil.example',
        'http://user@bi.example.com',
        'bi.example.com',
        '//bi.example.com',
        'ws://bi.example.com',
        'null',
        'NULL',
        '',
      ],
      ...[
        '*',
        'file://',
        'http://',
        'about:blank',
        'http://bi.example.com http://bi.example.com',
        'http://bi.example.com, http://evil.example',
        'http://bi.example.com\tx',
      ],
      ...[
        'http://bi.example.com\r\nOrigin: http://evil.example',
        'http://evil.example\r\nOrigin: http://bi.example.com',
        'http://bi.example.com\r\nOrigin: http://bi.example.com',
      ],
    ];
    for (const origin of origins) {
      const { end, requests } = await upgrade(
        'Connection: Upgrade',
        'Upgrade: websocket',
        KEY,
        VERSION,
        `Origin: ${origin}`,
      );
      expect([origin, end, requests]).toEqual([origin, '403 closed', []]);
    }
    for (const name of ['Sec-WebSocket-Origin', 'Referer', 'X-Origin', 'Origin_', 'X-Forwarded-Origin']) {
      const { end, requests } = await upgrade(
        'Connection: Upgrade',
        'Upgrade: websocket',
        KEY,
        VERSION,
        `${name}: http://bi.example.com`,
      );
      expect([name, end, requests]).toEqual([name, '403 closed', []]);
    }
  }, 60_000);

  it('that is not one, for want of its Connection, is plain HTTP and says nothing of it upstream', async () => {
    for (const lines of [
      ['Upgrade: websocket'],
      ['Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
      ['Upgrade: h2c', 'Connection: close, Upgrad'],
      ['Connection: Upgrade'],
      ['Connection: Upgrade', 'Upgrade:'],
      ['Connection: Upgrade', 'Upgrade: \t'],
    ]) {
      const seen = await startUpstream();
      const { port } = await startWorld({ upstream: seen.url });
      expect((await ask(port, 'GET /', [COOKIE, KEY, VERSION, ORIGIN, ...lines])).status).toBe(200);
      expect(JSON.stringify(seen.seen[0]?.rawHeaders)).not.toMatch(/"(?:upgrade|http2-settings)"/i);
    }
  });

  it('by a page of ours and with a session is one', async () => {
    for (const protocol of ['websocket', 'WebSocket', 'WEBSOCKET']) {
      const { end, requests } = await upgrade(
        'Connection: keep-alive, Upgrade',
        `Upgrade: ${protocol}`,
        KEY,
        VERSION,
        ORIGIN,
      );
      expect(end).toMatch(/^101 .*open$/);
      expect(parseAnswer(requests.join('')).head).toMatch(/^GET \/ws HTTP\/1\.1\r\n/);
    }
  });
});
