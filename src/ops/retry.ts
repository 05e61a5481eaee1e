import { setTimeout as sleep } from 'node:timers/promises';

const BASE_MS = 200;
const LONGEST_MS = 10_000;

const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'EAI_AGAIN',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** Whether an HTTP status says that the same call may succeed a little later. */
export function canRetry(status: number): boolean {
  return status === 429 || status === 502 || status === 503 || status === 504;
}

/**
 * Whether the call failed below HTTP, in a way that another connection may cure. Told by codes alone: an error of Node's
 * own may be of another realm than ours, and then is an instance of none of our classes.
 */
export function isConnectionFailure(thrown: unknown): boolean {
  if (typeof thrown !== 'object' || thrown === null) return false;
  const { code, errors } = thrown as { readonly code?: unknown; readonly errors?: unknown };
  // Each address of a host name that was tried.
  if (Array.isArray(errors)) return errors.every(isConnectionFailure);
  return typeof code === 'string' && CONNECTION_CODES.has(code);
}

/**
 * How long to wait before the next try, in milliseconds: what `Retry-After` says (RFC 9110 §10.2.3, seconds or a date),
 * else exponential from 200 ms with full jitter above the half. `attempt` counts from 0.
 */
export function delayBeforeRetry(attempt: number, retryAfter: string | undefined, now = Date.now()): number {
  const asked = retryAfter === undefined ? undefined : retryAfterMs(retryAfter, now);
  if (asked !== undefined) return asked;
  return backoff(attempt, BASE_MS, LONGEST_MS);
}

/** Milliseconds: `baseMs` doubled with each attempt (from 0), at most `longestMs`, with full jitter above the half. */
export function backoff(attempt: number, baseMs: number, longestMs = 60_000): number {
  const ceiling = Math.min(longestMs, baseMs * 2 ** attempt);
  return ceiling / 2 + (Math.random() * ceiling) / 2;
}

/** Milliseconds that a Retry-After asks for; undefined when it is neither a number of seconds nor a date. */
export function retryAfterMs(value: string, now = Date.now()): number | undefined {
  const trimmed = value.trim();
  if (/^\d{1,9}$/.test(trimmed)) return Number(trimmed) * 1_000;
  const date = Date.parse(trimmed);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Rejects with the signal's reason when it ends the wait. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal });
}
