import { decodeJwt } from 'jose';
import { freePort } from '../services/child.ts';
import { cookieOf, raw, type Stage, sayInSocket, startStage, statusOf } from './forward-auth-stage.ts';

/** A web server in front of an application, which asks the gateway of the stage. */
export interface Front {
  /** Starts it on the port where people go. */
  start(stage: Stage, port: number, gateway: string): Promise<{ stop(): Promise<void> }>;
  /** Whether it drops header names with other characters than letters, digits and hyphens by itself. */
  readonly dropsOddNames: boolean;
  /** What people get while the gateway does not answer. */
  readonly unavailable: number;
}

const NAVIGATION = ['Accept: text/html', 'Sec-Fetch-Mode: navigate'];
const IDENTITY = [
  'X-Forwarded-User',
  'X-Forwarded-Email',
  'X-Forwarded-Preferred-Username',
  'X-Forwarded-Groups',
  'X-Latchgate-Assertion',
];

/** What holds whichever web server is in front. */
export function behavesBehind(front: Front): void {
  let stage: Stage;
  let running: { stop(): Promise<void> } | undefined;
  let ann: string;
  let bob: string;

  beforeAll(async () => {
    stage = await startStage();
    running = await front.start(stage, stage.port, stage.gateway);
    [ann, bob] = [await cookieOf(stage.journey, 'ann'), await cookieOf(stage.journey, 'bob')];
  });
  afterAll(async () => {
    await running?.stop();
    await stage?.close();
  });

  const ask = (line: string, headers: readonly string[] = [], body = '') => {
    const { host } = new URL(stage.journey.url);
    return raw(stage.port, [`${line} HTTP/1.1`, `Host: ${host}`, 'Connection: close', ...headers], body);
  };

  /** An empty value says nothing: some servers in front send it. */
  const said = (name: string) => stage.application.values(name).filter((value) => value !== '');

  it('takes a browser to the login and back to the deep link', async () => {
    const browser = stage.journey.browser();
    const deep = `${stage.journey.url}/dash/7?q=a%20b&z=%C3%BC`;
    const page = await browser.logIn(deep, 'ann');
    expect([page.status, page.url.href, page.text]).toEqual([200, deep, 'the application at /dash/7?q=a%20b&z=%C3%BC']);
    expect(page.trail.some(({ status }) => status >= 400)).toBe(false);
    const statuses = (await browser.visit(deep)).trail.map(({ status }) => status);
    expect(statuses).toEqual([200]);
  });

  it('says to the application who it is, once each', async () => {
    expect(statusOf(await ask('GET /x', [`Cookie: ${ann}`]))).toBe(200);
    const { application } = stage;
    expect(application.values('X-Forwarded-User')).toEqual(['ann']);
    expect(application.values('X-Forwarded-Email')).toEqual(['ann@acme.test']);
    expect(application.values('X-Forwarded-Preferred-Username')).toEqual(['ann']);
    expect(application.values('X-Forwarded-Groups')).toEqual(['admins,team a%2C b,%C3%BCber']);
    const [assertion = '', ...more] = application.values('X-Latchgate-Assertion');
    expect(more).toEqual([]);
    expect(decodeJwt(assertion)).toMatchObject({ aud: 'superset', sub: 'ann', iss: stage.journey.url });
    expect(application.values('X-Request-Id')).toHaveLength(1);
  });

  it('keeps our cookie, and leaves the others as they were', async () => {
    await ask('GET /x', [`Cookie: a=1; ${ann}; b="x;y"`]);
    expect(stage.application.values('Cookie')).toEqual(['a=1; b="x;y"']);
    await ask('GET /x', [`Cookie: ${ann}`]);
    expect(said('Cookie')).toEqual([]);
    await ask('GET /health', [`Cookie: ${ann}`]);
    expect(said('Cookie')).toEqual([]);
  });

  const spellings = (name: string): string[] => [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    name.replaceAll('-', '_'),
    name.replace('-', '_'),
    ...(front.dropsOddNames ? ['.', '!', '~', '+'].map((odd) => name.replaceAll('-', odd)) : []),
    name.toUpperCase().replaceAll('-', '_'),
    `${name} `,
    `${name}_`,
  ];
  it.each([...IDENTITY, 'Authorization', 'Remote-User', 'X-Remote-User', 'X-Original-URL', 'Forwarded', 'Script-Name'])(
    'lets no spelling of %s through from a client',
    async (name) => {
      for (const spelling of spellings(name)) {
        for (const path of ['/x', '/health']) {
          const before = stage.application.seen.length;
          const answer = await ask(`GET ${path}`, [`Cookie: ${ann}`, `${spelling}: mallory`, `${spelling}: mallory`]);
          if (stage.application.seen.length === before) expect(statusOf(answer)).toBeGreaterThanOrEqual(400);
          else expect(JSON.stringify(stage.application.seen.at(-1))).not.toContain('mallory');
        }
      }
    },
  );

  it('opens public routes to nobody in particular, and to their methods alone', async () => {
    expect(statusOf(await ask('GET /health'))).toBe(200);
    for (const name of IDENTITY) expect(said(name)).toEqual([]);
    const before = stage.application.seen.length;
    expect(statusOf(await ask('POST /health', ['Content-Length: 2'], '{}'))).toBe(403);
    expect(statusOf(await ask('DELETE /health'))).toBe(403);
    expect(statusOf(await ask('GET /x'))).toBe(401);
    expect(stage.application.seen).toHaveLength(before);
  });

  it('carries bodies and methods where they are served', async () => {
    expect(statusOf(await ask('POST /x', [`Cookie: ${ann}`, 'Content-Length: 5'], 'hello'))).toBe(200);
    expect(stage.application.seen.at(-1)).toMatchObject({ method: 'POST', url: '/x' });
    const before = stage.application.seen.length;
    expect(statusOf(await ask('POST /reports/1', [`Cookie: ${ann}`, 'Content-Length: 5'], 'hello'))).toBe(403);
    expect(statusOf(await ask('GET /reports/1', [`Cookie: ${ann}`, 'X-HTTP-Method-Override: DELETE']))).toBe(200);
    expect(stage.application.seen).toHaveLength(before + 1);
    expect(stage.application.values('X-HTTP-Method-Override')).toEqual([]);
  });

  it('refuses with a page that names the reason and the request, which `why` knows', async () => {
    const answer = await ask('GET /admin/users', [`Cookie: ${bob}`, ...NAVIGATION]);
    expect(statusOf(answer)).toBe(403);
    expect(answer).toContain('<dd>route_forbidden</dd>');
    const id = /<dt>Request<\/dt><dd>([^<]+)<\/dd>/.exec(answer)?.[1] ?? '';
    expect(answer).toMatch(new RegExp(`^x-request-id: ${id}\r$`, 'im'));
    const why = await stage.journey.cli('why', id);
    expect(why.code).toBe(0);
    expect(why.out).toContain('route_forbidden');
    expect(statusOf(await ask('GET /admin/users', [`Cookie: ${ann}`]))).toBe(200);
  });

  it.each([
    '/x/../admin',
    '/%61dmin',
    '/x/%2e%2e/admin',
    '//admin',
    '/admin;x',
    '/admin%2fx',
    '/./admin',
    '/a/..//admin',
  ])('no spelling of a path gets around its rule: %s', async (path) => {
    const before = stage.application.seen.length;
    expect([403, 400]).toContain(statusOf(await ask(`GET ${path}`, [`Cookie: ${bob}`])));
    expect(stage.application.seen).toHaveLength(before);
  });

  it.each([
    'X-Original-URI: /health',
    'X-Original-URL: /health',
    'X-Forwarded-Uri: /health',
    'X-Original-Method: GET',
    'X-Forwarded-Method: GET',
    'X-Forwarded-Host: reports.example.com',
    'X_Original_URI: /health',
  ])('a client decides nothing by %s', async (header) => {
    const before = stage.application.seen.length;
    expect(statusOf(await ask('GET /x', [header]))).toBe(401);
    expect(statusOf(await ask('POST /reports', [header, `Cookie: ${ann}`, 'Content-Length: 0']))).toBe(403);
    expect(stage.application.seen).toHaveLength(before);
  });

  it.each([
    '/.latchgate/auth',
    '/.latchgate/auth/',
    '/.latchgate/auth?redirect=1',
    '/.latchgate/auth/envoy/x',
    '/%2elatchgate/auth',
    '/.latchgate/%61uth',
    '/.latchgate//auth',
    '/x/../.latchgate/auth/envoy/x',
    '/.latchgate/./auth',
  ])('nobody asks from outside: %s', async (path) => {
    const answer = await ask(`GET ${path}`, [`Cookie: ${ann}`, 'X-Original-URI: /x', 'X-Original-Method: GET']);
    expect([400, 403, 404]).toContain(statusOf(answer));
    expect(answer.toLowerCase()).not.toContain('assertion');
  });

  it('tells scripts with a status, browsers by a redirect', async () => {
    expect(statusOf(await ask('GET /x', NAVIGATION))).toBe(302);
    const script = await ask('GET /x', ['Accept: application/json', 'Sec-Fetch-Mode: cors']);
    expect(statusOf(script)).toBe(401);
    expect(script).toContain('login_required');
    expect(statusOf(await ask('POST /x', [...NAVIGATION, 'Content-Length: 0']))).toBe(401);
  });

  it('opens a WebSocket for a page of ours, with the identity, and no other', async () => {
    const origin = `Origin: ${stage.journey.url}`;
    const { host } = new URL(stage.journey.url);
    const say = (headers: readonly string[]) => sayInSocket(stage.port, '/ws', [`Host: ${host}`, ...headers]);
    expect(await say([`Cookie: ${ann}`, origin])).toEqual({ status: 101, echo: 'hello' });
    expect(stage.application.values('X-Forwarded-User')).toEqual(['ann']);
    const before = stage.application.seen.length;
    expect((await say([`Cookie: ${ann}`, 'Origin: https://evil.example.com'])).status).toBe(403);
    expect((await say([`Cookie: ${ann}`])).status).toBe(403);
    expect((await say([origin])).status).toBe(401);
    expect(stage.application.seen).toHaveLength(before);
  });

  it("takes the application's logout to ours", async () => {
    expect(await ask('GET /logout/', [`Cookie: ${ann}`])).toMatch(/^location: \S*\/\.latchgate\/logout\r$/im);
  });

  it('lets nobody through from the moment their session ends', async () => {
    expect(statusOf(await ask('GET /x', [`Cookie: ${bob}`]))).toBe(200);
    await stage.journey.cli('sessions', 'end', '--user', 'bob');
    const deadline = Date.now() + 2_000;
    let status = 200;
    while (status === 200 && Date.now() < deadline) status = statusOf(await ask('GET /x', [`Cookie: ${bob}`]));
    expect(status).toBe(401);
  });

  it('asks to try again while the gateway is away, and lets nobody through', async () => {
    const port = await freePort();
    const away = await front.start(stage, port, '127.0.0.1:9');
    const before = stage.application.seen.length;
    const answer = await raw(port, ['GET /health HTTP/1.1', `Host: 127.0.0.1:${port}`, 'Connection: close']);
    await away.stop();
    expect(statusOf(answer)).toBe(front.unavailable);
    expect(stage.application.seen).toHaveLength(before);
  });
}
