import { decodeJwt } from 'jose';
import {
  authorizationCodeGrant,
  buildAuthorizationUrl,
  buildAuthorizationUrlWithPAR,
  buildEndSessionUrl,
  type Configuration,
  fetchUserInfo,
  refreshTokenGrant,
  tokenRevocation,
} from 'openid-client';
import type { Assertion } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { sha256 } from '../ops/hash.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Log } from '../ops/log.ts';
import { createAccessTokens } from './access-token.ts';
import { createDiscovery, type Discovered, type Discovery } from './discovery.ts';
import {
  type IdTokenExpectations,
  keyIdOf,
  lacksClaim,
  personClaims,
  type VerifiedClaims,
  verifyIdToken,
} from './id-token.ts';
import { verifyLogoutToken } from './logout-token.ts';
import { checkCallback, checkRefreshed, refreshRefused, toCompleted } from './oidc-answers.ts';
import { type ClientCredentials, type ClientKey, clientFor, createCredentials } from './oidc-client.ts';
import { asLoginError, type OidcStep } from './oidc-errors.ts';
import type { Overage } from './overage/overage.ts';
import type {
  AnswersByRedirect,
  BeginInput,
  Completed,
  CompleteInput,
  LoginProvider,
  LogoutInput,
  ProviderLogout,
  Refreshable,
  RefreshInput,
  TakesAccessTokens,
  TellsLogouts,
} from './provider.ts';
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
  /** Present when `overage` is configured. */
  readonly overage?: Overage;
}

export interface OidcProvider extends LoginProvider, AnswersByRedirect, Refreshable, TellsLogouts {
  readonly type: 'oidc';
  begin(input: BeginInput): string | Promise<string>;
  /** Present when `bearer` is configured. */
  readonly accessTokens: TakesAccessTokens | undefined;
  /** The key of private_key_jwt as the provider wants to read it from our JWK Set. */
  publicKeys(): Promise<readonly ClientKey[]>;
}

/**
 * OpenID Connect code flow with PKCE S256 (OIDC Core §3.1, RFC 7636, RFC 9207, RFC 9126 where the provider requires it).
 * Nothing is asked of the provider before the first login. Throws `config_invalid` for a key that fits no algorithm.
 */
export function createOidcProvider(options: OidcProviderOptions): OidcProvider {
  return new OidcLogin(options);
}

class OidcLogin implements OidcProvider {
  readonly type = 'oidc';
  readonly name: string;
  readonly label: string;
  readonly emailDomains: readonly string[];
  readonly refreshEveryMs?: number;
  readonly accessTokens: TakesAccessTokens | undefined;
  readonly #options: OidcProviderOptions;
  readonly #redirectUri: string;
  readonly #credentials: ClientCredentials;
  readonly #discovery: Discovery;
  /** The address at the provider, up to what is of one login alone. */
  #authorization: { readonly found: Discovered; readonly address: string } | undefined;

