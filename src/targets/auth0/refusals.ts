import type { ActualAccount } from '../../model/change.ts';
import { LatchgateError } from '../../model/errors.ts';
import { errorCodeOf } from '../../ops/auth0/failure.ts';
import type { HttpResponse } from '../../ops/http-client.ts';

export function conflict(message: string): LatchgateError {
  return new LatchgateError('target_conflict', message);
}

/** What a 400 to a write means: a value of ours, or something that no other value would cure. */
export function refusal(response: HttpResponse, call: string): LatchgateError {
  const errorCode = errorCodeOf(response) ?? '';
  const detail = { status: response.status, call, errorCode };
  return errorCode === 'invalid_body'
    ? new LatchgateError('profile_invalid', 'Auth0 does not take these values', { detail })
    : new LatchgateError('target_refused', `Auth0 refused our request with ${response.status}`, { detail });
}

export function roleMissing(): LatchgateError {
  return new LatchgateError('role_missing', 'a role vanished while it was being given');
}

export function refuseProtected(account: ActualAccount): void {
  if (!account.isProtected) return;
  throw new LatchgateError('account_protected', 'the account goes by an identity of another connection', {
    detail: { account: account.id },
  });
}

/** `never_delete`: whatever was planned. */
export function refuseEnding(account: ActualAccount): void {
  if (account.never !== 'disable') return;
  throw new LatchgateError('account_protected', 'the account is listed in never_delete', {
    detail: { account: account.id },
  });
}
