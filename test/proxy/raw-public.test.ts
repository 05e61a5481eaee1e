import { posix } from 'node:path';
import { ask, closeAll, type HttpUpstream, startUpstream, startWorld, type World } from './harness.ts';
import { HOST, SMUGGLED, statuses } from './raw-harness.ts';

let upstream: HttpUpstream;
let world: World;

beforeAll(async () => {
  upstream = await startUpstream();
  world = await startWorld({
    upstream: upstream.url,
    routes: [
      { path: '/', target: 'main', isPublic: false },
      { path: '/health', target: 'main', isPublic: true, methods: ['GET'] },
      { path: '/open', target: 'main', isPublic: true },
      { path: '/open/closed', target: 'main', isPublic: false },
    ],
  });
  await ask(world.port, 'GET /before');
});
beforeEach(() => {
  upstream.seen.length = 0;
});
afterAll(closeAll);

/** What some server behind us makes of a path before it serves it. */
const READINGS: readonly ((path: string) => string)[] = [
  (path) => path,
  decode,
  (path) => decode(decode(path)),
  (path) => decode(path).replaceAll('\\', '/'),
  (path) => decode(path).replace(/;[^/]*/g, ''),
  (path) => decode(path).replace(/\/{2,}/g, '/'),
  (path) => posix.normalize(decode(path)),
  (path) =>
    posix.normalize(
      decode(path)
        .replace(/;[^/]*/g, '')
        .replaceAll('\\', '/'),
    ),
  (path) => posix.normalize(path),
  (path) => new URL(path, 'http://x').pathname,
];

function decode(path: string): string {
  return path.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('latin1'));
}

const DOTS = [
  '.',
  '..',
  '%2e',
  '%2E',
  '%2e%2e',
  '.%2e',
  '%2e.',
  '%252e%252e',
  '%%32%65%%32%65',
  '%c0%ae%c0%ae',
  '%e0%80%ae',
  '...',
];
const SLASHES = [
  '/',
  '//',
  '%2f',
  '%2F',
  '%252f',
  '%5c',
  '%5C',
  '\\',
  '%c0%af',
  '/./',
  '/%2e/',
  '%u2215',
  '%ef%bc%8f',
  '/;/',
  ';/',
  ';x=/',
  '%3b/',
  '%00/',
  '/%00',
];
const STARTS = [
  '/health',
  '/open',
  '/%68ealth',
  '/HEALTH',
  '/health%20',
  '/health%09',
  '/healthy',
  '//health',
  '/./health',
  '/x/../health',
  '/x/..;/health',
  '/x%2f..%2fhealth',
];

