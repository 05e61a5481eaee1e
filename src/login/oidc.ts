import { decodeJwt } from 'jose';
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  buildEndSessionUrl,
  calculatePKCECodeChallenge,
  fetchUserInfo,
  refreshTokenGrant,
  type TokenEndpointResponse,
} from 'openid-client';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Log } from '../ops/log.ts';
import { createDiscovery, type Discovered } from './discovery.ts';
import { type IdTokenExpectations, keyIdOf, lacksClaim, personClaims, verifyIdToken } from './id-token.ts';
import { type ClientKey, clientFor, createCredentials } from './oidc-client.ts';
import { asLoginError, type OidcStep } from './oidc-errors.ts';
import type { Completed, LoginProvider, Refreshable, RefreshInput } from './provider.ts';
import type { OidcLoginConfig } from './schema.ts';

/** An id_token_hint beyond this would make an address that servers refuse; the provider then asks the person. */
const LONGEST_HINT = 4_000;
const PROBE_AGE_MS = 60_000;

export interface OidcProviderOptions {
  readonly name: string;
  readonly config: OidcLoginConfig;
  readonly publicUrl: string;
  /** One client for this provider; its limits apply to every answer. */
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly log: Log;
}

export interface OidcProvider extends LoginProvider, Refreshable {
  readonly type: 'oidc';
  /** The key of private_key_jwt as the provider wants to read it from our JWK Set. */
  publicKeys(): Promise<readonly ClientKey[]>;
}

