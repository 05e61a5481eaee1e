import type { ServerResponse } from 'node:http';
import type { LatchgateError } from '../model/errors.ts';
import { errorBody } from './protocol/error.ts';

/** What a request is answered with. */
export interface Answer {
  readonly status: number;
  /** JSON; absent: no body. */
  readonly body?: unknown;
  readonly location?: string;
  readonly etag?: string;
  /** Methods that the address takes, with 405. */
  readonly allow?: string;
  readonly retryAfterSeconds?: number;
  /** How a client has to show who it is, with 401. */
  readonly challenge?: string;
}

/** RFC 6750 §3: the error is named where a token was sent that does not hold. */
export function challengeFor(hadToken: boolean): string {
  return hadToken ? 'Bearer realm="scim", error="invalid_token"' : 'Bearer realm="scim"';
}

export function failureAnswer(error: LatchgateError): Answer {
  const { status, retryAfterSeconds } = error;
  const isRetried = retryAfterSeconds !== undefined || status === 503;
  return {
    status,
    body: errorBody(error),
    ...(isRetried ? { retryAfterSeconds: Math.max(1, Math.ceil(retryAfterSeconds ?? 5)) } : {}),
  };
}

/** RFC 7644 §3.1, §8.1; nothing of it is for a cache or a browser. */
export function sendAnswer(res: ServerResponse, answer: Answer, requestId: string): void {
  const { status, body, location, etag, allow, retryAfterSeconds, challenge } = answer;
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers: Record<string, string | number> = {
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
    ...(location === undefined ? {} : { Location: location }),
    ...(etag === undefined ? {} : { ETag: etag }),
    ...(allow === undefined ? {} : { Allow: allow }),
    ...(retryAfterSeconds === undefined ? {} : { 'Retry-After': retryAfterSeconds }),
    ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
  };
  if (text !== undefined) {
    headers['Content-Type'] = 'application/scim+json; charset=utf-8';
    headers['Content-Length'] = Buffer.byteLength(text);
  } else if (status !== 204 && status !== 304) headers['Content-Length'] = 0;
  res.writeHead(status, headers);
  res.end(text);
}
