import { LatchgateError } from '../model/errors.ts';
import { type Clock, systemClock } from './clock.ts';
import { retryAfterMs } from './retry.ts';

/** How a service answered to a call that had a turn. Header names in lower case. */
export interface LimitedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** Leave to send one call. */
export interface Turn {
  /**
   * To be called exactly once; without an answer when there was none. `backoffMs` is how long a first refusal (429)
   * holds that does not say itself how long; it doubles with each further one.
   */
  done(answer?: LimitedAnswer, backoffMs?: number): void;
}

/** Keeps the calls of all clients to one service within what it allows. */
export interface Limiter {
  /**
   * Waits until a call may be sent, in order of asking. Rejects with the signal's reason, and with `target_unavailable`
   * (with `retryAfterSeconds`) when it is known that the wait is longer than `maxWaitMs` (default: as long as it takes).
   */
  turn(signal: AbortSignal, maxWaitMs?: number): Promise<Turn>;
}

/** The limiters of a process: one for each service, whoever calls it. */
export interface Limiters {
  /** That of the address's origin. Calls that the service counts apart from its others have a `bucket` of their own. */
  of(url: URL, bucket?: string): Limiter;
}

export interface LimiterOptions {
  readonly clock?: Clock;
  /** From 0 to 1, for the jitter. Default: Math.random. */
  readonly random?: () => number;
  /** Runs `work` after so many milliseconds unless the returned function is called before. Default: setTimeout. */
  readonly after?: (ms: number, work: () => void) => () => void;
}

/** No service is believed that wants more patience at once: it is asked again after this. */
const LONGEST_MS = 60_000;
const BACKOFF_MS = 500;
/** What a service that says how many calls are left, but not until when, is taken to mean. */
const UNTOLD_REFILL_MS = 1_000;
/** More calls at once than any client makes: a service that took these sets no limit that we would meet. */
const WIDE = 64;

export function createLimiters(options: LimiterOptions = {}): Limiters {
  const limiters = new Map<string, Limiter>();
  return {
    of: (url, bucket = '') => {
      const key = `${url.origin} ${bucket}`;
      const known = limiters.get(key) ?? createLimiter(options);
      limiters.set(key, known);
      return known;
    },
  };
}

interface Waiter {
  readonly grant: () => void;
}

/**
 * A service that counts (`x-ratelimit-remaining`, `x-ratelimit-reset` in seconds since the epoch) is never sent more
 * than is left; with nothing left the next call waits for the reset, and goes alone until its answer says how many may
 * follow. One that only refuses (429, with Retry-After or without) is left alone for so long, then asked by one call,
 * two, four. The first call of all goes alone too. So two refusals in a row are not met for what we send ourselves.
 */
