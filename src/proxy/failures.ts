import type { IncomingMessage } from 'node:http';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { createFailureLimit, type FailureLimit, type SharedFailures } from '../ops/failure-limit.ts';
import { createPeerList, createPeerOf } from './peers.ts';

/** Whole companies come from one address, and what succeeds is not counted. */
const FAILURES_A_MINUTE = 300;

interface FailuresOptions {
  readonly clock: Clock;
  readonly trustedProxies: readonly string[];
  /** Counts with the other instances. Default: there are none. */
  readonly sharedFailures?: SharedFailures;
}

/** Keeps one address from trying what fails over and over. Of one kind of request: another one has a count of its own. */
export class Failures {
  readonly #limit: FailureLimit;
  readonly #peerOf: (req: IncomingMessage) => string;

  constructor({ clock, trustedProxies, sharedFailures: shared }: FailuresOptions) {
    this.#limit = createFailureLimit({ perMinute: FAILURES_A_MINUTE, clock, shared });
    this.#peerOf = createPeerOf(createPeerList(trustedProxies));
  }

  /** Throws `too_many_requests` for who has failed too often. */
  check(req: IncomingMessage): void {
    const error = this.#tooMany(req);
    if (error !== undefined) throw error;
  }

  failed(req: IncomingMessage): void {
    this.#limit.failed(this.#peerOf(req));
  }

  /** Counts a request that is refused. `too_many_requests`, to refuse it with: there were too many of its address before. */
  count(req: IncomingMessage): LatchgateError | undefined {
    const error = this.#tooMany(req);
    if (error === undefined) this.failed(req);
    return error;
  }

  #tooMany(req: IncomingMessage): LatchgateError | undefined {
    const retryAfterSeconds = this.#limit.wait(this.#peerOf(req));
    if (retryAfterSeconds === 0) return undefined;
    return new LatchgateError('too_many_requests', 'too many failures from one address', { retryAfterSeconds });
  }
}
