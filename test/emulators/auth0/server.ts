import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Encounter, Faults } from '../gooddata/faults.ts';
import { readBody } from '../raw-request.ts';
import { Bucket, type RateLimit } from './bucket.ts';
import { CONNECTION_ROUTES } from './connections.ts';
import { EventStreams, type StreamOptions } from './events.ts';
import { BODY_LIMIT, type Call, checkQuery, parseBody, Refusal, type Reply, refusalReply } from './exchange.ts';
import { download, JOB_ROUTES } from './jobs.ts';
import { LOG_ROUTES } from './logs.ts';
import { ORGANIZATION_ROUTES } from './organizations.ts';
import { ROLE_ROUTES } from './roles.ts';
import { authorize, matchRoute, type Route } from './routes.ts';
import { type IdKind, initialState, type Seed, type State, settleSearch } from './state.ts';
import { TICKET_ROUTES } from './tickets.ts';
import { type Client, grantToken, scopesOf } from './token.ts';
import { USER_ROUTES } from './users.ts';

export interface Auth0EmulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** The tenant's own domain: tokens are given for it as well as for the address. Default `tenant.test`. */
  readonly domain?: string;
  /** Default: `emulator-client` with `emulator-secret` and every scope. */
  readonly clients?: readonly Client[];
  /** Default 86,400. */
  readonly tokenSeconds?: number;
  /** Of the Management API. Default: no limit, and no headers that tell of one. */
  readonly rateLimit?: RateLimit;
  /** The list of users shows a write only this long after it. Default 0. */
  readonly lagMs?: number;
  /** How long an export or import takes. Default 0. */
  readonly jobMs?: number;
  readonly streams?: Partial<StreamOptions>;
  readonly seed?: Seed;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Default: random, in the shape of the service. */
  readonly newId?: (kind: IdKind) => string;
}

/** One request as it was answered. */
export interface RequestRecord {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0 when no answer was given. */
  status: number;
  body?: unknown;
}

export interface Auth0Emulator {
  /** Without a slash at the end. The API is below `/api/v2`. */
  readonly url: string;
  readonly state: State;
  readonly requests: RequestRecord[];
  readonly faults: Faults<State>;
  readonly events: EventStreams;
  /** A token with these scopes, without asking for it. Default: every scope. */
  token(scopes?: readonly string[]): string;
  /** Makes every token so far a stale one. */
  endTokens(): void;
  /** Lets the list of users show everything at once, whatever its lag. */
  settle(): void;
  /** Back to the seed: no faults, no log, everything that was written forgotten. Tokens are kept. */
  reset(): void;
  close(): Promise<void>;
}

const ROUTES: readonly Route[] = [
  ...USER_ROUTES,
  ...ROLE_ROUTES,
  ...ORGANIZATION_ROUTES,
  ...CONNECTION_ROUTES,
  ...JOB_ROUTES,
  ...TICKET_ROUTES,
  ...LOG_ROUTES,
  {
    method: 'GET',
    path: '/events',
    scopes: ['read:events'],
    query: ['from', 'from_timestamp', 'event_type'],
    handle: () => ({ status: 200 }),
  },
];

const EVERY_SCOPE: readonly string[] = [...new Set(ROUTES.flatMap(({ scopes }) => scopes))];
const CLIENT: Client = { id: 'emulator-client', secret: 'emulator-secret', scopes: EVERY_SCOPE };
const PREFIXES: Readonly<Record<IdKind, string>> = {
  user: '',
  role: 'rol_',
  job: 'job_',
  connection: 'con_',
  organization: 'org_',
  event: 'evt_',
  ticket: '',
  log: '9002025',
};

function randomId(kind: IdKind): string {
  return `${PREFIXES[kind]}${randomBytes(12)
    .toString('hex')
    .slice(0, kind === 'user' || kind === 'ticket' ? 24 : 16)}`;
}