  constructor(options: OidcProviderOptions) {
    const { name, config, publicUrl } = options;
    this.#options = options;
    this.name = name;
    this.label = config.label ?? name;
    this.emailDomains = config.email_domains;
    if (config.refresh !== undefined) this.refreshEveryMs = config.refresh;
    this.#redirectUri = `${publicUrl}/.latchgate/callback/${name}`;
    this.#credentials = createCredentials(name, config);
    const { issuer, client_id: clientId, timeout: timeoutMs } = config;
    this.#discovery = createDiscovery({ ...options, issuer, clientId, timeoutMs });
    this.accessTokens = createAccessTokens(options, this.#discovery);
  }

  begin(input: BeginInput): string | Promise<string> {
    const found = this.#discovery.current();
    const known = this.#authorization;
    if (found === undefined || known?.found !== found) return this.#beginAnew(input);
    return joined(known.address, input);
  }

  async complete({ callback, state, transaction }: CompleteInput, signal: AbortSignal): Promise<Completed> {
    const found = await this.#discovery.get();
    checkCallback(callback.searchParams, state, found, this.name);
    const address = new URL(this.#redirectUri);
    address.search = callback.search;
    return this.#attempt('code', async () => {
      const tokens = await authorizationCodeGrant(await this.#client(found, signal), address, {
        pkceCodeVerifier: transaction.codeVerifier,
        expectedState: state,
        expectedNonce: transaction.nonce,
        idTokenExpected: true,
      });
      const expected = { nonce: transaction.nonce, accessToken: tokens.access_token };
      const claims = await this.#verified(tokens.id_token as string, found, expected);
      const more = await this.#userInfo(found, tokens.access_token, claims, claims.sub, signal);
      const assertion = await this.#assertion(claims, personClaims(more, claims), signal);
      return toCompleted(assertion, claims, tokens);
    });
  }

  async refresh(previous: RefreshInput, signal: AbortSignal): Promise<Completed> {
    const found = await this.#discovery.get();
    if (found.metadata.issuer !== previous.issuer) throw refreshRefused(this.name, 'iss');
    return this.#attempt('refresh', async () => {
      const before = previous.idToken === undefined ? {} : decodeJwt(previous.idToken);
      const client = await this.#client(found, signal, previous.keep);
      const tokens = await refreshTokenGrant(client, previous.refreshToken);
      const { id_token: idToken, access_token: accessToken } = tokens;
      if (idToken === undefined) {
        // Nothing signed came: userinfo is fresh, what only the old token knew stays.
        const fresh = await this.#userInfo(found, accessToken, {}, previous.subject, signal);
        const same = { iss: previous.issuer, sub: previous.subject };
        const assertion = await this.#assertion(same, personClaims(before, fresh), signal);
        return toCompleted(assertion, { sid: before['sid'] }, tokens, previous);
      }
      const nonce = typeof before['nonce'] === 'string' ? { nonceIfAny: before['nonce'] } : {};
      const claims = await this.#verified(idToken, found, { accessToken, ...nonce });
      checkRefreshed(claims, previous, before, this.name);
      const more = await this.#userInfo(found, accessToken, claims, claims.sub, signal);
      const assertion = await this.#assertion(claims, personClaims(more, claims), signal);
      return toCompleted(assertion, { sid: before['sid'], ...claims }, tokens, previous);
    });
  }

  async revoke(refreshToken: string, signal: AbortSignal): Promise<void> {
    const found = await this.#discovery.get();
    if (found.metadata.revocation_endpoint === undefined) return;
    await this.#attempt('revoke', async () =>
      tokenRevocation(await this.#client(found, signal), refreshToken, { token_type_hint: 'refresh_token' }),
    );
  }

  async verifyLogout(token: string, signal: AbortSignal): Promise<ProviderLogout> {
    const found = await this.#discovery.get();
    const { name: provider, config, clock } = this.#options;
    const expected = { provider, clientId: config.client_id, now: clock.now() };
    return this.#attempt('logout', () => verifyLogoutToken(token, found, expected, signal));
  }

  async verify(token: string, signal: AbortSignal): Promise<Assertion> {
    const found = await this.#discovery.get();
    signal.throwIfAborted();
    return this.#attempt('token', async () => {
      await found.keys.holding(keyIdOf(token, this.name));
      const claims = await this.#verified(token, found, { anyAge: true });
      return this.#assertion(claims, personClaims(claims), signal);
    });
  }

  async logoutJourney({ idToken, returnTo }: LogoutInput, signal: AbortSignal): Promise<string | undefined> {
    const found = await this.#discovery.get();
    if (found.metadata.end_session_endpoint === undefined) return undefined;
    const isShort = idToken !== undefined && idToken.length <= LONGEST_HINT;
    const hint = isShort ? { id_token_hint: idToken } : {};
    const parameters = { post_logout_redirect_uri: returnTo.href, ...hint };
    return this.#attempt('authorize', async () => {
      return buildEndSessionUrl(await this.#client(found, signal), parameters).href;
    });
  }

  async probe(): Promise<void> {
    await this.#discovery.get(PROBE_AGE_MS);
  }

  publicKeys(): Promise<readonly ClientKey[]> {
    return this.#credentials.publicKeys();
  }

  /** With what is the same for all logins made anew, or, with PAR (RFC 9126), handed over at the provider each time. */
  async #beginAnew(input: BeginInput): Promise<string> {
    const found = await this.#discovery.get();
    const { scopes, timeout } = this.#options.config;
    const standing = { redirect_uri: this.#redirectUri, scope: scopes.join(' '), code_challenge_method: 'S256' };
    return this.#attempt('authorize', async () => {
      const client = await this.#client(found, AbortSignal.timeout(timeout));
      if (found.metadata.require_pushed_authorization_requests === true) {
        return (await buildAuthorizationUrlWithPAR(client, { ...standing, ...parametersOf(input) })).href;
      }
      const address = buildAuthorizationUrl(client, standing);
      address.hash = '';
      this.#authorization = { found, address: address.href };
      return joined(address.href, input);
    });
  }

  #client(found: Discovered, signal: AbortSignal, keep?: RefreshInput['keep']): Promise<Configuration> {
    return clientFor({ ...this.#options, keep }, found, this.#credentials, signal);
  }

  #verified(token: string, found: Discovered, expected: Partial<IdTokenExpectations>): Promise<VerifiedClaims> {
    const { name: provider, config, clock } = this.#options;
    return verifyIdToken(token, found, { provider, clientId: config.client_id, now: clock.now(), ...expected });
  }

  /** Asked only when something that the config names is not in the ID token, and there is an endpoint. */
  async #userInfo(
    found: Discovered,
    accessToken: string,
    idClaims: Readonly<Record<string, unknown>>,
    subject: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (found.metadata.userinfo_endpoint === undefined) return {};
    if (!lacksClaim(this.#options.config.claims, idClaims)) return {};
    return this.#attempt('userinfo', async () =>
      fetchUserInfo(await this.#client(found, signal), accessToken, subject),
    );
  }

  async #assertion(
    { iss, sub }: { readonly iss: string; readonly sub: string },
    said: Assertion['claims'],
    signal: AbortSignal,
  ): Promise<Assertion> {
    const { clock, overage } = this.#options;
    const at = new Date(clock.now());
    const claims = overage === undefined ? said : await overage.fill(said, signal);
    return { origin: this.name, issuer: iss, subject: sub, active: true, claims, at };
  }

  async #attempt<T>(step: OidcStep, call: () => Promise<T>): Promise<T> {
    try {
      return await call();
    } catch (thrown) {
      throw asLoginError(thrown, this.name, step);
    }
  }
}

/** What is of one login alone. RFC 7636 §4.2: the challenge is the hash of what only we know until the end. */
function parametersOf({ state, transaction, loginHint }: BeginInput) {
  const hint = loginHint === undefined ? {} : { login_hint: loginHint };
  return { state, nonce: transaction.nonce, code_challenge: sha256(transaction.codeVerifier), ...hint };
}

/** All but the hint are of characters that need no encoding. */
function joined(address: string, input: BeginInput): string {
  const { state, nonce, code_challenge: challenge, login_hint: hint } = parametersOf(input);
  const whole = `${address}&state=${state}&nonce=${nonce}&code_challenge=${challenge}`;
  return hint === undefined ? whole : `${whole}&login_hint=${encodeURIComponent(hint)}`;
}
