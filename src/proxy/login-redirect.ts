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

/** `back` is a path with its query on our own origin. */
export function loginAddress(back: string): string {
  return `/.latchgate/login?rd=${encodeURIComponent(back)}`;
}
