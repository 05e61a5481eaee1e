import type { Decisions } from '../directory/decisions.ts';
import type { LoginOutcome } from '../login/context.ts';
import { ERRORS, type ErrorCode } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Metrics } from '../ops/metrics.ts';

/** How many failures in a row are kept for `why`, and how long it takes until one more may be. */
const MOST_AT_ONCE = 100;
const ONE_MORE_AFTER_MS = 6_000;

/**
 * Counts how logins end and keeps, for `why ID`, those that ended before anybody was identified. Anybody can make those,
 * as often as they like: only so many are written down. The log has all of them.
 */
export function createOutcomeRecorder({
  decisions,
  metrics,
  clock,
}: {
  readonly decisions: Pick<Decisions, 'save'>;
  readonly metrics: Pick<Metrics, 'login' | 'loginTook'>;
  readonly clock: Clock;
}): (outcome: LoginOutcome) => Promise<void> {
  let left = MOST_AT_ONCE;
  let countedAt = clock.now();
  const mayWrite = (): boolean => {
    const now = clock.now();
    left = Math.min(MOST_AT_ONCE, left + Math.max(0, now - countedAt) / ONE_MORE_AFTER_MS);
    countedAt = now;
    if (left < 1) return false;
    left -= 1;
    return true;
  };
  return async ({ requestId, login, code, seconds, beforeProvisioning, detail }) => {
    metrics.login(login, outcomeOf(code), code);
    if (seconds !== undefined) metrics.loginTook(login, seconds);
    if (!beforeProvisioning || !mayWrite()) return;
    await decisions.save({
      requestId,
      at: new Date(clock.now()),
      origin: login,
      outcome: 'deny',
      code,
      ...(detail === undefined ? {} : { detail }),
    });
  };
}

/** `error`: it is not the person's doing. */
export function outcomeOf(code: string): 'allow' | 'deny' | 'error' {
  if (code === 'ok') return 'allow';
  return Object.hasOwn(ERRORS, code) && ERRORS[code as ErrorCode].status >= 500 ? 'error' : 'deny';
}
