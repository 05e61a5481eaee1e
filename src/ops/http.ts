import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate } from 'node:zlib';
import { Agent, type Dispatcher, request as undiciRequest } from 'undici';
import { LatchgateError } from '../model/errors.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import type { HttpClient, HttpRequest, HttpResponse, RetryPolicy } from './http-client.ts';
import type { Limiter, Limiters } from './limiter.ts';
import type { Log } from './log.ts';
import { backoff, canRetry, delayBeforeRetry, isConnectionFailure, pause, retryAfterMs } from './retry.ts';
import { createSemaphore, type Semaphore } from './semaphore.ts';

export interface HttpClientOptions {
  /** For one call with all its retries, connect to last byte; default 10 s. */
  readonly timeoutMs?: number;
  /** Of the body as it is read, before and after decompression; default 4 MiB. */
  readonly maxBytes?: number;
  /** Calls under way at once; more wait. Default 32. */
  readonly maxConcurrent?: number;
  /** Default `latchgate`. */
  readonly userAgent?: string;
  readonly log?: Pick<Log, 'debug'>;
  readonly onRetry?: () => void;
  /** Of the services that are called: shared by every client that calls them. Default: calls are not paced. */
  readonly limiters?: Limiters;
  /** Longest known wait for a limiter, in milliseconds; beyond it a call fails at once. Default: as long as it takes. */
  readonly maxWaitMs?: number;
  /** True: a call that could write (any method but GET and HEAD, unless it says `reads`) throws `write_refused`. Default false. */
  readonly readOnly?: boolean;
}

interface Call {
  readonly method: HttpRequest['method'];
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly retries: number;
  readonly policy?: RetryPolicy | undefined;
  readonly bucket?: string | undefined;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
}

const LONGEST_WAIT_MS = 60_000;
/** After 429, where a limiter keeps everybody else waiting meanwhile: whatever the call is, it was not done. */
const REFUSED_ATTEMPTS = 5;
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
const inflaters: Readonly<Record<string, (body: Buffer, limits: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(gunzip),
  'x-gzip': promisify(gunzip),
  br: promisify(brotliDecompress),
  deflate: promisify(inflate),
};

/** A client with its own connections. One per configured service, so that a slow one cannot starve another. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES, maxConcurrent = 32 } = options;
  const agent = new Agent({ connections: maxConcurrent, pipelining: 1, connect: { timeout: timeoutMs } });
  const places = createSemaphore(maxConcurrent);
  const base = { 'user-agent': options.userAgent ?? 'latchgate', 'accept-encoding': 'gzip, br' };

  const exchange = async (call: Call): Promise<RawAnswer> => {
    const deadline = startDeadline(call.timeoutMs, call.signal);
    const limiter = options.limiters?.of(call.url, call.bucket);
    try {
      return await withRetries({ agent, places, limiter }, call, deadline, options);
    } catch (thrown) {
      throw asFailure(thrown, call, deadline);
    } finally {
      deadline.end();
    }
  };

  return {
    send: async (request) => {
      if (
        options.readOnly === true &&
        request.reads !== true &&
        request.method !== 'GET' &&
        request.method !== 'HEAD'
      ) {
        throw new LatchgateError('write_refused', 'a client that only reads was asked to write', {
          detail: { method: request.method, host: request.url.host },
        });
      }
      const isJson = request.json !== undefined;
      const headers = { ...base, ...(isJson ? { 'content-type': 'application/json' } : {}), ...lowerCased(request) };
      const answer = await exchange({
        method: request.method,
        url: request.url,
        headers,
        body: isJson ? JSON.stringify(request.json) : undefined,
        signal: request.signal,
        timeoutMs: request.timeoutMs ?? timeoutMs,
        maxBytes: request.maxBytes ?? maxBytes,
        retries: request.retries ?? defaultRetries(request.method),
        policy: request.retry,
        bucket: request.bucket,
      });
      return toHttpResponse(answer, request.url);
    },
    fetch: async (url, init) => {
      const request = new Request(url, init);
      const method = request.method as HttpRequest['method'];
      const body = request.body === null ? undefined : new Uint8Array(await request.arrayBuffer());
      const headers = { ...base, ...Object.fromEntries(request.headers) };
      const signal = init?.signal ?? undefined;
      const call = { method, url: new URL(request.url), headers, body, signal };
      const answer = await exchange({ ...call, timeoutMs, maxBytes, retries: defaultRetries(method) });
      const hasBody = ![204, 205, 304].includes(answer.status) && method !== 'HEAD';
      return new Response(hasBody ? new Uint8Array(answer.body) : null, {
        status: answer.status,
        headers: answer.headers,
      });
    },
    close: () => agent.destroy(),
  };
}

function defaultRetries(method: string): number {
  return method === 'GET' || method === 'HEAD' ? 2 : 0;
}

function lowerCased(request: HttpRequest): Record<string, string> {
  return Object.fromEntries(
    Object.entries(request.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value] as const),
  );
}

/** What a call is made with. */
interface Means {
  readonly agent: Agent;
  readonly places: Semaphore;
  readonly limiter: Limiter | undefined;
}