/** OpenID Connect code flow with PKCE S256 (OIDC Core §3.1, RFC 7636, RFC 9207, RFC 9126 where the provider requires it). */
export function createOidcProvider(options: OidcProviderOptions): OidcProvider {
  const { name, config, publicUrl, clock } = options;
  const redirectUri = `${publicUrl}/.latchgate/callback/${name}`;
  const credentials = createCredentials(name, config);
  const discovery = createDiscovery({
    ...options,
    issuer: config.issuer,
    clientId: config.client_id,
    timeoutMs: config.timeout,
  });
  const attempt = async <T>(step: OidcStep, call: () => Promise<T>): Promise<T> => {
    try {
      return await call();
    } catch (thrown) {
      throw asLoginError(thrown, name, step);
    }
  };
  const expectations = (): IdTokenExpectations => ({
    provider: name,
    clientId: config.client_id,
    now: clock.now(),
  });
  const toAssertion = (issuer: string, subject: string, claims: Record<string, unknown>): Assertion => ({
    origin: name,
    issuer,
    subject,
    active: true,
    claims,
    at: new Date(clock.now()),
  });
  const client = (found: Discovered, signal: AbortSignal) => clientFor(options, found, credentials, signal);
  /** Only when something that the config names is not in the ID token, and there is an endpoint to ask. */
  const userInfo = async (
    found: Discovered,
    accessToken: string,
    idClaims: Record<string, unknown>,
    sub: string,
    signal: AbortSignal,
  ) => {
    if (found.metadata.userinfo_endpoint === undefined || !lacksClaim(config.claims, idClaims)) return {};
    return attempt('userinfo', async () => fetchUserInfo(await client(found, signal), accessToken, sub));
  };

  return {
    name,
    label: config.label ?? name,
    type: 'oidc',
    emailDomains: config.email_domains,

    begin: async ({ state, transaction, loginHint }, signal) => {
      const found = await discovery.get();
      const parameters = {
        redirect_uri: redirectUri,
        scope: config.scopes.join(' '),
        state,
        nonce: transaction.nonce,
        code_challenge: await calculatePKCECodeChallenge(transaction.codeVerifier),
        code_challenge_method: 'S256',
        ...(loginHint === undefined ? {} : { login_hint: loginHint }),
      };
      return attempt('authorize', async () => {
        const configuration = await client(found, signal);
        const isPushed = found.metadata.require_pushed_authorization_requests === true;
        return isPushed
          ? buildAuthorizationUrlWithPAR(configuration, parameters)
          : buildAuthorizationUrl(configuration, parameters);
      });
    },

    complete: async ({ callback, state, transaction }, signal) => {
      const found = await discovery.get();
      checkCallback(callback.searchParams, state, found, name);
      const address = new URL(redirectUri);
      address.search = callback.search;
      return attempt('code', async () => {
        const tokens = await authorizationCodeGrant(await client(found, signal), address, {
          pkceCodeVerifier: transaction.codeVerifier,
          expectedState: state,
          expectedNonce: transaction.nonce,
          idTokenExpected: true,
        });
        const claims = await verifyIdToken(tokens.id_token as string, found, {
          ...expectations(),
          nonce: transaction.nonce,
          accessToken: tokens.access_token,
        });
        const more = await userInfo(found, tokens.access_token, claims, claims.sub, signal);
        return toCompleted(toAssertion(claims.iss, claims.sub, personClaims(more, claims)), claims['sid'], tokens);
      });
    },

    refresh: async (previous, signal) => {
      const found = await discovery.get();
      if (found.metadata.issuer !== previous.issuer) throw refreshRefused(name, 'iss');
      return attempt('refresh', async () => {
        const tokens = await refreshTokenGrant(await client(found, signal), previous.refreshToken);
        const before = previous.idToken === undefined ? {} : decodeJwt(previous.idToken);
        const kept = {
          refreshToken: previous.refreshToken,
          ...(previous.idToken === undefined ? {} : { idToken: previous.idToken }),
        };
        if (tokens.id_token === undefined) {
          // Nothing signed came: userinfo is fresh, what only the old token knew stays.
          const fresh = await userInfo(found, tokens.access_token, {}, previous.subject, signal);
          const assertion = toAssertion(previous.issuer, previous.subject, personClaims(before, fresh));
          return toCompleted(assertion, before['sid'], tokens, kept);
        }
        const claims = await verifyIdToken(tokens.id_token, found, {
          ...expectations(),
          ...(typeof before['nonce'] === 'string' ? { nonceIfAny: before['nonce'] } : {}),
          accessToken: tokens.access_token,
        });
        checkRefreshed(claims, previous, before, name);
        const more = await userInfo(found, tokens.access_token, claims, claims.sub, signal);
        const assertion = toAssertion(claims.iss, claims.sub, personClaims(more, claims));
        return toCompleted(assertion, claims['sid'] ?? before['sid'], tokens, kept);
      });
    },

    verify: async (token, signal) => {
      const found = await discovery.get();
      signal.throwIfAborted();
      return attempt('token', async () => {
        await found.keys.holding(keyIdOf(token, name));
        const claims = await verifyIdToken(token, found, { ...expectations(), anyAge: true });
        return toAssertion(claims.iss, claims.sub, personClaims(claims));
      });
    },

    logoutAddress: async ({ idToken, returnTo }, signal) => {
      const found = await discovery.get();
      if (found.metadata.end_session_endpoint === undefined) return undefined;
      const isShort = idToken !== undefined && idToken.length <= LONGEST_HINT;
      const parameters = {
        post_logout_redirect_uri: returnTo.href,
        ...(isShort ? { id_token_hint: idToken } : {}),
      };
      return attempt('authorize', async () => buildEndSessionUrl(await client(found, signal), parameters));
    },

    probe: async () => {
      await discovery.get(PROBE_AGE_MS);
    },

    publicKeys: () => credentials.publicKeys(),
  };
}

/** RFC 6749 §3.1: no parameter twice. RFC 9207 §2.4: `iss` equals, and is there when the provider says that it sends it. */
function checkCallback(parameters: URLSearchParams, state: string, { metadata }: Discovered, provider: string): void {
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
function checkRefreshed(
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

function refreshRefused(provider: string, check: string): LatchgateError {
  const detail = { provider, check };
  return new LatchgateError('token_invalid', `the refreshed token does not hold: ${check}`, { detail });
}

function toCompleted(
  assertion: Assertion,
  sid: unknown,
  tokens: TokenEndpointResponse,
  kept: Completed['tokens'] = {},
): Completed {
  return {
    assertion,
    ...(typeof sid === 'string' && sid !== '' && sid.length <= 255 ? { providerSession: sid } : {}),
    tokens: {
      ...kept,
      ...(tokens.id_token === undefined ? {} : { idToken: tokens.id_token }),
      ...(tokens.refresh_token === undefined ? {} : { refreshToken: tokens.refresh_token }),
    },
  };
}
