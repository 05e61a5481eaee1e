import { createRemoteJWKSet, type JSONWebKeySet, customFetch as joseFetch } from 'jose';
import { allowInsecureRequests, customFetch, discovery, type ServerMetadata } from 'openid-client';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { isLoopback } from '../model/loopback.ts';
import type { Clock } from '../ops/clock.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Log } from '../ops/log.ts';
import { asLoginError } from './oidc-errors.ts';

/** A failure is repeated without asking for so long, so that a provider that is down is not stormed. */
const BACKOFF_MS = 1_000;
const METADATA_AGE_MS = 3_600_000;
const KEYS_AGE_MS = 300_000;
export const KEYS_COOLDOWN_MS = 2_000;
const ASYMMETRIC = /^(?:RS|PS|ES)(?:256|384|512)$|^EdDSA$|^Ed25519$/;

export interface ProviderKeys {
  /** For jose: refetches for an unknown kid, at most every two seconds. */
  readonly resolve: ReturnType<typeof createRemoteJWKSet>;
  /** The published set; fetched anew when it lacks `kid` (or there is no kid to look for), so that rotation works at once. */
  holding(kid: string | undefined): Promise<JSONWebKeySet>;
}

export interface Discovered {
  readonly metadata: ServerMetadata;
  readonly keys: ProviderKeys;
  /** Signature algorithms that an ID token may have: what the provider registered, never `none` nor a shared secret. */
  readonly algorithms: readonly string[];
}

export interface DiscoveryOptions {
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly timeoutMs: number;
  readonly http: HttpClient;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Discovery {
  /**
   * The discovery document (OpenID Connect Discovery 1.0 §4), checked; read when first asked for. Callers at once share
   * one request. Throws `provider_unavailable` or `provider_metadata_invalid`, and asks again afterwards.
   * @param maxAgeMs an older one is read again first; default: an hour, then in the background.
   */
  get(maxAgeMs?: number): Promise<Discovered>;
  /** What `get` without an age would give, when it is there already. */
  current(): Discovered | undefined;
}

export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { clock, log, name } = options;
  let found: { readonly value: Discovered; readonly at: number } | undefined;
  let failed: { readonly error: LatchgateError; readonly at: number } | undefined;
  let pending: Promise<Discovered> | undefined;

  const read = async (): Promise<Discovered> => {
    // Either way: a clock that was turned back would keep the provider from being asked for as long.
    if (failed !== undefined && Math.abs(clock.now() - failed.at) < BACKOFF_MS) throw failed.error;
    try {
      const value = await discover(options, found?.value);
      found = { value, at: clock.now() };
      failed = undefined;
      return value;
    } catch (thrown) {
      const error = asLoginError(thrown, name, 'discovery');
      failed = { error, at: clock.now() };
      throw error;
    }
  };
  const shared = (): Promise<Discovered> => {
    pending ??= read().finally(() => {
      pending = undefined;
    });
    return pending;
  };

  const current = (): Discovered | undefined => {
    if (found !== undefined && clock.now() - found.at > METADATA_AGE_MS) {
      shared().catch((thrown) => {
        log.warn('discovery could not be refreshed', { login: name, error: toLatchgateError(thrown) });
      });
    }
    return found?.value;
  };

  return {
    current,
    get: async (maxAgeMs = Number.POSITIVE_INFINITY) => {
      if (found !== undefined && clock.now() - found.at > maxAgeMs) return shared();
      return current() ?? shared();
    },
  };
}

async function discover(options: DiscoveryOptions, before: Discovered | undefined): Promise<Discovered> {
  const { issuer, clientId, http, timeoutMs } = options;
  const configuration = await discovery(new URL(issuer), clientId, {}, undefined, {
    [customFetch]: (url, init) => http.fetch(url, init as RequestInit),
    timeout: timeoutMs / 1_000,
    execute: isLoopbackHttp(issuer) ? [allowInsecureRequests] : [],
  });
  const metadata = configuration.serverMetadata();
  checkMetadata(metadata, options);
  const algorithms = (metadata.id_token_signing_alg_values_supported ?? ['RS256']).filter((alg) =>
    ASYMMETRIC.test(alg),
  );
  const sameKeys = before !== undefined && before.metadata.jwks_uri === metadata.jwks_uri;
  return { metadata, algorithms, keys: sameKeys ? before.keys : createKeys(metadata.jwks_uri as string, options) };
}

function checkMetadata(metadata: ServerMetadata, { issuer, name }: DiscoveryOptions): void {
  const refuse = (member: string): never => {
    const message = `the discovery document does not hold: ${member}`;
    throw new LatchgateError('provider_metadata_invalid', message, { detail: { provider: name, member } });
  };
  // openid-client makes exceptions for some hosts; ours is one issuer, and `{tenantid}` is none.
  if (!URL.canParse(metadata.issuer) || new URL(metadata.issuer).href !== new URL(issuer).href) refuse('issuer');
  for (const member of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
    if (metadata[member] === undefined) refuse(member);
  }
  const addresses = [
    'authorization_endpoint',
    'token_endpoint',
    'jwks_uri',
    'userinfo_endpoint',
    'end_session_endpoint',
    'revocation_endpoint',
    'pushed_authorization_request_endpoint',
  ] as const;
  for (const member of addresses) {
    const address = metadata[member];
    if (address !== undefined && !isFitAddress(address, isLoopbackHttp(issuer))) refuse(member);
  }
  for (const member of ['id_token_signing_alg_values_supported', 'token_endpoint_auth_methods_supported'] as const) {
    const values: unknown = metadata[member] ?? [];
    if (!Array.isArray(values) || values.some((value) => typeof value !== 'string')) refuse(member);
  }
}

/** https, and on a loopback issuer http to loopback. */
function isFitAddress(address: unknown, mayBeHttp: boolean): boolean {
  if (typeof address !== 'string' || !URL.canParse(address)) return false;
  const url = new URL(address);
  if (url.username !== '' || url.password !== '') return false;
  return url.protocol === 'https:' || (mayBeHttp && isLoopbackHttp(address));
}

export function isLoopbackHttp(address: string): boolean {
  const url = new URL(address);
  return url.protocol === 'http:' && isLoopback(url.hostname);
}

function createKeys(jwksUri: string, { http, timeoutMs }: DiscoveryOptions): ProviderKeys {
  const resolve = createRemoteJWKSet(new URL(jwksUri), {
    [joseFetch]: (url, init) => http.fetch(url, init),
    timeoutDuration: timeoutMs,
    cooldownDuration: KEYS_COOLDOWN_MS,
    cacheMaxAge: KEYS_AGE_MS,
  });
  return {
    resolve,
    holding: async (kid) => {
      const has = resolve.fresh && kid !== undefined && resolve.jwks()?.keys.some((key) => key.kid === kid) === true;
      if (!has) await resolve.reload();
      return resolve.jwks() ?? { keys: [] };
    },
  };
}
