import type { Socket } from 'node:net';
import { foldHeaderName } from '../../src/proxy/identity-headers.ts';
import { closeAll, exchange, parseAnswer, startRawUpstream, startWorld } from './harness.ts';
import { COOKIE, HOST } from './raw-harness.ts';

afterEach(closeAll);

/** What the gateway says itself, to every upstream. */
const OURS = [
  ...['x-forwarded-user', 'x-forwarded-email', 'x-forwarded-preferred-username', 'x-forwarded-groups'],
  ...['x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-request-id'],
  'x-latchgate-assertion',
];
const IDENTITY = [
  'x-forwarded-user',
  'x-forwarded-email',
  'x-forwarded-preferred-username',
  'x-forwarded-groups',
].concat('x-latchgate-assertion');

/** What the sign-in of some target says, on this deployment or another; none of it is configured for `main`. */
const SIGN_IN = ['x-custom-user', 'x-gdc-authtoken', 'x-gdc-user', 'x-remote-user'];

/** What an upstream could take for the identity, the place or the address of a request. */
const MISLEADING = [
  ...['forwarded', 'x-forwarded', 'x-forwarded-server', 'x-forwarded-scheme', 'x-forwarded-ssl', 'x-forwarded-uri'],
  ...['x-forwarded-prefix', 'x-forwarded-path', 'x-forwarded-method', 'x-forwarded-access-token', 'x-forwarded-by'],
  ...['x-original-url', 'x-original-uri', 'x-original-host', 'x-original-method', 'x-original-for', 'x-rewrite-url'],
  ...['x-real-ip', 'x-client-ip', 'x-cluster-client-ip', 'true-client-ip', 'cf-connecting-ip', 'fastly-client-ip'],
  ...[
    'client-ip',
    'x-originating-ip',
    'x-remote-ip',
    'x-remote-addr',
    'x-envoy-external-address',
    'x-envoy-original-path',
  ],
  ...['remote-user', 'remote-email', 'remote-groups', 'remote-name', 'remote-addr', 'x-auth-request-user'],
  ...[
    'x-auth-request-email',
    'x-webauth-user',
    'x-authenticated-user',
    'ssl-client-cert',
    'ssl-client-s-dn',
    'x-ssl-cert',
  ],
  ...['x-latchgate-user', 'x-latchgate-anything', 'x-http-method-override', 'x-http-method', 'x-method-override'],
  ...['x-host', 'x-http-host-override', 'script-name', 'path-info', 'x-script-name', 'x-scheme', 'x-url-scheme'],
  ...['front-end-https', 'proxy', 'proxy-authorization'],
];

/** Every byte that a name may hold and that CGI and WSGI make the same of. */
const SEPARATORS = [..."-_!#$%&'*+.^`|~"];

/** Names as far apart as can be that some server reads as this one. */
function spellings(name: string): string[] {
  const capital = name.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase());
  const all = SEPARATORS.flatMap((separator) => [
    name.replaceAll('-', separator),
    capital.replaceAll('-', separator),
    name.toUpperCase().replace('-', separator),
    capital.replace(/-(?=[^-]*$)/, separator),
  ]);
  return [...new Set([name, capital, name.toUpperCase(), ...all])];
}

const FORGED = 'forged-value';
const HANDSHAKE = [
  ...['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13'],
  ...['Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', 'Origin: http://bi.example.com'],
];

/** Every way by which a request goes up. */
const WAYS: readonly (readonly [string, (lines: readonly string[]) => string])[] = [
  ['a route', (lines) => request('GET /', [COOKIE, ...lines])],
  ['HEAD', (lines) => request('HEAD /', [COOKIE, ...lines])],
  ['OPTIONS', (lines) => request('OPTIONS /', [COOKIE, ...lines])],
  ['a rare method', (lines) => request('PROPFIND /', [COOKIE, ...lines])],
  ['a public route', (lines) => request('GET /public', lines)],
  ['a public route with a session', (lines) => request('GET /public', [COOKIE, ...lines])],
  ['OPTIONS of a public route', (lines) => request('OPTIONS /public', lines)],
  ['an upload', (lines) => request('POST /', [COOKIE, ...lines, 'Content-Length: 4'], 'body')],
  ['a trailer', (lines) => chunked('POST /', ['Trailer: X-Forwarded-User'], lines)],
  ['a trailer of a public route', (lines) => chunked('POST /public', [], lines)],
  ['a WebSocket', (lines) => request('GET /ws', [COOKIE, ...HANDSHAKE, ...lines], '', '')],
  ['HTTP/1.0', (lines) => request('GET /', [COOKIE, ...lines], '', '', '1.0')],
  ['behind the cookies', (lines) => request('GET /', [...lines, COOKIE])],
];

function request(
  line: string,
  lines: readonly string[],
  body = '',
  last = 'Connection: close',
  version = '1.1',
): string {
  const all = [`${line} HTTP/${version}`, HOST, ...lines, ...(last === '' ? [] : [last])];
  return `${all.join('\r\n')}\r\n\r\n${body}`;
}

function chunked(line: string, lines: readonly string[], trailers: readonly string[]): string {
  const head = request(line, [COOKIE, ...lines, 'Transfer-Encoding: chunked']);
  return `${head}4\r\nbody\r\n0\r\n${trailers.map((trailer) => `${trailer}\r\n`).join('')}\r\n`;
}

const signIn = {
  drop: ['authorization', 'x-custom-user', 'x-gdc-auth*', 'x-gdc-user*'],
  headers: async () => ({ set: {}, validForSeconds: 300 }),
};

