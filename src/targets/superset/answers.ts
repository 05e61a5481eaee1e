import { LatchgateError } from '../../model/errors.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import { retryAfterMs } from '../../ops/retry.ts';

/**
 * Whether Superset does not know who is calling: 401, or 422 with `msg`, which is how its token library says that a
 * token is broken. A 422 of the API itself has `message`.
 */
export function isUnauthenticated(response: HttpResponse): boolean {
  return response.status === 401 || (response.status === 422 && hasMember(response, 'msg'));
}

/** Whether the API itself says that there is no such record. An address that it does not have answers `errors`. */
export function isMissingRecord(response: HttpResponse): boolean {
  return response.status === 404 && hasMember(response, 'message');
}

/** Whether the answer sends the caller to Superset's login page. */
export function isLoginRedirect({ status, headers }: Pick<HttpResponse, 'status' | 'headers'>): boolean {
  if (status < 300 || status > 399) return false;
  const path = (headers['location'] ?? '').replace(/^https?:\/\/[^/]*/i, '').split(/[?#]/)[0] ?? '';
  return path.endsWith('/login/') || path.endsWith('/login');
}

/** What an answer means that the caller did not expect. */
export function failure(response: HttpResponse, call: string): LatchgateError {
  const { status } = response;
  const detail = { status, call };
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(response.headers['retry-after'] ?? '');
    return new LatchgateError('target_unavailable', `Superset answered ${status}`, {
      detail,
      ...(waitMs === undefined ? {} : { retryAfterSeconds: Math.ceil(waitMs / 1_000) }),
    });
  }
  if (isUnauthenticated(response) || isLoginRedirect(response)) {
    return new LatchgateError('target_refused', 'Superset does not accept our service account', { detail });
  }
  if (status === 403) {
    return new LatchgateError('target_refused', 'our service account lacks a permission in Superset', { detail });
  }
  if (status >= 400 && isJson(response)) {
    return new LatchgateError('target_refused', `Superset refused our request with ${status}`, { detail });
  }
  return new LatchgateError('target_answer_invalid', `Superset answered ${status}, which is not its API`, { detail });
}

function isJson({ headers }: HttpResponse): boolean {
  return (headers['content-type'] ?? '').includes('json');
}

function hasMember(response: HttpResponse, name: string): boolean {
  if (!isJson(response)) return false;
  try {
    const body = response.json();
    return typeof body === 'object' && body !== null && Object.hasOwn(body, name);
  } catch {
    return false;
  }
}
