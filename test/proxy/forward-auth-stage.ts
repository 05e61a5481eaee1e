import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Page } from '../journey/browser.ts';
import { person, SUPERSET } from '../journey/company.ts';
import { type Journey, type JourneyOptions, startJourney } from '../journey/harness.ts';
import { shownConfig } from '../markdown.ts';
import { freePort } from '../services/child.ts';

/** What the configurations of the docs say to the gateway, and what browsers do not know. */
const DOCS_SECRET = 'THE-SECRET-OF-forward_auth';
const FRONT_SECRET = 'k3Vd8wQz1nR6tYb0xJ5mC9pL2sF7hG4u';

/** What an application behind a web server saw of one request. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly raw: readonly string[];
}

/** An application that remembers what reaches it, and opens every WebSocket. */
export interface Application {
  readonly url: string;
  readonly seen: Seen[];
  /** Values of a header in the last request, in any spelling that CGI would fold together. */
  values(name: string): string[];
  close(): Promise<void>;
}

async function startApplication(): Promise<Application> {
  const seen: Seen[] = [];
  const sockets = new Set<Duplex>();
  const server = createServer((req, res) => {
    seen.push({ method: req.method ?? '', url: req.url ?? '', raw: req.rawHeaders });
    req.resume();
    req.on('end', () => res.setHeader('Content-Type', 'text/plain').end(`the application at ${req.url}`));
  });
  server.on('upgrade', (req, socket) => {
    seen.push({ method: 'UPGRADE', url: req.url ?? '', raw: req.rawHeaders });
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    socket.on('data', (chunk: Buffer) => socket.write(chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const folded = (name: string) => name.toLowerCase().replace(/[^a-z0-9]/g, '-');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    values: (name) => {
      const { raw = [] } = seen.at(-1) ?? {};
      return raw.filter((_, at) => at % 2 === 1 && folded(raw[at - 1] ?? '') === folded(name));
    },
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A company whose gateway is asked by a web server: the gateway listens elsewhere than people go. */
export interface Stage {
  readonly journey: Journey;
  readonly application: Application;
  /** Where the gateway listens, as `host:port`. */
  readonly gateway: string;
  /** Where people go: the web server. */
  readonly port: number;
  close(): Promise<void>;
}

export async function startStage(options: Pick<JourneyOptions, 'issuer' | 'sections'> = {}): Promise<Stage> {
  const application = await startApplication();
  const listen = await freePort();
  const journey = await startJourney({
    ...options,
    people: [person('ann', { groups: ['admins', 'team a, b', 'über'] }), person('bob', { groups: ['analysts'] })],
    sections: {
      ...SUPERSET,
      trusted_proxies: '[127.0.0.1]',
      forward_auth: `{ secrets: [${FRONT_SECRET}] }`,
      routes: `
  - { path: /health, to: superset, public: true, methods: [GET] }
  - { path: /admin, to: superset, when: { groups: admins } }
  - { path: /reports, to: superset, methods: [GET] }
  - { path: /, to: superset }`,
      ...options.sections,
    },
    start: false,
  });
  const { url } = await journey.start({ GATEWAY_LISTEN: `127.0.0.1:${listen}` });
  return {
    journey,
    application,
    gateway: new URL(url).host,
    port: Number(new URL(journey.url).port),
    close: async () => {
      await journey.close();
      await application.close();
    },
  };
}

/** The configuration that the docs show, with the addresses of this stage. */
export function configOfDocs(
  language: string,
  marker: string,
  replacements: readonly (readonly [string, string])[],
): string {
  const all = [...replacements, [DOCS_SECRET, FRONT_SECRET] as const];
  return shownConfig('docs/forward-auth.md', language, marker, all);
}

/** Bytes on a socket of their own, and everything that comes back until it is closed or nothing more comes. */
export function raw(port: number, lines: readonly string[], body = ''): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setTimeout(3_000, () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {}).on('close', () => resolve(answer));
    socket.write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1'));
  });
}

export function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1] ?? 0);
}

/** The cookie by which this browser is logged in, for requests on raw sockets. */
export async function cookieOf(journey: Journey, sub: string): Promise<string> {
  const browser = journey.browser();
  const home: Page = await browser.logIn(`${journey.url}/`, sub);
  if (home.status !== 200) throw new Error(`${sub} could not log in: ${home.status} ${home.text}`);
  return `latchgate=${browser.cookie(journey.url, 'latchgate') ?? ''}`;
}

/** Says a message in a WebSocket and gives what came back: the answer's head, then the echo. */
export function sayInSocket(
  port: number,
  path: string,
  headers: readonly string[],
): Promise<{ readonly status: number; readonly echo: string }> {
  return new Promise((resolve, reject) => {
    const req = request({
      host: '127.0.0.1',
      port,
      path,
      headers: {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': Buffer.alloc(16).toString('base64'),
        ...Object.fromEntries(headers.map((line) => line.split(/: (.*)/s).slice(0, 2))),
      },
    });
    req.on('error', reject);
    req.on('response', (res) => {
      res.resume();
      resolve({ status: res.statusCode ?? 0, echo: '' });
    });
    req.on('upgrade', (res, socket) => {
      socket.on('error', () => {});
      socket.once('data', (chunk: Buffer) => {
        socket.destroy();
        resolve({ status: res.statusCode ?? 0, echo: chunk.toString() });
      });
      socket.write('hello');
    });
    req.end();
  });
}