/** Starts an Auth0 tenant that lives in memory: tokens, users, roles, organizations, jobs, tickets, logs and events. */
export async function startAuth0Emulator(options: Auth0EmulatorOptions = {}): Promise<Auth0Emulator> {
  const running = new Running(options);
  const server = createServer((request, response) => void running.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  const url = `http://${address.includes(':') ? `[${address}]` : address}:${port}`;
  running.audiences.push(`${url}/api/v2/`, `https://${options.domain ?? 'tenant.test'}/api/v2/`);
  return {
    url,
    requests: running.requests,
    faults: running.faults,
    events: running.events,
    get state() {
      return running.state;
    },
    token: (scopes = EVERY_SCOPE) => {
      const token = randomBytes(24).toString('base64url');
      running.state.tokens.set(token, { scopes, expiresAt: Number.POSITIVE_INFINITY });
      return token;
    },
    endTokens: () => running.state.tokens.clear(),
    settle: () => settleSearch(running.state, Number.POSITIVE_INFINITY),
    reset: () => running.reset(),
    close: () => running.close(server),
  };
}

class Running {
  state: State;
  readonly requests: RequestRecord[] = [];
  readonly faults: Faults<State>;
  readonly events: EventStreams;
  readonly audiences: string[] = [];
  private readonly options: Auth0EmulatorOptions;
  private readonly newId: (kind: IdKind) => string;
  private readonly closing = new AbortController();
  private bucket: Bucket | undefined;

  constructor(options: Auth0EmulatorOptions) {
    this.options = options;
    this.newId = options.newId ?? randomId;
    this.state = this.fresh();
    this.faults = new Faults(() => structuredClone(this.state));
    this.events = new EventStreams({ most: 4, heartbeatMs: 15_000, lifeMs: 300_000, ...options.streams });
    this.bucket = options.rateLimit && new Bucket(options.rateLimit);
  }

  reset(): void {
    const { tokens } = this.state;
    this.state = this.fresh();
    for (const [token, granted] of tokens) this.state.tokens.set(token, granted);
    this.requests.length = 0;
    this.faults.clear();
    this.events.clear();
    this.bucket = this.options.rateLimit && new Bucket(this.options.rateLimit);
  }

  async close(server: Server): Promise<void> {
    this.closing.abort();
    this.events.clear();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const record: RequestRecord = { method, path, status: 0 };
    this.requests.push(record);
    // All of it now: a slow service has the request, and goes on with it when the caller has given up.
    const bytes = await readBody(request, BODY_LIMIT).catch(() => undefined);
    if (!bytes) return;
    const met = this.faults.meet(method, path.split('?')[0] ?? path, this.now());
    if (met?.fault.delayMs) await sleep(met.fault.delayMs, undefined, { signal: this.closing.signal }).catch(() => {});
    if (met?.fault.reset || this.closing.signal.aborted) return void request.socket.resetAndDestroy();
    const reply =
      (met && misbehave(met, this.now())) ?? (await this.answer(request, response, bytes, record, met?.snapshot));
    const drop = met?.fault.dropAfterApply;
    if (drop === 'hang') return;
    if (drop) return void request.socket.resetAndDestroy();
    record.status = reply.status;
    if (response.headersSent) return;
    const json = reply.json === undefined ? undefined : JSON.stringify(reply.json);
    const headers = { 'content-type': 'application/json; charset=utf-8', ...reply.headers };
    response.writeHead(reply.status, headers);
    response.end(method === 'HEAD' ? undefined : (reply.bytes ?? json));
  }

  private fresh(): State {
    const state = initialState(this.options.seed ?? {}, { newId: this.newId, now: this.now() });
    state.search.lagMs = this.options.lagMs ?? 0;
    return state;
  }

  private now(): number {
    return (this.options.clock ?? Date.now)();
  }

  private async answer(
    request: IncomingMessage,
    response: ServerResponse,
    bytes: Buffer,
    record: RequestRecord,
    snapshot: State | undefined,
  ): Promise<Reply> {
    const isApi = (request.url ?? '').startsWith('/api/v2/');
    const limited = isApi ? this.limit() : undefined;
    if (limited && 'reply' in limited) return limited.reply;
    const headers = limited?.headers ?? {};
    try {
      const reply = await this.dispatch(request, response, bytes, record, snapshot);
      return { ...reply, headers: { ...headers, ...reply.headers } };
    } catch (error) {
      const known = error instanceof Refusal;
      const refused = known ? refusalReply(error.status, error.message, error.errorCode) : undefined;
      const later = known && error.status === 429 ? { 'retry-after': '1' } : {};
      return {
        ...(refused ?? refusalReply(500, `The emulator failed: ${String(error)}`)),
        headers: { ...headers, ...later },
      };
    }
  }

  private limit(): { readonly headers: Record<string, string> } | { readonly reply: Reply } | undefined {
    if (!this.bucket) return undefined;
    const allowed = this.bucket.take(this.now());
    const headers = this.bucket.headers(this.now());
    return allowed ? { headers } : { reply: { ...tooMany(this.now(), 1), headers } };
  }

  private async dispatch(
    request: IncomingMessage,
    response: ServerResponse,
    bytes: Buffer,
    record: RequestRecord,
    snapshot: State | undefined,
  ): Promise<Reply> {
    const { method = 'GET', headers } = request;
    const target = `http://${headers.host ?? 'localhost'}${request.url?.startsWith('/') ? request.url : '/'}`;
    if (!URL.canParse(target)) throw new Refusal(400, 'Bad Request');
    const url = new URL(target);
    const now = this.now();
    if (method === 'POST' && url.pathname === '/oauth/token') return this.token(request, bytes, now);
    if (method === 'GET' && url.pathname.startsWith('/exports/')) return download({ url, state: this.state, now });
    if (!url.pathname.startsWith('/api/v2/')) throw new Refusal(404, 'Not Found');
    const scopes = scopesOf(this.state, headers.authorization, now);
    const { route, params } = matchRoute(ROUTES, method, url.pathname.slice('/api/v2'.length));
    authorize(route, scopes);
    checkQuery(url, route.query ?? []);
    const body = route.body ? await parseBody(bytes, headers['content-type']) : undefined;
    record.body = body;
    const state = method === 'GET' ? (snapshot ?? this.state) : this.state;
    const { newId } = this;
    const call: Call = { method, url, headers, params, body, state, now, newId, jobMs: this.options.jobMs ?? 0 };
    if (route.path === '/events') this.events.connect(call, response);
    const reply = route.handle(call);
    this.events.publish(this.state);
    return reply;
  }

  private async token(request: IncomingMessage, bytes: Buffer, now: number): Promise<Reply> {
    const body = await parseBody(bytes, request.headers['content-type']);
    return grantToken(this.state, body, request.headers.authorization, now, {
      clients: this.options.clients ?? [CLIENT],
      audiences: this.audiences,
      lifeSeconds: this.options.tokenSeconds ?? 86_400,
    });
  }
}

/** @param resetSeconds from now until tokens are added */
function tooMany(now: number, resetSeconds: number): Reply {
  const reset = Math.ceil(now / 1_000) + resetSeconds;
  const headers = { 'x-ratelimit-limit': '10', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(reset) };
  return { ...refusalReply(429, 'Global limit has been reached', 'too_many_requests'), headers };
}

/** The answer of a fault that keeps the request from being worked on. */
function misbehave({ fault, retryAfter }: Encounter<State>, now: number): Reply | undefined {
  if (retryAfter !== undefined) {
    const reply = tooMany(now, retryAfter);
    return { ...reply, headers: { ...reply.headers, 'retry-after': String(retryAfter) } };
  }
  if (fault.html) {
    const page = Buffer.from('<!doctype html><title>Oops</title><p>Something went wrong.</p>');
    return { status: fault.status ?? 200, bytes: page, headers: { 'content-type': 'text/html; charset=utf-8' } };
  }
  if (fault.status === undefined) return undefined;
  if (fault.status === 429) return tooMany(now, 1);
  return refusalReply(fault.status, 'The service is in trouble.');
}
