import { toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { StillOurs } from '../targets/target.ts';

/** Far shorter than any lease: whoever was told so long ago that it is theirs need not ask again. */
const ASK_EVERY_MS = 1_000;

/** What is written under leases, until they are lost. */
export interface UnderLeases {
  /** Ahead of each call of a target. Quick: the state is asked once a second, and at once when the clock jumped. */
  readonly stillOurs: StillOurs;
  /** Aborted once they are found to be lost: what is under way need not be waited for. */
  readonly signal: AbortSignal;
}

/**
 * Whoever stood still goes by what may not be true any more, and wakes in the middle of many calls: each asks `keep`, which
 * renews the leases or throws. Once it has thrown, everybody who asks gets that.
 */
export function underLeases(clock: Clock, keep: () => Promise<void>): UnderLeases {
  const lost = new AbortController();
  let askedAt = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | undefined;
  const ask = async (): Promise<void> => {
    const now = clock.now();
    try {
      await keep();
      askedAt = now;
    } catch (thrown) {
      lost.abort(toLatchgateError(thrown));
      throw thrown;
    } finally {
      asking = undefined;
    }
  };
  return {
    signal: lost.signal,
    stillOurs: async () => {
      lost.signal.throwIfAborted();
      const age = clock.now() - askedAt;
      if (age >= 0 && age < ASK_EVERY_MS) return;
      asking ??= ask();
      await asking;
    },
  };
}
