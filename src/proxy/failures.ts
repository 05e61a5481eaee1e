import type { IncomingMessage, ServerResponse } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { createFailureLimit, type FailureLimit } from '../ops/failure-limit.ts';
import { createPeerList, createPeerOf } from './peers.ts';
import { isAtOrBelow } from './target.ts';

/** Whole companies come from one address, and what succeeds is not counted. */
const FAILURES_A_MINUTE = 300;
/** Paths that anybody may call with what only looks like an answer of a provider, which takes work to find out. */
const WATCHED = ['/.latchgate/callback', '/.latchgate/backchannel-logout'];

/** Keeps one address from trying what fails over and over. */
export class Failures {
  readonly #limit: FailureLimit;
  readonly #peerOf: (req: IncomingMessage) => string;

  constructor({ clock, trustedProxies }: { readonly clock: Clock; readonly trustedProxies: readonly string[] }) {
    this.#limit = createFailureLimit({ perMinute: FAILURES_A_MINUTE, clock });
    this.#peerOf = createPeerOf(createPeerList(trustedProxies));
  }

  /** Counts an answer of the gateway's own that refuses. Throws `too_many_requests`. */
  watch(req: IncomingMessage, res: ServerResponse, path: string): void {
    if (!WATCHED.some((watched) => isAtOrBelow(path, watched))) return;
    this.check(req);
    res.once('finish', () => {
      if (res.statusCode >= 400 && res.statusCode < 500) this.failed(req);
    });
  }

  /** Throws `too_many_requests` for who has failed too often. */
  check(req: IncomingMessage): void {
    const retryAfterSeconds = this.#limit.wait(this.#peerOf(req));
    if (retryAfterSeconds === 0) return;
    throw new LatchgateError('too_many_requests', 'too many failures from one address', { retryAfterSeconds });
  }

  failed(req: IncomingMessage): void {
    this.#limit.failed(this.#peerOf(req));
  }
}
