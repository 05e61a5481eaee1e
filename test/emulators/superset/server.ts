import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Encounter, Faults } from '../gooddata/faults.ts';
import { type AssertionOptions, authorize, Callers, permissionsOf } from './callers.ts';
import { type Call, noSuchRoute, Refusal, type Reply, readBody } from './exchange.ts';
import { type Listing, list, queryOf, show } from './lists.ts';
import { deleteGroup, deleteRole, listGroups, listRoles, postGroup, postRole, putGroup, putRole } from './named.ts';
import { page } from './pages.ts';
import { initialState, type Seed, type State } from './state.ts';
import { deleteUser, listUsers, postUser, putUser } from './users.ts';

export interface SupersetEmulatorOptions extends Partial<AssertionOptions> {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** `assertion` (default; needs `jwks`, `issuer`, `audience`) or Superset's own remote-user login. */
  readonly signIn?: 'assertion' | 'header';
  /** Header of the remote-user login. Default `X-Forwarded-User`. */
  readonly signInHeader?: string;
  readonly seed?: Seed;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /**
   * True: lists of one resource that run at the same time get each other's filters, always. The real one does so now
   * and then, because its framework keeps them in one object for all threads. Default false.
   */
  readonly mixesFilters?: boolean;
}

/** One request as it was answered. */
export interface RequestRecord {
  readonly method: string;
  /** With the query. */
  readonly path: string;
  /** 0 when no answer was given. */
  status: number;
  /** User name of whoever is signed in. */
  user?: string;
}

export interface SupersetEmulator {
  /** Without a slash at the end. */
  readonly url: string;
  readonly state: State;
  readonly requests: RequestRecord[];
  readonly faults: Faults<State>;
  /** Back to the seed: no faults, no log, everything that was written forgotten. */
  reset(): void;
  close(): Promise<void>;
}

interface Resource {
  readonly view: string;
  readonly listing: (state: State) => Listing<{ readonly id: number }>;
  readonly post: (call: Call) => Reply;
  readonly put: (call: Call, id: number) => Reply;
  readonly remove: (call: Call, id: number) => Reply;
}

const RESOURCES: Readonly<Record<string, Resource>> = {
  users: { view: 'User', listing: listUsers as never, post: postUser, put: putUser, remove: deleteUser },
  roles: { view: 'Role', listing: listRoles as never, post: postRole, put: putRole, remove: deleteRole },
  groups: { view: 'Group', listing: listGroups as never, post: postGroup, put: putGroup, remove: deleteGroup },
};
const ACTIONS = ['can_info', 'can_get', 'can_post', 'can_put', 'can_delete'] as const;
const MAX_REQUEST_LINE = 4_094;
const PATH = /^\/api\/v1\/security\/(users|roles|groups)\/(\d+|_info|)$/;

/** Starts a Superset that lives in memory: its security API, its two ways to sign in, and a page that greets. */
export async function startSupersetEmulator(options: SupersetEmulatorOptions = {}): Promise<SupersetEmulator> {
  const running = new Running(options);
  const server = createServer((request, response) => void running.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve);
  });
  const { address, port } = server.address() as AddressInfo;
  return {
    url: `http://${address.includes(':') ? `[${address}]` : address}:${port}`,
    requests: running.requests,
    faults: running.faults,
    get state() {
      return running.state;
    },
    reset: () => running.reset(),
    close: () => running.close(server),
  };
}

class Running {
  state: State;
  readonly requests: RequestRecord[] = [];
  readonly faults: Faults<State>;
  private readonly options: SupersetEmulatorOptions;
  private readonly callers: Callers;
  private readonly closing = new AbortController();
  private readonly sharedQueries = new Map<string, ReturnType<typeof queryOf>>();

  constructor(options: SupersetEmulatorOptions) {
    this.options = options;
    this.state = initialState(options.seed ?? {});
    this.faults = new Faults(() => structuredClone(this.state));
    this.callers = new Callers(() => this.now(), assertionOptions(options));
  }

  reset(): void {
    this.state = initialState(this.options.seed ?? {});
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
    const record: RequestRecord = { method, path, status: 0 };
    this.requests.push(record);
    // All of it now: a slow service has the request, and goes on with it when the caller has given up.
    const body = await readBody(request).catch(() => undefined);
    if (body === undefined) return;
    const met = this.faults.meet(method, path.split('?')[0] ?? path, this.now());
    if (met?.fault.delayMs) await sleep(met.fault.delayMs, undefined, { signal: this.closing.signal }).catch(() => {});
    if (met?.fault.reset || this.closing.signal.aborted) return void request.socket.resetAndDestroy();
    const reply = (met && misbehave(met)) ?? (await this.answer(request, body, record, met?.snapshot));
    const drop = met?.fault.dropAfterApply;
    if (drop === 'hang') return;
    if (drop) return void request.socket.resetAndDestroy();
    record.status = reply.status;
    const isJson = reply.text === undefined;
    const text = reply.text ?? JSON.stringify(reply.json);
    response.writeHead(reply.status, { ...(isJson ? { 'Content-Type': 'application/json' } : {}), ...reply.headers });
    response.end(method === 'HEAD' ? undefined : text);
  }