/** Whose requests are seen byte by byte. `other` is a target that nothing leads to. */
async function start() {
  const upstream = await startRawUpstream((socket: Socket) => {
    socket.end('HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
  });
  const world = await startWorld({
    upstream: upstream.url,
    routes: [
      { path: '/', target: 'main', isPublic: false },
      { path: '/public', target: 'main', isPublic: true },
    ],
    deps: {
      targets: [
        { name: 'main', url: upstream.url },
        { name: 'other', url: upstream.url, signIn },
      ],
    },
  });
  return { upstream, port: world.port };
}

/** Lines of a head by folded name. */
function linesOf(head: string): Map<string, string[]> {
  const lines = new Map<string, string[]>();
  for (const line of head.split('\r\n\r\n', 1)[0]?.split('\r\n').slice(1) ?? []) {
    const name = foldHeaderName(line.slice(0, line.indexOf(':')));
    lines.set(name, [...(lines.get(name) ?? []), line]);
  }
  return lines;
}

describe('no spelling of a name that is ours gets through', () => {
  it.each(WAYS)(
    'on %s',
    async (way, write) => {
      const { upstream, port } = await start();
      for (const name of [...OURS, ...SIGN_IN, ...MISLEADING]) {
        const lines = spellings(name).map((spelled) => `${spelled}: ${FORGED}`);
        upstream.requests.length = 0;
        const answer = parseAnswer(await exchange(port, write(lines)));
        const [sent = ''] = upstream.requests;
        expect([way, name, answer.status, upstream.requests.length]).toEqual([way, name, 200, 1]);
        expect([name, ...[...linesOf(sent).values()].flat().filter((line) => line.includes(FORGED))]).toEqual([name]);
        const isPublic = sent.includes(' /public ');
        for (const own of OURS) {
          const expected = isPublic && IDENTITY.includes(own) ? 0 : 1;
          expect([name, own, linesOf(sent).get(own)?.length ?? 0]).toEqual([name, own, expected]);
        }
      }
    },
    60_000,
  );

  it('by forward-auth', async () => {
    const { port } = await start();
    for (const name of [...OURS, ...SIGN_IN, ...MISLEADING]) {
      const lines = spellings(name).map((spelled) => `${spelled}: ${FORGED}`);
      const answer = parseAnswer(await exchange(port, request('GET /.latchgate/auth', [COOKIE, ...lines])));
      expect(answer.head).not.toContain(FORGED);
    }
  });
});

describe('a name that a server could read as one that frames or names a request', () => {
  it.each(['host', 'content-length', 'transfer-encoding', 'cookie', 'content-type', 'connection', 'upgrade'])(
    'never goes up in another spelling: %s',
    async (name) => {
      const { upstream, port } = await start();
      const others = spellings(name).filter((spelled) => spelled.toLowerCase() !== name);
      for (const lines of [others, others.map((spelled) => ` ${spelled}`.trim())]) {
        upstream.requests.length = 0;
        const all = lines.map((spelled) => `${spelled}: ${FORGED}`);
        await exchange(port, request('POST /', [COOKIE, ...all, 'Content-Length: 4'], 'body'));
        expect(upstream.requests.join()).not.toContain(FORGED);
        expect(linesOf(upstream.requests[0] ?? '').get('content-length')).toEqual([expect.stringMatching(/: 4$/)]);
      }
    },
  );
});

describe('Connection', () => {
  const PROTECTED = [...OURS, 'host', 'cookie', 'content-length', 'content-type', 'authorization', 'origin'];
  const wordings: readonly ((name: string) => readonly string[])[] = [
    (name) => [`Connection: close, ${name}`],
    (name) => [`Connection: ${name}, close`],
    (name) => [`Connection: close,${name.toUpperCase()}`],
    (name) => [`connection: close\t,\t${name}\t`],
    (name) => [`Connection: ,,close, ,${name},,`],
    (name) => [`Connection: ${name}`, 'Connection: close'],
    (name) => ['Connection: close', `CONNECTION: ${name}`],
    (name) => [`Connection: close, "${name}"`, `Connection: ${name};q=1`],
    (name) => [`Connection: close, ${name.replaceAll('-', '_')}`],
    (name) => [`Connection: close, ${name}, ${name}, ${name}`],
    (name) => [`Connection: close, ${Array.from({ length: 500 }, () => name).join()}`],
    (name) => ['Connection: close', `Proxy-Connection: ${name}`, `Keep-Alive: ${name}`, `TE: ${name}`],
  ];

  it.each(PROTECTED)('names %s away in no wording', async (name) => {
    const { upstream, port } = await start();
    for (const wording of wordings) {
      upstream.requests.length = 0;
      const own = [
        ...['Cookie: own=1; latchgate=alice', 'Content-Type: text/plain', 'Authorization: Basic b3duOm93bg=='],
        ...['Origin: http://bi.example.com', ...wording(name), 'Content-Length: 4'],
      ];
      const raw = await exchange(port, request('POST /', own, 'body'));
      expect(parseAnswer(raw).status).toBe(200);
      const sent = linesOf(upstream.requests[0] ?? '');
      expect([wording(name), sent.get(name)?.length]).toEqual([wording(name), 1]);
      expect(sent.get('cookie')?.[0]).toMatch(/: own=1$/);
      expect(upstream.requests.join('')).toMatch(/\r\n\r\nbody$/);
    }
  });

  it('takes what it names otherwise along, in any wording', async () => {
    const { upstream, port } = await start();
    for (const wording of wordings.slice(0, 7)) {
      upstream.requests.length = 0;
      await exchange(port, request('GET /', [COOKIE, 'X-Hop: 1', 'x-hop: 2', 'X-Stays: 1', ...wording('x-hop')]));
      const sent = linesOf(upstream.requests[0] ?? '');
      expect([sent.has('x-hop'), sent.get('x-stays')?.length]).toEqual([false, 1]);
    }
  });
});