export function createLimiter(options: LimiterOptions = {}): Limiter {
  const { clock = systemClock, random = Math.random, after = onTimer } = options;
  const waiting: Waiter[] = [];
  let inFlight = 0;
  /** How many more calls may be started now. */
  let room = 1;
  /** Calls at once, while a service that does not count is tried again after a refusal. */
  let width = Number.POSITIVE_INFINITY;
  let heldUntil: number | undefined;
  let cancelTimer: (() => void) | undefined;
  /** Refusals since the last call that was not refused. */
  let strikes = 0;
  /** Counts refusals: what was sent before one says nothing of the time after it. */
  let era = 0;
  let counts = false;
  let counted = { reset: 0, remaining: Number.POSITIVE_INFINITY };

  const withJitter = (ms: number): number => {
    const wait = Math.min(ms, LONGEST_MS);
    return Math.min(LONGEST_MS, wait + random() * Math.min(1_000, Math.max(50, wait / 4)));
  };

  const holdFor = (ms: number): void => {
    heldUntil = Math.max(heldUntil ?? 0, clock.now() + withJitter(ms));
    room = 0;
  };

  const pump = (): void => {
    cancelTimer?.();
    cancelTimer = undefined;
    while (waiting.length > 0) {
      if (heldUntil !== undefined) {
        const ms = heldUntil - clock.now();
        if (ms > 0) {
          cancelTimer = after(Math.ceil(ms), pump);
          return;
        }
        heldUntil = undefined;
        room = 1;
      }
      if (room <= 0) return;
      room -= 1;
      inFlight += 1;
      waiting.shift()?.grant();
    }
  };

  const refused = ({ headers }: LimitedAnswer, sentIn: number, backoffMs: number): void => {
    const told = toldWait(headers, clock.now());
    if (sentIn !== era) {
      if (told !== undefined) holdFor(told);
      return;
    }
    strikes += 1;
    era += 1;
    width = 1;
    counted = { reset: 0, remaining: Number.POSITIVE_INFINITY };
    // Refused again after the time that was said: another client is faster, and gets out of our way twice as long.
    if (told !== undefined && told > 0) holdFor(strikes > 1 ? told * 2 : told);
    else holdFor(backoffMs * 2 ** Math.min(strikes - 1, 16));
  };

  const taken = ({ headers }: LimitedAnswer): void => {
    strikes = 0;
    const said = countOf(headers);
    if (said === undefined) {
      // One that counts, though not here: this answer is of somebody in front of it.
      if (counts) return;
      width = width * 2 > WIDE ? Number.POSITIVE_INFINITY : width * 2;
      room = width - inFlight;
      return;
    }
    counts = true;
    const { reset = 0, remaining } = said;
    // Answers may overtake each other: until the same reset there are only ever fewer left.
    if (reset > counted.reset) counted = { reset, remaining };
    else counted = { ...counted, remaining: Math.min(counted.remaining, remaining) };
    width = Number.POSITIVE_INFINITY;
    room = Math.max(0, counted.remaining - inFlight);
    if (room > 0 || inFlight > 0) return;
    holdFor(said.reset === undefined ? UNTOLD_REFILL_MS : Math.max(0, counted.reset * 1_000 - clock.now()));
    counted = { ...counted, remaining: Number.POSITIVE_INFINITY };
  };

  const finish = (sentIn: number, answer: LimitedAnswer | undefined, backoffMs: number): void => {
    inFlight -= 1;
    if (answer?.status === 429) refused(answer, sentIn, backoffMs);
    else if (answer !== undefined && sentIn === era) taken(answer);
    // Nothing is under way that could still say how many may follow.
    if (room <= 0 && inFlight === 0 && heldUntil === undefined) room = 1;
    pump();
  };

  const begin = (): Turn => {
    const sentIn = era;
    return { done: (answer, backoffMs = BACKOFF_MS) => finish(sentIn, answer, backoffMs) };
  };

  return {
    turn: (signal, maxWaitMs = Number.POSITIVE_INFINITY) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        const waitMs = heldUntil === undefined ? 0 : heldUntil - clock.now();
        if (waitMs > maxWaitMs) {
          reject(busy(waitMs));
          return;
        }
        const waiter = {
          grant: () => {
            signal.removeEventListener('abort', onAbort);
            resolve(begin());
          },
        };
        const onAbort = () => {
          waiting.splice(waiting.indexOf(waiter), 1);
          reject(signal.reason as Error);
          pump();
        };
        waiting.push(waiter);
        signal.addEventListener('abort', onAbort, { once: true });
        pump();
      }),
  };
}

function busy(waitMs: number): LatchgateError {
  return new LatchgateError('target_unavailable', 'the service has asked not to be called for a while', {
    retryAfterSeconds: Math.ceil(waitMs / 1_000),
  });
}

/** How long a refusal asks to wait; the longer one when it says so twice. */
function toldWait(headers: LimitedAnswer['headers'], now: number): number | undefined {
  const after = headers['retry-after'];
  const { reset } = countOf(headers) ?? {};
  const waits = [
    after === undefined ? undefined : retryAfterMs(after, now),
    reset === undefined ? undefined : Math.max(0, reset * 1_000 - now),
  ].filter((wait) => wait !== undefined);
  return waits.length === 0 ? undefined : Math.max(...waits);
}

function countOf(
  headers: LimitedAnswer['headers'],
): { readonly remaining: number; readonly reset?: number } | undefined {
  const remaining = wholeNumber(headers['x-ratelimit-remaining']);
  if (remaining === undefined) return undefined;
  const reset = wholeNumber(headers['x-ratelimit-reset']);
  return reset === undefined ? { remaining } : { remaining, reset };
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,12}$/.test(text.trim()) ? Number(text) : undefined;
}

function onTimer(ms: number, work: () => void): () => void {
  const timer = setTimeout(work, ms);
  return () => clearTimeout(timer);
}