describe('a path that skips the login', () => {
  it('is one that every server behind us reads as public', async () => {
    const targets = STARTS.flatMap((start) => [
      start,
      ...SLASHES.flatMap((slash) => [
        `${start}${slash}secret`,
        `${start}${slash}closed`,
        ...DOTS.map((dots) => `${start}${slash}${dots}${slash}secret`),
      ]),
      ...DOTS.map((dots) => `${start}/${dots}/open/closed`),
    ]);
    const decisions = new Map<string, number>();
    for (const target of new Set(targets)) decisions.set(target, (await ask(world.port, `GET ${target}`, [])).status);
    const statusesSeen = new Set(decisions.values());
    expect([...statusesSeen].every((status) => [200, 400, 401].includes(status))).toBe(true);
    expect(upstream.seen.length).toBe([...decisions.values()].filter((status) => status === 200).length);
    const isPublic = (path: string) => /^\/(?:health|open)(?:\/|$)/.test(path) && !/^\/open\/closed(?:\/|$)/.test(path);
    const wrong = upstream.seen.flatMap(({ url = '' }) =>
      READINGS.map((read) => read(url))
        .filter((path) => !isPublic(decode(path)))
        .map((path) => `${url} as ${path}`),
    );
    expect(wrong).toEqual([]);
    // What is plainly public is served all the same.
    expect([
      decisions.get('/health'),
      decisions.get('/open'),
      decisions.get('/%68ealth'),
      decisions.get('/x/../health'),
    ]).toEqual([200, 200, 200, 200]);
    expect(targets.length).toBeGreaterThan(2_500);
  }, 60_000);

  const HEADERS = [
    ...[
      'X-Forwarded-Uri',
      'X-Forwarded-Path',
      'X-Forwarded-Prefix',
      'X-Original-URL',
      'X-Original-URI',
      'X-Rewrite-URL',
    ],
    ...[
      'X-Envoy-Original-Path',
      'X-Forwarded-Url',
      'X-Request-Uri',
      'Request-Uri',
      'X-Override-URL',
      'Path',
      ':path',
      'Location',
    ],
    ...[
      'Referer',
      'Script-Name',
      'SCRIPT_NAME',
      'Path-Info',
      'PATH_INFO',
      'X-Script-Name',
      'Destination',
      'X-Accel-Redirect',
    ],
  ].filter((name) => !name.startsWith(':'));
  const METHODS = [
    'X-HTTP-Method-Override',
    'X-HTTP-Method',
    'X-Method-Override',
    'X-Forwarded-Method',
    'X-Original-Method',
    'Method',
  ];
  const AGENTS = [
    'ELB-HealthChecker/2.0',
    'kube-probe/1.30',
    'GoogleHC/1.0',
    'Consul Health Check',
    'Mozilla/5.0',
    '/health',
  ];
  const PEERS = [
    'X-Forwarded-For',
    'X-Real-IP',
    'True-Client-IP',
    'Client-IP',
    'X-Originating-IP',
    'CF-Connecting-IP',
    'Forwarded',
  ];

  it('is chosen by the request line alone', async () => {
    const lines = [
      ...HEADERS.flatMap((name) =>
        ['/health', '/open', 'http://bi.example.com/health', '/health?', '/open/../health'].map(
          (path) => `${name}: ${path}`,
        ),
      ),
      ...METHODS.flatMap((name) => ['GET', 'get', 'OPTIONS'].map((method) => `${name}: ${method}`)),
      ...AGENTS.map((agent) => `User-Agent: ${agent}`),
      ...PEERS.flatMap((name) => ['127.0.0.1', '::1', 'localhost', 'for=127.0.0.1'].map((peer) => `${name}: ${peer}`)),
      ...[
        'Upgrade: health',
        'Connection: X-Health',
        'Access-Control-Request-Method: GET',
        'Origin: http://bi.example.com',
        'Range: bytes=0-',
      ],
    ];
    for (const line of lines) {
      for (const [request, expected] of [
        ['GET /secret', 401],
        ['POST /health', 405],
        ['GET /open/closed', 401],
        ['DELETE /health', 405],
      ] as const) {
        const { status } = await ask(world.port, request, [line]);
        expect([line, request, status]).toEqual([line, request, expected]);
      }
    }
    expect(upstream.seen).toEqual([]);
    for (const line of lines.slice(0, 40))
      expect((await ask(world.port, 'GET /health?/secret', [line])).status).toBe(200);
    expect(new Set(upstream.seen.map(({ method, url }) => `${method} ${url}`))).toEqual(
      new Set(['GET /health?/secret']),
    );
  }, 60_000);

  it('has the method in it: no other one, in any case, falls through', async () => {
    for (const method of [
      'POST',
      'PUT',
      'PATCH',
      'DELETE',
      'OPTIONS',
      'PROPFIND',
      'TRACE',
      'SEARCH',
      'M-SEARCH',
      'LINK',
    ]) {
      expect([method, (await ask(world.port, `${method} /health`, [])).status]).toEqual([method, 405]);
    }
    for (const method of ['get', 'Get', 'GET\t', ' GET', 'HEAD\0', 'GETT', 'G', 'TRACK', '']) {
      const end = await statuses(world.port, `${method} /health HTTP/1.1\r\n${HOST}\r\n\r\n${SMUGGLED}`);
      expect([method, end]).toEqual([method, '400 closed']);
    }
    expect(upstream.seen).toEqual([]);
  });
});
