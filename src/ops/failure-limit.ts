import { isIP } from 'node:net';
import type { Clock } from './clock.ts';
import { sha256 } from './hash.ts';

/**
 * Adds how often each of these failed here, by opaque keys, and resolves to how often each failed at all instances. It
 * may begin to count anew when a minute has passed. When it rejects, every instance counts by itself.
 */
export type SharedFailures = (failed: ReadonlyMap<string, number>) => Promise<ReadonlyMap<string, number>>;

export interface FailureLimitOptions {
  /** How often one peer may fail at once, and in a minute from then on. */
  readonly perMinute: number;
  readonly clock: Clock;
  /** How many peers are remembered; beyond it those that failed longest ago are forgotten. Default 10,000. */
  readonly peers?: number;
  /** What other instances count; asked a second after a failure, and never without one. Default: there are none. */
  readonly shared?: SharedFailures | undefined;
}

/** How often somebody may try what only fails: by address, an IPv6 network of 64 bits counting as one. */
export interface FailureLimit {
  /** Whole seconds until this peer may try again; 0: now. */
  wait(peer: string): number;
  failed(peer: string): void;
}

interface Bucket {
  left: number;
  /** Milliseconds since the epoch; when `left` was true. */
  at: number;
  /** Failures that the others have not been told of. */
  untold: number;
  /** At all instances, when they were last told. */
  known: number;
}

const TELL_MS = 1_000;
/** Peers in one message; the others have their turn in the next one. */
const MOST_TOLD = 500;

/** A token bucket for each peer that failed lately. */
export function createFailureLimit(options: FailureLimitOptions): FailureLimit {
  return new Buckets(options);
}

class Buckets implements FailureLimit {
  readonly #options: FailureLimitOptions;
  readonly #perMs: number;
  readonly #buckets = new Map<string, Bucket>();
  readonly #untold = new Set<string>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FailureLimitOptions) {
    this.#options = options;
    this.#perMs = options.perMinute / 60_000;
  }

  wait(peer: string): number {
    const bucket = this.#buckets.get(networkOf(peer));
    const left = bucket === undefined ? this.#options.perMinute : this.#leftNow(bucket);
    return left >= 1 ? 0 : Math.max(1, Math.ceil((1 - left) / this.#perMs / 1_000));
  }

  failed(peer: string): void {
    const { perMinute, clock, peers = 10_000, shared } = this.#options;
    const key = networkOf(peer);
    const bucket = this.#buckets.get(key) ?? { left: perMinute, at: clock.now(), untold: 0, known: 0 };
    this.#take(bucket, 1);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    const [oldest] = this.#buckets.keys();
    if (this.#buckets.size > peers && oldest !== undefined) {
      this.#buckets.delete(oldest);
      this.#untold.delete(oldest);
    }
    if (shared === undefined) return;
    bucket.untold += 1;
    this.#untold.add(key);
    this.#tellSoon(shared);
  }

  #tellSoon(shared: SharedFailures): void {
    if (this.#timer !== undefined || this.#untold.size === 0) return;
    this.#timer = setTimeout(async () => {
      await this.#tell(shared);
      this.#timer = undefined;
      this.#tellSoon(shared);
    }, TELL_MS);
    this.#timer.unref();
  }

  async #tell(shared: SharedFailures): Promise<void> {
    const told = new Map<string, { readonly bucket: Bucket; readonly times: number }>();
    for (const key of this.#untold) {
      if (told.size === MOST_TOLD) break;
      const bucket = this.#buckets.get(key) as Bucket;
      told.set(sha256(key), { bucket, times: bucket.untold });
      bucket.untold = 0;
      this.#untold.delete(key);
    }
    const counts = new Map([...told].map(([key, { times }]) => [key, times]));
    // Whoever cannot be told does not hear of these; the limit here goes on.
    const sums = await shared(counts).catch(() => new Map<string, number>());
    for (const [key, { bucket, times }] of told) {
      const sum = sums.get(key);
      if (sum === undefined) continue;
      const elsewhere = sum - times - (sum > bucket.known ? bucket.known : 0);
      this.#take(bucket, Math.max(0, elsewhere));
      bucket.known = sum;
    }
  }

  #take(bucket: Bucket, times: number): void {
    bucket.left = Math.max(0, this.#leftNow(bucket) - times);
    bucket.at = this.#options.clock.now();
  }

  #leftNow({ left, at }: Bucket): number {
    const { perMinute, clock } = this.#options;
    return Math.min(perMinute, left + Math.max(0, clock.now() - at) * this.#perMs);
  }
}

/** One subscriber has a whole network of IPv6 addresses. */
function networkOf(peer: string): string {
  if (isIP(peer) !== 6) return peer;
  const [head = '', tail] = peer.replace(/%.*$/, '').split('::', 2);
  const start = head === '' ? [] : head.split(':');
  const end = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - start.length - end.length);
  const groups = [...start, ...new Array<string>(zeros).fill('0'), ...end];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
