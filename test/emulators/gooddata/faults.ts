/** One way in which the service misbehaves. Members combine: a slow 503 is `{ delayMs: 5000, status: 503 }`. */
export interface Fault {
  /** Which requests are hit; the path is without the query. Default: all. */
  readonly match?: (method: string, path: string) => boolean;
  /** How many requests are hit before the fault is over. Default: until cleared. */
  readonly times?: number;
  /** Milliseconds to wait before anything is done. */
  readonly delayMs?: number;
  /** Answer with this status and do nothing. 401 has no body, others a problem document. */
  readonly status?: number;
  /** Answer with a page instead of JSON, with `status` or 200. */
  readonly html?: boolean;
  /** At most this many requests in a second; the others get 429 and `Retry-After` (seconds). */
  readonly rateLimit?: { readonly perSecond: number; readonly retryAfter: number };
  /** Reset the connection, nothing done. */
  readonly reset?: boolean;
  /** Do the work, then reset the connection (`cut`, `true`) or never answer (`hang`). */
  readonly dropAfterApply?: boolean | 'cut' | 'hang';
  /** Answer reads from what was there when the fault was set. */
  readonly stale?: boolean;
}

interface Active<S> {
  readonly fault: Fault;
  readonly snapshot: S | undefined;
  left: number;
  recent: number[];
}

/** What a request meets: its fault, if any, and the old state if reads are stale. */
export interface Encounter<S> {
  readonly fault: Fault;
  readonly snapshot: S | undefined;
  /** Seconds to announce when this request is over the rate limit. */
  readonly retryAfter: number | undefined;
}

/** The faults in force. The first one that matches a request is the one it meets. */
export class Faults<S> {
  private active: Active<S>[] = [];
  private readonly snapshot: () => S;

  constructor(snapshot: () => S) {
    this.snapshot = snapshot;
  }

  /** Replaces all faults in force. */
  set(...faults: readonly Fault[]): void {
    this.clear();
    this.add(...faults);
  }

  add(...faults: readonly Fault[]): void {
    for (const fault of faults) {
      const snapshot = fault.stale ? this.snapshot() : undefined;
      this.active.push({ fault, snapshot, left: fault.times ?? Number.POSITIVE_INFINITY, recent: [] });
    }
  }

  clear(): void {
    this.active = [];
  }

  /** The fault this request meets, counted. */
  meet(method: string, path: string, now: number): Encounter<S> | undefined {
    const met = this.active.find(({ fault, left }) => left > 0 && (fault.match?.(method, path) ?? true));
    if (!met) return undefined;
    met.left -= 1;
    return { fault: met.fault, snapshot: met.snapshot, retryAfter: overLimit(met, now) };
  }
}

function overLimit(met: Active<unknown>, now: number): number | undefined {
  const limit = met.fault.rateLimit;
  if (!limit) return undefined;
  met.recent = met.recent.filter((time) => now - time < 1000);
  if (met.recent.length >= limit.perSecond) return limit.retryAfter;
  met.recent.push(now);
  return undefined;
}
