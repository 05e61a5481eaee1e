import type { Server as HttpServer, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net';
import type { LatchgateError } from '../../src/model/errors.ts';
import type { Identity } from '../../src/model/person.ts';
import type { Log } from '../../src/ops/log.ts';
import { createSigner } from '../../src/ops/signer.ts';
import type { AccountState } from '../../src/provisioning/provision.ts';
import type { ProxyDeps, ProxyRefusal, ProxyTarget } from '../../src/proxy/deps.ts';
import { GatewayProxy } from '../../src/proxy/proxy.ts';
import type { Route } from '../../src/proxy/routes.ts';
import { createPublicServer, type PublicServerDeps } from '../../src/proxy/server.ts';
import type { Session } from '../../src/session/store.ts';

const closers: (() => Promise<unknown> | unknown)[] = [];

/** To be called by each test file in afterEach. */
export async function closeAll(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close();
}

export function onClose(close: () => Promise<unknown> | unknown): void {
  closers.push(close);
}

export const alice: Identity = {
  issuer: 'https://id.example.com',
  subject: 'alice-1',
  person: 'p_alice',
  origin: 'staff',
  displayName: 'Alice',
  email: 'alice@example.com',
  emailVerified: true,
  preferredUsername: 'alice',
  groups: ['bi-admins', 'finance, north', 'über'],
  attributes: {},
};

export const bob: Identity = { ...alice, subject: 'bob-1', person: 'p_bob', email: 'bob@example.com', groups: [] };

export interface World {
  readonly port: number;
  readonly proxy: GatewayProxy;
  readonly clock: { at: number; now(): number };
  readonly sessions: Map<string, Session>;
  readonly accounts: Map<string, AccountState>;
  readonly refused: ProxyRefusal[];
  readonly logged: { readonly level: string; readonly message: string; readonly fields: unknown }[];
  readonly publicKeys: () => ReturnType<ReturnType<typeof createSigner>['publicKeys']>;
  readonly calls: { account: number; gateway: (string | undefined)[] };
  end(id: string): void;
  /** Handles of the sessions for which something is open. */
  held(): readonly string[];
}

export interface WorldOptions {
  readonly upstream: string;
  readonly routes?: readonly Route<Session>[];
  readonly target?: Partial<ProxyTarget>;
  readonly deps?: Partial<ProxyDeps>;
  readonly server?: Partial<PublicServerDeps>;
}

export function sessionOf(identity: Identity): Session {
  return { identity, createdAt: 0, endsAt: Number.MAX_SAFE_INTEGER };
}

export function ready(userName: string): AccountState {
  return { status: 'ready', id: `id-${userName}`, userName, changes: [], held: [] };
}

/** The public listener with alice (cookie `latchgate=alice`) and bob logged in, in front of one upstream. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const clock = { at: 1_800_000_000_000, now: () => clock.at };
  const values = new Map<string, string>();
  const signer = createSigner({
    values: { get: async (name) => values.get(name), swap: async (name, _old, value) => !!values.set(name, value) },
    name: 'assertion',
    alg: 'ES256',
    secrets: ['s'.repeat(32)],
    clock,
    claims: { iss: 'http://bi.example.com' },
  });
  const sessions = new Map([
    ['alice', sessionOf(alice)],
    ['bob', sessionOf(bob)],
  ]);
  const accounts = new Map<string, AccountState>([
    ['p_alice', ready('alice')],
    ['p_bob', ready('bob')],
  ]);
  const listeners = new Set<(handle: string) => void>();
  let open: () => Iterable<string> = () => [];
  const refused: ProxyRefusal[] = [];
  const logged: { level: string; message: string; fields: unknown }[] = [];
  const calls = { account: 0, gateway: [] as (string | undefined)[] };
  const write = (level: string) => (message: string, fields?: unknown) => void logged.push({ level, message, fields });
  const log: Log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
  const target: ProxyTarget = { name: 'main', url: options.upstream, ...options.target };
  const proxy = new GatewayProxy({
    publicUrl: 'http://bi.example.com',
    trustedProxies: [],
    routes: options.routes ?? [{ path: '/', target: 'main', isPublic: false }],
    targets: [target],
    sessions: {
      read: async (cookie) => {
        const ids = [...(cookie ?? '').matchAll(/(?:^|; ?)latchgate=([^;]*)/g)].map((match) => match[1] ?? '');
        const session = ids.length === 1 ? sessions.get(ids[0] ?? '') : undefined;
        return session === undefined ? undefined : { handle: `h-${ids[0]}`, session };
      },
      onEnded: (listener, held) => {
        listeners.add(listener);
        open = held;
        return () => listeners.delete(listener);
      },
    },
    cookieNames: ['latchgate', '__Host-latchgate', '__Secure-latchgate', 'latchgate-login'],
    account: async (person) => {
      calls.account += 1;
      return accounts.get(person) ?? { status: 'none' };
    },
    signer,
    pages: { refuse: sendRefusal },
    onRefused: (refusal) => refused.push(refusal),
    log,
    metrics: { proxied: () => {}, refused: () => {}, sockets: () => {} },
    clock,
    ...options.deps,
  });
  const server = createPublicServer({
    proxy,
    gateway: (req, res) => {
      calls.gateway.push(req.url);
      res.end('gateway');
    },
    ...options.server,
  });
  const port = await listen(server);
  onClose(async () => {
    await proxy.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const end = (id: string) => {
    sessions.delete(id);
    for (const listener of listeners) listener(`h-${id}`);
  };
  const held = () => [...open()].sort();
  const publicKeys = () => signer.publicKeys();
  return { port, proxy, clock, sessions, accounts, refused, logged, calls, end, held, publicKeys };
}

function sendRefusal(
  _req: IncomingMessage,
  res: ServerResponse,
  error: LatchgateError,
  { requestId, status }: { readonly requestId: string; readonly status: number },
): void {
  const body = JSON.stringify({ error: error.code, request_id: requestId });
  res.setHeader('X-Request-Id', requestId);
  if (error.retryAfterSeconds !== undefined) res.setHeader('Retry-After', error.retryAfterSeconds);
  res.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  res.end(body);
}

export async function listen(server: HttpServer | ReturnType<typeof createTcpServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

/** What an upstream saw of one request. */
export interface Seen {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
  body: string;
}

export interface HttpUpstream {
  readonly url: string;
  readonly seen: Seen[];
  readonly server: HttpServer;
}

/** An upstream that answers `hello`, or as told, and remembers what it saw. */
export async function startUpstream(answer?: RequestListener): Promise<HttpUpstream> {
  const seen: Seen[] = [];
  const server = createServer((req, res) => {
    const one: Seen = { method: req.method, url: req.url, rawHeaders: req.rawHeaders, body: '' };
    seen.push(one);
    if (answer !== undefined) return answer(req, res);
    req.on('data', (chunk: Buffer) => {
      one.body += chunk.toString('latin1');
    });
    req.on('end', () => res.end('hello'));
  });
  const port = await listen(server);
  onClose(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, seen, server };
}

/** An upstream that answers each connection's first bytes with exactly these, and then does as told. */
export async function startRawUpstream(
  react: (socket: Socket, request: string) => void,
): Promise<{ readonly url: string; readonly requests: string[]; readonly sockets: Set<Socket> }> {
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      requests.push(chunk.toString('latin1'));
      react(socket, chunk.toString('latin1'));
    });
  });
  const port = await listen(server);
  onClose(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url: `http://127.0.0.1:${port}`, requests, sockets };
}

