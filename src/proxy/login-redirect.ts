import type { ServedHost } from './hosts.ts';

/** What decides how somebody without a session is answered. Values as they arrived. */
export interface Caller {
  readonly method: string;
  readonly accept: string | undefined;
  readonly requestedWith: string | undefined;
  readonly fetchMode: string | undefined;
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

/**
 * Where the login begins for who asked `host` for `back`, a path with its query. Logins begin and end on the main host:
 * the cookie that binds them to the browser is its own, and the provider knows no other.
 */
export function loginAddress(host: ServedHost, main: ServedHost, back: string): string {
  const path = '/.latchgate/login?rd=';
  return host.isMain ? path + encodeURIComponent(back) : main.origin + path + encodeURIComponent(host.origin + back);
}
