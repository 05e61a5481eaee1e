import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { ServedHost } from './hosts.ts';

/** What decides how somebody without a session is answered. Values as they arrived. */
export interface Caller {
  readonly method: string;
  readonly accept: string | undefined;
  readonly requestedWith: string | undefined;
  readonly fetchMode: string | undefined;
}

/** `method` is that of the request that wants a login, whatever asks about it. */
export function callerOf(headers: IncomingHttpHeaders, method: string): Caller {
  return {
    method,
    accept: headers.accept,
    requestedWith: headers['x-requested-with'] as string | undefined,
    fetchMode: headers['sec-fetch-mode'] as string | undefined,
  };
}

/**
 * A browser that goes somewhere is sent to the login; whatever calls an API is told with a status, because it would take
 * the login page for its answer.
 */
export function isNavigation({ method, accept, requestedWith, fetchMode }: Caller): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    requestedWith === undefined &&
    (fetchMode === undefined || fetchMode === 'navigate') &&
    accept?.toLowerCase().includes('text/html') === true
  );
}

/** Where to come back to after the login: what a script called is no place for that. */
export function placeToReturn(caller: Caller, forward: string): string {
  const { method, requestedWith, fetchMode } = caller;
  const isScript = requestedWith !== undefined || fetchMode !== undefined || (method !== 'GET' && method !== 'HEAD');
  return isScript && !isNavigation(caller) ? '/' : forward;
}

/**
 * Where the login begins for who asked `host` for `back`, a path with its query. Logins begin and end on the main host:
 * the cookie that binds them to the browser is its own, and the provider knows no other.
 */
export function loginAddress(host: ServedHost, main: ServedHost, back: string): string {
  const path = '/.latchgate/login?rd=';
  return host.isMain ? path + encodeURIComponent(back) : main.origin + path + encodeURIComponent(host.origin + back);
}

/** 401 for whatever calls an API. `loginUrl` is absolute. */
export function sendLoginRequired(
  res: ServerResponse,
  { loginUrl, requestId, isHead }: { readonly loginUrl: string; readonly requestId: string; readonly isHead: boolean },
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = `${JSON.stringify({ error: 'login_required', login_url: loginUrl, request_id: requestId })}\n`;
  res.writeHead(401, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
    ...headers,
  });
  res.end(isHead ? undefined : body);
}