  private now(): number {
    return (this.options.clock ?? Date.now)();
  }

  private async answer(
    request: IncomingMessage,
    body: Buffer,
    record: RequestRecord,
    snapshot: State | undefined,
  ): Promise<Reply> {
    const { method = 'GET', headers, url: target = '/' } = request;
    if (`${method} ${target} HTTP/1.1`.length > MAX_REQUEST_LINE)
      return { status: 414, text: 'Request Line is too large' };
    const state = method === 'GET' ? (snapshot ?? this.state) : this.state;
    try {
      const user = await this.callers.signedIn(state, headers);
      if (user !== undefined) record.user = user.username;
      const url = new URL(target, 'http://superset.invalid');
      return await this.dispatch({ method, url, headers, body, user, state });
    } catch (error) {
      if (error instanceof Refusal) return error.reply;
      return { status: 500, json: { message: 'Fatal error', emulator: String(error) } };
    }
  }

  private async dispatch(call: Call): Promise<Reply> {
    const { url, method } = call;
    if (!url.pathname.startsWith('/api/')) {
      const { signIn = 'assertion', signInHeader = 'X-Forwarded-User' } = this.options;
      const reply = page(call, this.callers, signIn, signInHeader);
      return reply ?? { status: 404, text: '<h1>Not found</h1>', headers: { 'Content-Type': 'text/html' } };
    }
    if (url.pathname === '/api/v1/security/login' && method === 'POST') return this.callers.logIn(call);
    if (url.pathname === '/api/v1/me/' && method === 'GET') return this.me(call);
    const [, name = '', member = ''] = PATH.exec(url.pathname) ?? [];
    const resource = RESOURCES[name];
    if (resource === undefined) throw noSuchRoute(404);
    return this.security(call, name, resource, member);
  }

  private async me(call: Call): Promise<Reply> {
    const { id, username, email, first_name, last_name, active } = await this.callers.apiUser(call);
    return { status: 200, json: { result: { id, username, email, first_name, last_name, is_active: active } } };
  }

  private async security(call: Call, name: string, resource: Resource, member: string): Promise<Reply> {
    const { method, state, url } = call;
    const user = await this.callers.apiUser(call);
    const allow = (action: string) => authorize(state, user, `${action} on ${resource.view}`);
    if (member === '_info' && method === 'GET') {
      allow('can_info');
      const may = permissionsOf(state, user);
      return { status: 200, json: { permissions: ACTIONS.filter((action) => may(`${action} on ${resource.view}`)) } };
    }
    if (member === '' && method === 'GET') {
      allow('can_get');
      return list(resource.listing(state), await this.query(name, queryOf(url)));
    }
    if (member === '' && method === 'POST') {
      allow('can_post');
      return resource.post(call);
    }
    const id = Number(member);
    if (member === '' || Number.isNaN(id)) throw noSuchRoute(405);
    if (method === 'GET') {
      allow('can_get');
      return show(resource.listing(state), id, queryOf(url));
    }
    if (method === 'PUT') {
      allow('can_put');
      return resource.put(call, id);
    }
    if (method !== 'DELETE') throw noSuchRoute(405);
    allow('can_delete');
    return resource.remove(call, id);
  }

  private async query(name: string, query: ReturnType<typeof queryOf>): Promise<ReturnType<typeof queryOf>> {
    if (this.options.mixesFilters !== true) return query;
    this.sharedQueries.set(name, query);
    await sleep(5);
    return { ...query, filters: this.sharedQueries.get(name)?.['filters'] };
  }
}

function assertionOptions({ signIn, issuer, audience, jwks }: SupersetEmulatorOptions): AssertionOptions | undefined {
  if (signIn === 'header') return undefined;
  if (issuer === undefined || audience === undefined || jwks === undefined) {
    throw new Error('assertion sign-in needs issuer, audience and jwks');
  }
  return { issuer, audience, jwks };
}

/** The answer of a fault that keeps the request from being worked on. */
function misbehave({ fault, retryAfter }: Encounter<State>): Reply | undefined {
  if (retryAfter !== undefined) {
    return { status: 429, json: { message: 'Too many requests' }, headers: { 'Retry-After': String(retryAfter) } };
  }
  if (fault.html) {
    const headers = { 'Content-Type': 'text/html' };
    return { status: fault.status ?? 200, text: '<!doctype html><h1>We will be right back</h1>', headers };
  }
  if (fault.status === undefined) return undefined;
  return {
    status: fault.status,
    json: fault.status === 401 ? { msg: 'Missing Authorization Header' } : { message: 'Fatal error' },
  };
}
