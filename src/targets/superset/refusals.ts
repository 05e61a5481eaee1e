import type { ActualAccount } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';

/** Throws `account_protected`. */
export function refuseProtected(account: ActualAccount): void {
  if (!account.isProtected) return;
  throw new LatchgateError('account_protected', 'a service account or our own is never written to', {
    detail: { account: account.id },
  });
}

/** Retryable: what was read is not there any more. */
export function conflict(message: string): LatchgateError {
  return new LatchgateError('target_conflict', message);
}

/** After a 400 that no missing role or group explains. */
export function invalid(): LatchgateError {
  return new LatchgateError('profile_invalid', 'Superset does not take these values');
}

/** After a 500 that nothing explains. */
export function unavailable(): LatchgateError {
  return new LatchgateError('target_unavailable', 'Superset answers 500 to a change that nothing stands against');
}