async function withRetries(
  means: Means,
  call: Call,
  deadline: Deadline,
  options: HttpClientOptions,
): Promise<RawAnswer> {
  for (let attempt = 0; ; attempt += 1) {
    const tried = await inTurn(means, call, deadline, options.maxWaitMs);
    const { answer, failure } = tried;
    const status = answer?.status ?? 0;
    options.log?.debug('outgoing call', { method: call.method, host: call.url.host, status, attempt });
    const retryable = answer === undefined ? isConnectionFailure(failure) : canRetry(status);
    if (!retryable || attempt >= attemptsAfter(call, status, means) || deadline.signal.aborted) return given(tried);
    const wait = waitBefore(call, attempt, tried, means.limiter !== undefined);
    if (wait.counts && wait.ms >= deadline.left()) return given(tried);
    options.onRetry?.();
    await (wait.counts ? pause(wait.ms, deadline.signal) : deadline.outside(() => pause(wait.ms, deadline.signal)));
  }
}

interface Tried {
  readonly answer?: RawAnswer;
  readonly failure?: unknown;
}

/** One try, when the service's limiter and the client have room for it. A wait for the limiter takes no time of the call. */
async function inTurn(
  { agent, places, limiter }: Means,
  call: Call,
  deadline: Deadline,
  maxWaitMs: number | undefined,
): Promise<Tried> {
  const turn = await (limiter && deadline.outside(() => limiter.turn(deadline.signal, maxWaitMs)));
  let answer: RawAnswer | undefined;
  try {
    const release = await places.acquire(deadline.signal);
    try {
      answer = await once(agent, call, deadline.signal);
      return { answer };
    } finally {
      release();
    }
  } catch (failure) {
    return { failure };
  } finally {
    turn?.done(answer, call.policy?.backoffMs);
  }
}

function given({ answer, failure }: Tried): RawAnswer {
  if (answer === undefined) throw failure;
  return answer;
}

function attemptsAfter({ policy, retries }: Call, status: number, { limiter }: Means): number {
  if (status !== 429) return policy?.attempts ?? retries;
  return policy?.refusedAttempts ?? (limiter === undefined ? retries : Math.max(retries, REFUSED_ATTEMPTS));
}

/** With a limiter a 429 is waited for in its queue, with everybody else who calls the same service. */
function waitBefore(
  { policy }: Call,
  attempt: number,
  { answer }: Tried,
  isLimited: boolean,
): { readonly ms: number; readonly counts: boolean } {
  if (isLimited && answer?.status === 429) return { ms: 0, counts: false };
  const retryAfter = answer?.headers['retry-after'];
  if (policy === undefined) return { ms: delayBeforeRetry(attempt, retryAfter), counts: true };
  const told = retryAfter === undefined ? undefined : retryAfterMs(retryAfter);
  return { ms: Math.min(LONGEST_WAIT_MS, told ?? backoff(attempt, policy.backoffMs)), counts: false };
}

async function once(agent: Agent, call: Call, signal: AbortSignal): Promise<RawAnswer> {
  const answer = await undiciRequest(call.url, {
    dispatcher: agent,
    method: call.method,
    headers: call.headers,
    body: call.body ?? null,
    signal,
    // The deadline covers the whole call; undici's own coarse timers would only end long-running ones early.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const headers = flatHeaders(answer.headers);
  const raw = await readLimited(answer.body, call);
  const body = await decompress(raw, headers['content-encoding'], call);
  return { status: answer.statusCode, headers, body };
}

function flatHeaders(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return flat;
}

async function readLimited(body: Dispatcher.ResponseData['body'], call: Call): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > call.maxBytes) {
      // Leaving the loop destroys the body and with it the connection: the rest is never read.
      throw tooLarge(call);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, size);
}

async function decompress(body: Buffer, encoding: string | undefined, call: Call): Promise<Buffer> {
  const name = encoding?.trim().toLowerCase() ?? 'identity';
  if (name === 'identity' || name === '' || body.length === 0) return body;
  const inflater = inflaters[name];
  const detail = { host: call.url.host };
  if (inflater === undefined) {
    throw new LatchgateError('target_answer_invalid', 'the answer has an encoding that was not asked for', { detail });
  }
  try {
    return await inflater(body, { maxOutputLength: call.maxBytes });
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(call);
    throw new LatchgateError('target_answer_invalid', 'the answer cannot be decompressed', { detail, cause: thrown });
  }
}

function tooLarge(call: Call): LatchgateError {
  return new LatchgateError('answer_too_large', 'the answer is longer than its limit', {
    detail: { host: call.url.host, maxBytes: call.maxBytes },
  });
}

function asFailure(thrown: unknown, call: Call, deadline: Deadline): LatchgateError {
  if (thrown instanceof LatchgateError) return thrown;
  if (call.signal?.reason instanceof LatchgateError) return call.signal.reason;
  const detail = { method: call.method, host: call.url.host };
  if (deadline.timedOut()) {
    const message = `no answer from ${call.url.host} within ${call.timeoutMs} ms`;
    return new LatchgateError('target_unavailable', message, { detail: { ...detail, timeout: true }, cause: thrown });
  }
  const message = call.signal?.aborted === true ? 'the call was given up' : `no connection to ${call.url.host}`;
  return new LatchgateError('target_unavailable', message, { detail, cause: thrown });
}

function toHttpResponse(answer: RawAnswer, url: URL): HttpResponse {
  const text = answer.body.toString('utf8');
  return {
    status: answer.status,
    headers: answer.headers,
    text,
    json: () => {
      const detail = { host: url.host, status: answer.status };
      const type = (answer.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
      if (!/^application\/(?:[\w.-]+\+)?json$/.test(type)) {
        throw new LatchgateError('target_answer_invalid', 'the answer is not JSON by its type', { detail });
      }
      try {
        return JSON.parse(text) as unknown;
      } catch {
        // Without the cause: JSON.parse quotes the text that it could not read.
        throw new LatchgateError('target_answer_invalid', 'the answer is not JSON', { detail });
      }
    },
  };
}
