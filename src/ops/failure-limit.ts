import { isIP } from 'node:net';
import type { Clock } from './clock.ts';

export interface FailureLimitOptions {
  /** How often one peer may fail at once, and in a minute from then on. */
  readonly perMinute: number;
  readonly clock: Clock;
  /** How many peers are remembered; beyond it those that failed longest ago are forgotten. Default 10,000. */
  readonly peers?: number;
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
}

/** A token bucket for each peer that failed lately. */
export function createFailureLimit({ perMinute, clock, peers = 10_000 }: FailureLimitOptions): FailureLimit {
  const buckets = new Map<string, Bucket>();
  const perMs = perMinute / 60_000;
  const leftNow = ({ left, at }: Bucket): number => Math.min(perMinute, left + Math.max(0, clock.now() - at) * perMs);
  return {
    wait: (peer) => {
      const bucket = buckets.get(networkOf(peer));
      const left = bucket === undefined ? perMinute : leftNow(bucket);
      return left >= 1 ? 0 : Math.max(1, Math.ceil((1 - left) / perMs / 1_000));
    },
    failed: (peer) => {
      const key = networkOf(peer);
      const before = buckets.get(key);
      const left = Math.max(0, (before === undefined ? perMinute : leftNow(before)) - 1);
      buckets.delete(key);
      buckets.set(key, { left, at: clock.now() });
      const [oldest] = buckets.keys();
      if (buckets.size > peers && oldest !== undefined) buckets.delete(oldest);
    },
  };
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
