import { randomBytes } from 'node:crypto';
import { Refusal, type Reply } from './exchange.ts';
import type { State } from './state.ts';

/** An application that may ask for tokens. */
export interface Client {
  readonly id: string;
  readonly secret: string;
  readonly scopes: readonly string[];
}

export interface TokenOptions {
  readonly clients: readonly Client[];
  /** With the slash at the end. */
  readonly audiences: readonly string[];
  readonly lifeSeconds: number;
}

/** `POST /oauth/token`, client credentials (RFC 6749 §4.4) by form or JSON, the secret in the body or by Basic. */
export function grantToken(
  state: State,
  body: unknown,
  authorization: string | undefined,
  now: number,
  options: TokenOptions,
): Reply {
  const sent = { ...basic(authorization), ...(body as Record<string, unknown>) };
  if (sent['grant_type'] === undefined)
    return oauthError(400, 'invalid_request', 'Missing required parameter: grant_type');
  if (sent['grant_type'] !== 'client_credentials') {
    return oauthError(403, 'unauthorized_client', `Grant type '${sent['grant_type']}' not allowed for the client.`);
  }
  const client = options.clients.find(({ id, secret }) => id === sent['client_id'] && secret === sent['client_secret']);
  if (!client) return oauthError(401, 'access_denied', 'Unauthorized');
  const audience = String(sent['audience'] ?? '');
  if (audience === '')
    return oauthError(403, 'access_denied', 'No audience parameter was provided, and no default audience');
  if (!options.audiences.includes(audience)) {
    return oauthError(403, 'access_denied', `Service not enabled within domain: ${audience}`);
  }
  const wanted = typeof sent['scope'] === 'string' ? sent['scope'].split(' ') : client.scopes;
  const scopes = client.scopes.filter((scope) => wanted.includes(scope));
  const token = randomBytes(24).toString('base64url');
  state.tokens.set(token, { scopes, expiresAt: now + options.lifeSeconds * 1_000 });
  const json = { access_token: token, scope: scopes.join(' '), expires_in: options.lifeSeconds, token_type: 'Bearer' };
  return { status: 200, json };
}

function basic(authorization: string | undefined): Record<string, string> {
  const encoded = /^Basic +(\S+)$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return {};
  const [client_id = '', client_secret = ''] = Buffer.from(encoded, 'base64')
    .toString()
    .split(':')
    .map(decodeURIComponent);
  return { client_id, client_secret };
}

function oauthError(status: number, error: string, error_description: string): Reply {
  return { status, json: { error, error_description } };
}

/** The scopes of the bearer. @throws Refusal 401 without one, for one that is unknown, ended or expired */
export function scopesOf(state: State, authorization: string | undefined, now: number): readonly string[] {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
  if (bearer === undefined) throw new Refusal(401, 'Missing authentication');
  const token = state.tokens.get(bearer);
  if (!token) throw new Refusal(401, 'Invalid token', 'invalid_token');
  if (now >= token.expiresAt) {
    throw new Refusal(401, 'Expired token received for JSON Web Token validation', 'invalid_token');
  }
  return token.scopes;
}
