/** Below any SUPERSET_APP_ROOT. */
const SECURITY_API = /(?:^|\/)api\/v1\/security\/([^/]+)(?:\/|$)/;

/**
 * Superset's own password login and its refresh: nobody behind the gateway needs them, and they count no attempts.
 * `path` is normalised.
 */
export function isPasswordLogin(path: string): boolean {
  const part = SECURITY_API.exec(path)?.[1];
  return part === 'login' || part === 'refresh';
}

/** Accounts, roles and groups: Superset asks for no CSRF token there, so that only its own pages may call them. */
export function isSecurityApi(path: string): boolean {
  return SECURITY_API.test(path);
}
