import type { TokenEndpointResponse } from 'openid-client';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import type { Discovered } from './discovery.ts';
import type { Completed, RefreshInput } from './provider.ts';

/** RFC 6749 §3.1: no parameter twice. RFC 9207 §2.4: `iss` equals, and is there when the provider says that it sends it. */
export function checkCallback(
  parameters: URLSearchParams,
  state: string,
  { metadata }: Discovered,
  provider: string,
): void {
  const names = [...parameters.keys()];
  const iss = parameters.get('iss');
  const isWrongIssuer =
    iss === null ? metadata.authorization_response_iss_parameter_supported === true : iss !== metadata.issuer;
  const failed =
    (new Set(names).size !== names.length && 'duplicate') ||
    (parameters.get('state') !== state && 'state') ||
    (isWrongIssuer && 'iss') ||
    (parameters.has('response') && 'response') ||
    (parameters.has('error') === parameters.has('code') && 'code');
  if (failed === false) return;
  const detail = { provider, check: failed };
  throw new LatchgateError('login_state_invalid', `the answer of the provider does not hold: ${failed}`, { detail });
}

/** OIDC Core §12.2: same issuer and subject, same auth_time when there is one. */
export function checkRefreshed(
  claims: { readonly sub: string; readonly iss: string; readonly [claim: string]: unknown },
  previous: RefreshInput,
  before: { readonly [claim: string]: unknown },
  provider: string,
): void {
  if (claims.iss !== previous.issuer) throw refreshRefused(provider, 'iss');
  if (claims.sub !== previous.subject) throw refreshRefused(provider, 'sub');
  const { auth_time: now } = claims;
  const { auth_time: then } = before;
  if (now !== undefined && then !== undefined && now !== then) throw refreshRefused(provider, 'auth_time');
}

export function refreshRefused(provider: string, check: string): LatchgateError {
  const detail = { provider, check };
  return new LatchgateError('token_invalid', `the refreshed token does not hold: ${check}`, { detail });
}

/** What the provider did not send anew is kept from the last time. */
export function toCompleted(
  assertion: Assertion,
  { sid, iat }: { readonly sid?: unknown; readonly iat?: unknown },
  tokens: TokenEndpointResponse,
  previous?: Pick<RefreshInput, 'idToken' | 'refreshToken'>,
): Completed {
  const idToken = tokens.id_token ?? previous?.idToken;
  const refreshToken = tokens.refresh_token ?? previous?.refreshToken;
  return {
    assertion,
    ...(typeof sid === 'string' && sid !== '' && sid.length <= 255 ? { providerSession: sid } : {}),
    ...(typeof iat === 'number' ? { issuedAt: iat * 1_000 } : {}),
    tokens: {
      ...(idToken === undefined ? {} : { idToken }),
      ...(refreshToken === undefined ? {} : { refreshToken }),
    },
  };
}