/** Sends bytes and gives everything that came back until the other side closed. */
export function exchange(port: number, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.setTimeout(10_000, () => {
      socket.destroy();
      reject(new Error(`no end; so far: ${answer}`));
    });
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1');
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(answer));
    socket.write(bytes);
  });
}

export interface Answer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  header(name: string): string | undefined;
  headers(name: string): string[];
}

export function parseAnswer(raw: string): Answer {
  const at = raw.indexOf('\r\n\r\n');
  const head = at === -1 ? raw : raw.slice(0, at);
  const headers = (name: string) =>
    head
      .split('\r\n')
      .slice(1)
      .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name.toLowerCase())
      .map((line) => line.slice(line.indexOf(':') + 1).trim());
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(raw)?.[1] ?? 0),
    head,
    body: at === -1 ? '' : raw.slice(at + 4),
    header: (name) => headers(name)[0],
    headers,
  };
}

/** One request with alice's cookie unless told otherwise, on a connection of its own that closes after it. */
export async function ask(
  port: number,
  line: string,
  headers: readonly string[] = ['Cookie: latchgate=alice'],
  body = '',
): Promise<Answer> {
  const lines = [`${line} HTTP/1.1`, 'Host: bi.example.com', 'Connection: close', ...headers];
  return parseAnswer(await exchange(port, Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`, 'latin1')));
}

/** Values of a header as an upstream saw them, in any spelling. */
export function valuesOf(seen: Seen | undefined, name: string): string[] {
  const wanted = name.toLowerCase();
  const { rawHeaders = [] } = seen ?? {};
  return rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === wanted);
}

export async function until(holds: () => boolean, what: string): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    if (holds()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`never: ${what}`);
}
