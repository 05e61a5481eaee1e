import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { CALLER, type Echo } from './witness.ts';

const ANSWER_LIMIT_MS = 15_000;
const MOST_BODY_BYTES = 3_000;
const EXAMPLES_KEPT = 5;
const REST_SHARE = 0.03;

/** Somebody with a session. */
export interface Visitor {
  readonly user: string;
  /** `name=value` */
  readonly cookie: string;
}

export interface LoadOptions {
  readonly url: string;
  readonly visitors: readonly Visitor[];
  /** Connections that are kept alive. Default 20. */
  readonly clients?: number;
  /** Between two requests of a client; default 10 ms. */
  readonly pauseMs?: number;
  /** Now and then a client asks nothing for up to so long, so that connections behind the front stand idle. Default 0. */
  readonly restMs?: number;
  /** Part of the requests that write, 0 to 1. Default 0.25. */
  readonly writes?: number;
  /** Sessions that have ended: they must never get in. More may be added while the load goes on. */
  readonly loggedOut?: readonly Visitor[];
}

export interface LoadReport {
  /** Answered by the backend, with the right person and what was sent. */
  readonly served: number;
  /** Refused by the gateway, by status and code: `503 session_store_unavailable`. */
  readonly refused: Readonly<Record<string, number>>;
  /** Without an answer, or with one that is not the gateway's: what happened, and how often. */
  readonly lost: Readonly<Record<string, number>>;
  /** Let in though it should not be, or as somebody else. Must be empty. */
  readonly wrong: readonly string[];
  /** Sessions that were asked to log in although nobody ended them, by request. */
  readonly askedToLogIn: number;
  /** How often something was refused, lost or asked to log in. */
  readonly troubles: number;
  /** From the first trouble to the last, in milliseconds; of a single one, and without any, 0. */
  readonly troubleMs: number;
  /** By `performance.now()`; 0 without any. */
  readonly lastTroubleAt: number;
  /** The longest answer that was served, in milliseconds. */
  readonly slowestMs: number;
}

export interface Load {
  /** So far. */
  report(): LoadReport;
  stop(): Promise<LoadReport>;
}

/** Goes on until it is stopped, and checks every answer. */
export function startLoad(options: LoadOptions): Load {
  const { url, visitors, clients = 20, pauseMs = 10, restMs = 0 } = options;
  const tally = new Tally();
  let isOver = false;
  const work = async (): Promise<void> => {
    const client = new Client(url, { pipelining: 1, keepAliveTimeout: 60_000 });
    while (!isOver) {
      await one(client, options, visitors, tally);
      await sleep(Math.random() < REST_SHARE ? restMs * Math.random() : pauseMs * (0.5 + Math.random()));
    }
    await client.destroy();
  };
  const working = Array.from({ length: clients }, work);
  return {
    report: () => tally.report(),
    stop: async () => {
      isOver = true;
      await Promise.all(working);
      return tally.report();
    },
  };
}

async function one(client: Client, options: LoadOptions, visitors: readonly Visitor[], tally: Tally): Promise<void> {
  const kind = Math.random();
  const { loggedOut = [] } = options;
  if (kind < 0.05) return askAs('nobody', undefined, client, tally);
  if (kind < 0.15 && loggedOut.length > 0) return askAs('logged-out', pick(loggedOut), client, tally);
  const visitor = pick(visitors);
  const writes = Math.random() < (options.writes ?? 0.25);
  const body = writes ? randomBytes(1 + Math.floor(Math.random() * MOST_BODY_BYTES)) : Buffer.alloc(0);
  const method = writes ? 'POST' : 'GET';
  const startedAt = performance.now();
  const answer = await ask(client, method, { cookie: visitor.cookie, [CALLER]: visitor.user }, body);
  if (!('status' in answer)) return tally.lose(`${method} ${answer.failure}`);
  if (answer.status === 200) {
    const echo = parse<Echo>(answer.text);
    const digest = createHash('sha256').update(body).digest('hex');
    if (echo === undefined) return tally.lose(`${method} 200 that is not the backend's`);
    if (echo.user !== visitor.user) return tally.mistake(`${visitor.user} was taken for ${echo.user}`);
    if (echo.digest !== digest || echo.method !== method) return tally.mistake(`a ${method} arrived as another`);
    return tally.serve(performance.now() - startedAt);
  }
  tally.note(method, answer.status, answer.text);
}

