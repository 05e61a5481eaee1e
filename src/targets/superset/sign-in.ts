import { inflateSync } from 'node:zlib';
import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpClient, HttpResponse } from '../../ops/http-client.ts';
import type { SignIn } from '../target.ts';
import { isLoginRedirect } from './answers.ts';
import type { SupersetTargetConfig } from './target.ts';

/** Flask's name for it; it holds the login in header mode, and CSRF tokens in both. */
const SESSION_COOKIE = 'session';
const MAX_SESSION_BYTES = 65_536;
/** Nothing of ours runs out: the assertion on each request is the proxy's. */
const VALID_FOR_S = 3_600;

interface Account {
  readonly id: string;
  readonly userName: string;
}

/** Superset's own session, kept on the gateway's side. The proxy's cookie jar takes it as it is. */
export interface SupersetSession {
  /** Never taken from a browser, never given to one. */
  readonly cookieNames: readonly string[];
  /** Signs the account in and gives the cookie pairs to send from now on. Throws `target_refused`. */
  open(account: Account, signal: AbortSignal): Promise<readonly string[]>;
  /** Whether this answer says that Superset does not know its session any more. */
  expired(status: number, location: string | undefined): boolean;
}

/**
 * What the proxy has to know of Superset's login. `assertion`: nothing is set here, and Superset's cookie says nothing
 * about who somebody is. `header`: Superset's cookie is the login, so none comes from a browser.
 */
export function createSupersetSignIn(
  config: Pick<SupersetTargetConfig, 'sign_in'> & { readonly sign_in_header: string },
): SignIn {
  const isHeader = config.sign_in === 'header';
  return {
    headers: async () => ({ set: {}, validForSeconds: VALID_FOR_S }),
    // Superset takes its own tokens, too: a browser's would be somebody else than the one who logged in.
    drop: ['authorization', ...(isHeader ? [config.sign_in_header.toLowerCase()] : [])],
    ...(isHeader ? { dropCookies: [SESSION_COOKIE] } : {}),
  };
}

export interface SupersetSessionOptions {
  readonly config: Pick<SupersetTargetConfig, 'url' | 'timeout'> & { readonly sign_in_header: string };
  readonly http: HttpClient;
}

/**
 * `sign_in: header`: the one request that carries the header is `GET /login/`, from us. Superset answers it with a
 * cookie whether it knows the name or not, so the cookie is looked into before it is used.
 */
export function createSupersetSession({ config, http }: SupersetSessionOptions): SupersetSession {
  const { url, timeout: timeoutMs, sign_in_header: header } = config;
  const get = (path: string, headers: Readonly<Record<string, string>>, signal: AbortSignal) =>
    http.send({ method: 'GET', url: new URL(`${url}${path}`), headers, signal, timeoutMs });

  return {
    cookieNames: [SESSION_COOKIE],
    open: async ({ id, userName }, signal) => {
      const login = await get('/login/', { [header]: userName, accept: 'text/html' }, signal);
      const cookie = login.status === 302 || login.status === 303 ? sessionCookie(login) : undefined;
      if (cookie === undefined) throw notSignedIn(login.status, 'GET /login/');
      const signedIn = userIdIn(cookie);
      if (signedIn === id) return [cookie];
      if (signedIn !== undefined) throw notSignedIn(login.status, 'GET /login/');
      const me = await get('/api/v1/me/', { cookie, accept: 'application/json' }, signal);
      if (me.status !== 200 || whoIs(me) !== userName) throw notSignedIn(me.status, 'GET /api/v1/me/');
      return [cookie];
    },
    expired: (status, location) =>
      status === 401 || (location !== undefined && isLoginRedirect({ status, headers: { location } })),
  };
}

const meAnswer = z.object({ result: z.object({ username: z.string() }) });

function whoIs(response: HttpResponse): string | undefined {
  const parsed = meAnswer.safeParse(response.json());
  return parsed.success ? parsed.data.result.username : undefined;
}

/**
 * Who a cookie of Flask's signs in: it is signed, not encrypted. '' for nobody; undefined when it cannot be read, as when
 * Superset keeps sessions on its side (SESSION_SERVER_SIDE).
 */
function userIdIn(cookie: string): string | undefined {
  const value = cookie.slice(SESSION_COOKIE.length + 1);
  const isCompressed = value.startsWith('.');
  const payload = value.split('.')[isCompressed ? 1 : 0] ?? '';
  try {
    const bytes = Buffer.from(payload, 'base64url');
    const text = isCompressed ? inflateSync(bytes, { maxOutputLength: MAX_SESSION_BYTES }) : bytes;
    const parsed = flaskSession.safeParse(JSON.parse(text.toString('utf8')));
    return parsed.success ? String(parsed.data._user_id ?? '') : undefined;
  } catch {
    return undefined;
  }
}

const flaskSession = z.object({ _user_id: z.union([z.string(), z.number()]).nullish() });

/** `session=…` of the Set-Cookie lines, which come joined by commas; a value of Flask's has none. */
function sessionCookie({ headers }: HttpResponse): string | undefined {
  return /(?:^|,\s*)(session=[^;,\s]+)/.exec(headers['set-cookie'] ?? '')?.[1];
}

function notSignedIn(status: number, call: string): LatchgateError {
  if (status === 429 || status >= 500) {
    return new LatchgateError('target_unavailable', `Superset answered ${status} to a login`, {
      detail: { status, call },
    });
  }
  return new LatchgateError('target_refused', 'Superset did not sign the account in by the header', {
    detail: { status, call },
  });
}
