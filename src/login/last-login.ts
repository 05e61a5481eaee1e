import { cookieValues } from '../session/cookie.ts';
import { mainOrigin, PREFIX } from './context.ts';

/*
 * The provider that a browser logged in by last, so that nobody has to choose each time. It is a wish and no more: the
 * cookie is read where a login begins, goes to our own pages alone, and whatever else stands in it is nothing.
 */

const NAME = 'latchgate-last-login';
const LIFE_SECONDS = 180 * 86_400;

/** The name that the browser brought, whatever it is. */
export function lastLogin(publicUrl: string, cookieHeader: string | undefined): string | undefined {
  const [value, ...more] = cookieValues(cookieHeader, nameFor(publicUrl));
  return more.length === 0 ? value : undefined;
}

/** Set-Cookie line that remembers a provider. */
export function rememberLogin(publicUrl: string, provider: string): string {
  return `${nameFor(publicUrl)}=${provider}; Max-Age=${LIFE_SECONDS}; ${attributesFor(publicUrl)}`;
}

/** Set-Cookie line that remembers none. */
export function forgetLogin(publicUrl: string): string {
  return `${nameFor(publicUrl)}=; Max-Age=0; ${attributesFor(publicUrl)}`;
}

function nameFor(publicUrl: string): string {
  return isSecure(publicUrl) ? `__Secure-${NAME}` : NAME;
}

function attributesFor(publicUrl: string): string {
  return `Path=${PREFIX}; HttpOnly; SameSite=Lax${isSecure(publicUrl) ? '; Secure' : ''}`;
}

function isSecure(publicUrl: string): boolean {
  return mainOrigin(publicUrl).startsWith('https:');
}
