import type { IncomingHttpHeaders } from 'node:http';
import { type Caller, Refusal, type Reply } from './exchange.ts';
import { looksLikeJwt, md5, TokenRefused, type VerifiedToken, verifyJwt } from './jwt.ts';
import type { State } from './state.ts';

export type Authentication = { readonly caller: Caller } | { readonly reply: Reply };

/**
 * Tells who is calling. Without a bearer: 401 for `X-Requested-With: XMLHttpRequest`, else a redirect to the login.
 * @param now milliseconds since the epoch
 * @throws Refusal 404 when the JWT is good and its user does not exist
 */
export async function authenticate(
  state: State,
  headers: IncomingHttpHeaders,
  host: string,
  now: number,
): Promise<Authentication> {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer === undefined) return { reply: loginNeeded(headers, host) };
  if (!looksLikeJwt(bearer)) return byApiToken(state, bearer);
  try {
    const token = await verifyJwt(bearer, state.jwks.values(), now);
    refuseLoggedOut(state, token);
    if (!state.users.has(token.sub)) throw new Refusal(404, `User with ID='${token.sub}' is not registered`);
    return { caller: { userId: token.sub, via: 'jwt', name: token.name, bearer } };
  } catch (error) {
    if (error instanceof TokenRefused) return { reply: unauthorized(error.message) };
    throw error;
  }
}

function loginNeeded(headers: IncomingHttpHeaders, host: string): Reply {
  if (headers['x-requested-with'] === 'XMLHttpRequest') return { status: 401, text: '/appLogin' };
  const hostname = encodeURIComponent(host.replace(/:\d+$/, ''));
  return { status: 302, headers: { Location: `/oauth2/authorization/${hostname}` } };
}

function byApiToken(state: State, bearer: string): Authentication {
  for (const [userId, tokens] of state.apiTokens) {
    for (const token of tokens.values()) {
      if (token.attributes['bearerToken'] === bearer) return { caller: { userId, via: 'token', bearer } };
    }
  }
  return { reply: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } } };
}

function refuseLoggedOut(state: State, token: VerifiedToken): void {
  const since = state.loggedOutAt.get(token.sub);
  const tooOld = since !== undefined && token.iat * 1000 <= since;
  if (tooOld || state.disabledTokens.has(token.md5))
    throw new TokenRefused('The JWT is disabled by logout / logout all.');
}

function unauthorized(description: string): Reply {
  const uri = 'https://tools.ietf.org/html/rfc6750#section-3.1';
  const challenge = `Bearer error="invalid_token", error_description="${description}", error_uri="${uri}"`;
  return { status: 401, headers: { 'WWW-Authenticate': challenge } };
}

/** `GET /logout` ends this JWT, `GET /logout/all` every JWT of the user issued up to now. */
export function logOut(state: State, caller: Caller, everywhere: boolean, now: number): Reply {
  if (everywhere) state.loggedOutAt.set(caller.userId, now);
  if (caller.via === 'jwt') state.disabledTokens.add(md5(caller.bearer));
  return { status: 302, headers: { Location: '/' } };
}