/** Somebody without a session, who says that he is the administrator. */
async function askAs(
  caller: 'nobody' | 'logged-out',
  who: Visitor | undefined,
  client: Client,
  tally: Tally,
): Promise<void> {
  const forged = { 'x-forwarded-user': 'admin', 'x-latchgate-assertion': 'e30.e30.', remote_user: 'admin' };
  const cookie = who === undefined ? {} : { cookie: who.cookie };
  const answer = await ask(client, 'GET', { ...forged, ...cookie, [CALLER]: caller }, Buffer.alloc(0));
  if (!('status' in answer)) return tally.lose(`${caller} ${answer.failure}`);
  if (answer.status < 400) return tally.mistake(`${caller} (${who?.user ?? ''}) was answered ${answer.status}`);
  if (answer.status !== 401) tally.note(caller, answer.status, answer.text);
}

type Answer = { readonly status: number; readonly text: string } | { readonly failure: string };

async function ask(
  client: Client,
  method: 'GET' | 'POST',
  headers: Readonly<Record<string, string>>,
  body: Buffer,
): Promise<Answer> {
  try {
    const { statusCode, body: answer } = await client.request({
      method,
      path: `/work/${randomBytes(6).toString('hex')}`,
      headers: { accept: 'application/json', ...headers },
      body: method === 'POST' ? body : null,
      signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
    });
    return { status: statusCode, text: await answer.text() };
  } catch (error) {
    const { code, name, message } = error as NodeJS.ErrnoException;
    if (name === 'TimeoutError') return { failure: 'no answer' };
    return { failure: code ?? `${name}: ${message}` };
  }
}

class Tally {
  #served = 0;
  #askedToLogIn = 0;
  #slowestMs = 0;
  readonly #refused: Record<string, number> = {};
  readonly #lost: Record<string, number> = {};
  readonly #wrong: string[] = [];
  #troubles = 0;
  #firstTrouble: number | undefined;
  #lastTrouble = 0;

  serve(ms: number): void {
    this.#served += 1;
    this.#slowestMs = Math.max(this.#slowestMs, ms);
  }

  note(what: string, status: number, text: string): void {
    const code = parse<{ error?: string }>(text)?.error;
    if (status === 401 && code === 'login_required') this.#askedToLogIn += 1;
    else if (code !== undefined) count(this.#refused, `${status} ${code}`);
    else count(this.#lost, `${what} ${status} not of the gateway`);
    this.#trouble();
  }

  lose(what: string): void {
    count(this.#lost, what);
    this.#trouble();
  }

  mistake(what: string): void {
    if (this.#wrong.length < EXAMPLES_KEPT) this.#wrong.push(what);
  }

  report(): LoadReport {
    return {
      served: this.#served,
      refused: { ...this.#refused },
      lost: { ...this.#lost },
      wrong: [...this.#wrong],
      askedToLogIn: this.#askedToLogIn,
      troubles: this.#troubles,
      troubleMs: this.#firstTrouble === undefined ? 0 : Math.round(this.#lastTrouble - this.#firstTrouble),
      lastTroubleAt: this.#lastTrouble,
      slowestMs: Math.round(this.#slowestMs),
    };
  }

  #trouble(): void {
    this.#troubles += 1;
    this.#lastTrouble = performance.now();
    this.#firstTrouble ??= this.#lastTrouble;
  }
}

function count(counts: Record<string, number>, what: string): void {
  counts[what] = (counts[what] ?? 0) + 1;
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)] as T;
}

function parse<T>(text: string): T | undefined {
  try {
    return JSON.parse(text) as T;
  } catch {
    return undefined;
  }
}
