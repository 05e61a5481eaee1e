import { LatchgateError } from '../model/errors.ts';
import { type Deadline, startDeadline } from './deadline.ts';
import { type RawAnswer, readAnswer, toHttpResponse } from './http-answer.ts';
import type { HttpClient, HttpRequest, RetryPolicy } from './http-client.ts';
import type { Limiter, Limiters } from './limiter.ts';
import type { Log } from './log.ts';
import { backoff, canRetry, delayBeforeRetry, isConnectionFailure, pause, retryAfterMs } from './retry.ts';
import { createSemaphore, type Semaphore } from './semaphore.ts';
import { inCall } from './tracing.ts';
import { Agent, request as undiciRequest } from './undici.ts';

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

const LONGEST_WAIT_MS = 60_000;
/** After 429, where a limiter keeps everybody else waiting meanwhile: whatever the call is, it was not done. */
const REFUSED_ATTEMPTS = 5;
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_BYTES = 4 * 1024 * 1024;
/** A client with its own connections. One per configured service, so that a slow one cannot starve another. */
export function createHttpClient(options: HttpClientOptions = {}): HttpClient {
  const { timeoutMs = DEFAULT_TIMEOUT_MS, maxBytes = DEFAULT_MAX_BYTES, maxConcurrent = 32 } = options;
  const agent = new Agent({ connections: maxConcurrent, pipelining: 1, connect: { timeout: timeoutMs } });
  const places = createSemaphore(maxConcurrent);
  const base = { 'user-agent': options.userAgent ?? 'latchgate', 'accept-encoding': 'gzip, br' };

  const exchange = (call: Call): Promise<RawAnswer> => {
    return inCall(
      call.method,
      call.url,
      () => exchangeNow(call),
      ({ status }) => status,
    );
  };
  const exchangeNow = async (call: Call): Promise<RawAnswer> => {
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
  const answer = await undiciRequest(agent, call.url, {
    method: call.method,
    headers: call.headers,
    body: call.body ?? null,
    signal,
    // The deadline covers the whole call; undici's own coarse timers would only end long-running ones early.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return readAnswer(answer, call);
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
