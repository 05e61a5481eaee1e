import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpResponse } from '../http-client.ts';
import { retryAfterMs } from '../retry.ts';

/** What a tenant is to us: decides whether its failures are `target_…` or `source_…`. */
export type Auth0Role = 'target' | 'source';

const errorBody = z.object({ errorCode: z.string().max(64).optional() });

/** `errorCode` of a refusal. Auth0's texts differ from version to version and are never looked at. */
export function errorCodeOf(response: HttpResponse): string | undefined {
  try {
    return errorBody.parse(response.json()).errorCode;
  } catch {
    return undefined;
  }
}

/** What an answer that nobody expected means. `call` is shown, without ids. */
export function failure(role: Auth0Role, response: HttpResponse, call: string): LatchgateError {
  const { status } = response;
  const errorCode = errorCodeOf(response);
  const detail = { status, call, ...(errorCode === undefined ? {} : { errorCode }) };
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(response.headers['retry-after'] ?? '') ?? resetWaitMs(response);
    return new LatchgateError(`${role}_unavailable`, `Auth0 answered ${status}`, {
      detail,
      ...(waitMs === undefined ? {} : { retryAfterSeconds: Math.ceil(waitMs / 1_000) }),
    });
  }
  const isApi = (response.headers['content-type'] ?? '').includes('json');
  if (status === 401 || status === 403) {
    const what =
      errorCode === 'insufficient_scope' ? 'our client lacks a scope for this' : 'Auth0 does not take our token';
    return new LatchgateError(`${role}_refused`, what, { detail });
  }
  if (status >= 400 && isApi) {
    return new LatchgateError(`${role}_refused`, `Auth0 refused our request with ${status}`, { detail });
  }
  return new LatchgateError(`${role}_answer_invalid`, `Auth0 answered ${status}, which is not its API`, { detail });
}

function resetWaitMs({ headers }: HttpResponse): number | undefined {
  const reset = headers['x-ratelimit-reset'];
  return reset === undefined || !/^\d{1,12}$/.test(reset) ? undefined : Math.max(0, Number(reset) * 1_000 - Date.now());
}

/** Failures of the outgoing client are those of a target; here they become those of what the tenant is to us. */
export async function asFailureOf<T>(role: Auth0Role, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (role === 'target' || !(thrown instanceof LatchgateError)) throw thrown;
    const code = SOURCE_CODES[thrown.code];
    if (code === undefined) throw thrown;
    const { message, detail, cause, retryAfterSeconds } = thrown;
    throw new LatchgateError(code, message, {
      detail,
      ...(cause === undefined ? {} : { cause }),
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}

const SOURCE_CODES: Readonly<Partial<Record<LatchgateError['code'], LatchgateError['code']>>> = {
  target_unavailable: 'source_unavailable',
  target_refused: 'source_refused',
  target_answer_invalid: 'source_answer_invalid',
  answer_too_large: 'source_answer_invalid',
};
