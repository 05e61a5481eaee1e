import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Encounter, Faults } from '../gooddata/faults.ts';
import { handleBulk } from './bulk.ts';
import { discover } from './discovery.ts';
import { ABLE, type Options } from './options.ts';
import { Refusal, type Reply, refusalReply } from './refusal.ts';
import { handleResource, kindOf, type World } from './resources.ts';
import { USER } from './schema.ts';
import { emptyState, plant, type State } from './state.ts';

/** One request as it was answered. */
export interface RequestRecord {
  readonly method: string;
  /** Below the base address, with the query. */
  readonly path: string;
  /** 0 when no answer was given. */
  status: number;
  body?: unknown;
  readonly ifMatch: string | undefined;
}

export interface ScimEmulator {
  /** The base address, without a slash at the end. */
  readonly url: string;
  readonly token: string;
  /** Those that hold; at first `token` alone. */
  readonly tokens: Set<string>;
  readonly state: State;
  readonly requests: RequestRecord[];
  readonly faults: Faults<State>;
  close(): Promise<void>;
}

/** The user that the token is of. */
const SERVICE_USER = 'service';
const BASE = '/scim/v2';

/** Starts a SCIM 2.0 service that lives in memory and refuses what a strict one refuses. */
export async function startScimEmulator(options: Partial<Options> = {}): Promise<ScimEmulator> {
  const running = new Running({ ...ABLE, ...options });
  const server = createServer((request, response) => void running.serve(request, response));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  running.base = `http://127.0.0.1:${(server.address() as AddressInfo).port}${BASE}`;
  return {
    url: running.base,
    token: running.token,
    tokens: running.tokens,
    state: running.state,
    requests: running.requests,
    faults: running.faults,
    close: () => running.close(server),
  };
}

class Running {
  base = '';
  readonly token = 'a-token-of-the-emulator-that-is-long-enough';
  readonly tokens = new Set([this.token]);
  readonly state = emptyState();
  readonly requests: RequestRecord[] = [];
  readonly faults = new Faults<State>(() => structuredClone(this.state));
  private readonly options: Options;
  private readonly ownId: string;
  private readonly closing = new AbortController();

  constructor(options: Options) {
    this.options = options;
    this.ownId = plant(this.state, 'User', { schemas: [USER], userName: SERVICE_USER, active: true }).id;
  }

  async close(server: Server): Promise<void> {
    this.closing.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  }

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const path = url.startsWith(`${BASE}/`) ? url.slice(BASE.length) : url;
    const record: RequestRecord = { method, path, status: 0, ifMatch: request.headers['if-match'] };
    this.requests.push(record);
    const text = await readAll(request).catch(() => undefined);
    if (text === undefined) return;
    const met = this.faults.meet(method, path.split('?')[0] ?? path, Date.now());
    if (met?.fault.delayMs) await sleep(met.fault.delayMs, undefined, { signal: this.closing.signal }).catch(() => {});
    if (met?.fault.reset || this.closing.signal.aborted) return void request.socket.resetAndDestroy();
    const reply = (met && misbehave(met)) ?? this.answer(request, url, text, record);
    if (met?.fault.dropAfterApply) return void request.socket.resetAndDestroy();
    record.status = reply.status;
    const isPage = typeof reply.json === 'string';
    const type = isPage ? 'text/html; charset=utf-8' : 'application/scim+json';
    response.writeHead(reply.status, {
      ...(reply.json === undefined ? {} : { 'content-type': type }),
      ...reply.headers,
    });
    response.end(reply.json === undefined ? undefined : isPage ? reply.json : JSON.stringify(reply.json));
  }

  private answer(request: IncomingMessage, target: string, text: string, record: RequestRecord): Reply {
    try {
      const url = new URL(target, this.base);
      const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
      if (!this.tokens.has(token)) throw new Refusal(401, 'no token of ours');
      if (!url.pathname.startsWith(`${BASE}/`)) throw new Refusal(404, 'no such endpoint');
      record.body = text === '' ? undefined : parseBody(text, request.headers['content-type']);
      return this.route(request, url, text, record.body);
    } catch (error) {
      if (error instanceof Refusal) return refusalReply(error.status, error.message, error.scimType);
      return refusalReply(500, `the emulator failed: ${String(error)}`);
    }
  }

  private route(request: IncomingMessage, url: URL, text: string, body: unknown): Reply {
    const { method = 'GET', headers } = request;
    const [endpoint = '', id, more] = url.pathname
      .slice(BASE.length + 1)
      .split('/')
      .map(decodeURIComponent);
    if (more !== undefined) throw new Refusal(404, 'no such endpoint');
    const { state, options, base } = this;
    const world: World = { state, options, base };
    const found = options.discovery && id === undefined ? discover(endpoint, options) : undefined;
    if (found !== undefined) {
      if (method !== 'GET') throw new Refusal(405, 'only to be read');
      return found;
    }
    const call = { method, query: url.searchParams, body, ifMatch: headers['if-match'] };
    if (endpoint === 'Me') {
      if (!options.me) throw new Refusal(501, '/Me is not supported');
      return handleResource(world, { ...call, kind: 'User', id: this.ownId });
    }
    if (endpoint === 'Bulk' && method === 'POST') return handleBulk(world, body, Buffer.byteLength(text));
    const kind = kindOf(endpoint);
    if (kind === undefined) throw new Refusal(404, 'no such endpoint');
    return handleResource(world, { ...call, kind, id });
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function parseBody(text: string, contentType = ''): unknown {
  if (!/^application\/(scim\+)?json\b/.test(contentType)) throw new Refusal(415, 'not SCIM by its type');
  try {
    return JSON.parse(text);
  } catch {
    throw new Refusal(400, 'not JSON', 'invalidSyntax');
  }
}

/** The answer of a fault that keeps the request from being worked on. */
function misbehave({ fault, retryAfter }: Encounter<State>): Reply | undefined {
  if (retryAfter !== undefined) {
    return { ...refusalReply(429, 'too many requests'), headers: { 'retry-after': String(retryAfter) } };
  }
  if (fault.html) return { status: fault.status ?? 200, json: '<!doctype html><title>Oops</title>' };
  return fault.status === undefined ? undefined : refusalReply(fault.status, 'the service is in trouble');
}
