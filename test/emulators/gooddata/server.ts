import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { readBody } from '../raw-request.ts';
import { ACTION_ROUTES } from './actions.ts';
import { authenticate, logOut } from './callers.ts';
import {
  API_TOKENS,
  IDENTITY_PROVIDERS,
  JWKS,
  ORGANIZATION_SETTINGS,
  USER_GROUPS,
  USER_SETTINGS,
  USERS,
  WORKSPACES,
} from './collections.ts';
import { entityRoutes } from './entities.ts';
import {
  BODY_LIMIT,
  type Call,
  type Caller,
  checkQuery,
  negotiate,
  notFound,
  parseJson,
  problem,
  Refusal,
  type Reply,
} from './exchange.ts';
import { type Encounter, Faults } from './faults.ts';
import { FILTER_ROUTES } from './filters.ts';
import { LAYOUT_ROUTES } from './layout.ts';
import { ORGANIZATION_ROUTES } from './organization.ts';
import { brokenPage, loginPage, personPage } from './page.ts';
import { authorize, matchRoute, type Route } from './routes.ts';
import { initialState, type Seed, type State } from './state.ts';

export interface GoodDataEmulatorOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** An API token of the user `admin`, who is in `adminGroup` and may do everything. Default `emulator-token`. */
  readonly token?: string;
  /** Id of the organization. Default `default`. */
  readonly organization?: string;
  readonly seed?: Seed;
  /** True: every path outside the API shows a signed-in person who they are and what they may open. Default false. */
  readonly page?: boolean;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
}

/** One request as it was answered. */
export interface RequestRecord {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0 when no answer was given. */
  status: number;
  body?: unknown;
  caller?: Pick<Caller, 'userId' | 'via'>;
  /** Of W3C Trace Context; absent: none came. */
  readonly traceparent?: string;
}

export interface GoodDataEmulator {
  /** Without a slash at the end. */
  readonly url: string;
  readonly token: string;
  readonly state: State;
  readonly requests: RequestRecord[];
  readonly faults: Faults<State>;
  /** Back to the seed: no faults, no log, everything that was written forgotten. */
  reset(): void;
  close(): Promise<void>;
}

const ROUTES: readonly Route[] = [
  ...[
    USERS,
    USER_GROUPS,
    JWKS,
    ORGANIZATION_SETTINGS,
    IDENTITY_PROVIDERS,
    WORKSPACES,
    API_TOKENS,
    USER_SETTINGS,
  ].flatMap(entityRoutes),
  ...ORGANIZATION_ROUTES,
  ...FILTER_ROUTES,
  ...LAYOUT_ROUTES,
  ...ACTION_ROUTES,
];

/** Starts a GoodData organization that lives in memory: its users, groups, keys and permissions API, and JWT login. */
export async function startGoodDataEmulator(options: GoodDataEmulatorOptions = {}): Promise<GoodDataEmulator> {
  const token = options.token ?? 'emulator-token';
  const fresh = () => initialState(options.organization ?? 'default', token, options.seed ?? {});
  const running = new Running(options, fresh);
  const server = createServer((request, response) => void running.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    token,
    requests: running.requests,
    faults: running.faults,
    get state() {
      return running.state;
    },
    reset: () => running.reset(fresh()),
    close: () => running.close(server),
  };
}

class Running {
  state: State;
  readonly requests: RequestRecord[] = [];
  readonly faults: Faults<State>;
  private readonly options: GoodDataEmulatorOptions;
  private readonly closing = new AbortController();

  constructor(options: GoodDataEmulatorOptions, fresh: () => State) {
    this.options = options;
    this.state = fresh();
    this.faults = new Faults(() => structuredClone(this.state));
  }

  reset(state: State): void {
    this.state = state;
    this.requests.length = 0;
    this.faults.clear();
  }

