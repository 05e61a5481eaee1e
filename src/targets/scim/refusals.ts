import type { ActualAccount } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import { traceOf } from './api.ts';

/** Retryable: what was read is not there any more. */
export function conflict(message: string): LatchgateError {
  return new LatchgateError('target_conflict', message);
}

/** After a 400 to values of ours. */
export function invalid(response: HttpResponse, call: string): LatchgateError {
  return new LatchgateError('profile_invalid', 'the SCIM service does not take these values', {
    detail: traceOf(response, call),
  });
}

/** After as many tries as there are, each of which found that somebody had written meanwhile. */
export function restless(): LatchgateError {
  return new LatchgateError('target_conflict', 'somebody writes the same resource of the SCIM service all the time');
}

/** Throws `account_protected`. */
export function refuseProtected(account: Pick<ActualAccount, 'id' | 'isProtected'>): void {
  if (!account.isProtected) return;
  throw new LatchgateError('account_protected', 'our own account is never written to', {
    detail: { account: account.id },
  });
}