  async close(server: Server): Promise<void> {
    this.closing.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url: path = '/' } = request;
    const { traceparent } = request.headers;
    const traced = typeof traceparent === 'string' ? { traceparent } : {};
    const record: RequestRecord = { method, path, status: 0, ...traced };
    this.requests.push(record);
    const traceId = randomBytes(8).toString('hex');
    // All of it now: a slow service has the request, and goes on with it when the caller has given up.
    const bytes = await readBody(request, BODY_LIMIT).catch(() => undefined);
    if (!bytes) return;
    const met = this.faults.meet(method, path.split('?')[0] ?? path, this.now());
    if (met?.fault.delayMs) await sleep(met.fault.delayMs, undefined, { signal: this.closing.signal }).catch(() => {});
    if (met?.fault.reset || this.closing.signal.aborted) return void request.socket.resetAndDestroy();
    const reply =
      (met && misbehave(met, traceId)) ?? (await this.answer(request, bytes, record, met?.snapshot, traceId));
    const drop = met?.fault.dropAfterApply;
    if (drop === 'hang') return;
    if (drop) return void request.socket.resetAndDestroy();
    record.status = reply.status;
    const text = reply.text ?? (reply.json === undefined ? undefined : JSON.stringify(reply.json));
    response.writeHead(reply.status, { ...reply.headers, 'X-GDC-TRACE-ID': traceId });
    response.end(method === 'HEAD' ? undefined : text);
  }

  private now(): number {
    return (this.options.clock ?? Date.now)();
  }

  private async answer(
    request: IncomingMessage,
    bytes: Buffer,
    record: RequestRecord,
    snapshot: State | undefined,
    traceId: string,
  ): Promise<Reply> {
    try {
      return await this.dispatch(request, bytes, record, snapshot);
    } catch (error) {
      if (error instanceof Refusal) return problem(error.status, error.message, traceId);
      return problem(500, `The emulator failed: ${String(error)}`, traceId);
    }
  }

  private async dispatch(
    request: IncomingMessage,
    bytes: Buffer,
    record: RequestRecord,
    snapshot: State | undefined,
  ): Promise<Reply> {
    const { method = 'GET', headers } = request;
    const host = headers.host ?? 'localhost';
    const target = `http://${host}${request.url?.startsWith('/') ? request.url : '/'}`;
    if (!URL.canParse(target)) throw new Refusal(400, 'The request target is not a URL.');
    const url = new URL(target);
    if (url.pathname.startsWith('/oauth2/authorization/')) return loginPage();
    const authentication = await authenticate(this.state, headers, host, this.now());
    if ('reply' in authentication) return authentication.reply;
    const { caller } = authentication;
    record.caller = { userId: caller.userId, via: caller.via };
    if (!url.pathname.startsWith('/api/')) return this.outsideApi(method, url.pathname, caller);

    const { route, params } = matchRoute(ROUTES, method, url.pathname);
    const type = negotiate(headers.accept, route.media);
    const body = route.body ? parseJson(bytes, headers['content-type'], route.media) : undefined;
    record.body = body;
    const state = method === 'GET' ? (snapshot ?? this.state) : this.state;
    const call: Call = { method, url, headers, params, body, caller, state, now: this.now() };
    authorize(route.needs, call);
    checkQuery(url, route.query ?? []);
    const reply = route.handle(call);
    const typed = reply.json !== undefined || route.media === 'entities';
    return typed ? { ...reply, headers: { 'Content-Type': type, ...reply.headers } } : reply;
  }

  private outsideApi(method: string, path: string, caller: Caller): Reply {
    if (method !== 'GET' && method !== 'HEAD') throw new Refusal(405, `Request method '${method}' is not supported.`);
    if (path === '/logout' || path === '/logout/all') {
      return logOut(this.state, caller, path === '/logout/all', this.now());
    }
    if (!this.options.page) throw notFound();
    return personPage(this.state, caller);
  }
}

/** The answer of a fault that keeps the request from being worked on. */
function misbehave({ fault, retryAfter }: Encounter<State>, traceId: string): Reply | undefined {
  if (retryAfter !== undefined) {
    const reply = problem(429, 'Too many requests.', traceId);
    return { ...reply, headers: { ...reply.headers, 'Retry-After': String(retryAfter) } };
  }
  if (fault.html) return brokenPage(fault.status ?? 200);
  if (fault.status === 401) return { status: 401 };
  return fault.status === undefined ? undefined : problem(fault.status, 'The service is in trouble.', traceId);
}
