import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, importPKCS8, type JWK } from 'jose';
import {
  allowInsecureRequests,
  type ClientAuth,
  ClientSecretBasic,
  ClientSecretPost,
  Configuration,
  customFetch,
  enableNonRepudiationChecks,
  None,
  PrivateKeyJwt,
  type ServerMetadata,
} from 'openid-client';
import { LatchgateError } from '../model/errors.ts';
import type { HttpClient } from '../ops/http-client.ts';
import { type Discovered, isLoopbackHttp } from './discovery.ts';
import { keyIdOf } from './id-token.ts';
import type { OidcLoginConfig } from './schema.ts';

export type ClientKey = JWK & { readonly kid: string };

/** How the gateway proves itself to one provider. */
export interface ClientCredentials {
  /** RFC 6749 §2.3.1, or RFC 7523 §2.2 with a key. */
  authentication(metadata: ServerMetadata): Promise<ClientAuth>;
  /** The public half of `private_key`, for our JWK Set; none without a key. */
  publicKeys(): Promise<readonly ClientKey[]>;
}

/** Throws `config_invalid` for a key that no algorithm fits. */
export function createCredentials(
  name: string,
  config: Pick<OidcLoginConfig, 'client_secret' | 'private_key'>,
): ClientCredentials {
  const { client_secret: secret, private_key: pem } = config;
  if (pem !== undefined) return keyCredentials(name, pem);
  return {
    authentication: async (metadata) => {
      if (secret === undefined) return None();
      const methods = metadata.token_endpoint_auth_methods_supported;
      const isPost = methods?.includes('client_secret_post') === true && !methods.includes('client_secret_basic');
      return isPost ? ClientSecretPost(secret) : ClientSecretBasic(secret);
    },
    publicKeys: async () => [],
  };
}

function keyCredentials(name: string, pem: string): ClientCredentials {
  const alg = algorithmFor(name, pem);
  const publicKey = async (): Promise<ClientKey> => {
    const jwk = await exportJWK(createPublicKey(pem));
    return { ...jwk, alg, use: 'sig', kid: await calculateJwkThumbprint(jwk) };
  };
  return {
    authentication: async () => PrivateKeyJwt({ key: await importPKCS8(pem, alg), kid: (await publicKey()).kid }),
    publicKeys: async () => [await publicKey()],
  };
}

function algorithmFor(name: string, pem: string): string {
  let key: KeyObject | undefined;
  try {
    key = createPrivateKey(pem);
  } catch {
    // Reported below, without the key.
  }
  const curve = key?.asymmetricKeyDetails?.namedCurve ?? key?.asymmetricKeyType ?? '';
  const alg = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512', ed25519: 'Ed25519', rsa: 'RS256' }[curve];
  if (alg !== undefined) return alg;
  const message = `login.${name}.private_key is not an EC (P-256, P-384, P-521), Ed25519 or RSA key in PKCS #8`;
  throw new LatchgateError('config_invalid', message);
}

export interface ClientOptions {
  readonly name: string;
  readonly config: OidcLoginConfig;
  readonly http: HttpClient;
  /** Given the refresh token of an answer before the answer is looked at. */
  readonly keep?: ((refreshToken: string) => Promise<void>) | undefined;
}

/**
 * The openid-client configuration for one call: bound to the call's signal, signatures verified, and its keys taken
 * from ours. openid-client's own key cache would refuse a token of a key that was rotated in within the last minute.
 */
export async function clientFor(
  { name, config, http, keep }: ClientOptions,
  { metadata, keys }: Discovered,
  credentials: ClientCredentials,
  signal: AbortSignal,
): Promise<Configuration> {
  const client = new Configuration(metadata, config.client_id, {}, await credentials.authentication(metadata));
  client.timeout = config.timeout / 1_000;
  enableNonRepudiationChecks(client);
  if (isLoopbackHttp(metadata.issuer)) allowInsecureRequests(client);
  let kid: string | undefined;
  client[customFetch] = async (url, init) => {
    const href = new URL(url).href;
    if (href === hrefOf(metadata.jwks_uri)) return Response.json(await keys.holding(kid));
    const signals = init.signal === undefined ? [signal] : [signal, init.signal];
    const answer = await http.fetch(url, { ...init, signal: AbortSignal.any(signals) } as RequestInit);
    if (href === hrefOf(metadata.token_endpoint)) {
      const { refresh_token: refreshToken, id_token: idToken } = await membersOf(answer.clone());
      if (typeof refreshToken === 'string') await keep?.(refreshToken);
      kid = idToken === undefined ? undefined : keyIdOf(idToken, name);
    }
    return answer;
  };
  return client;
}

function hrefOf(address: string | undefined): string | undefined {
  return address === undefined ? undefined : new URL(address).href;
}

/** Of an answer that says yes. Any other is left to openid-client. */
async function membersOf(answer: Response): Promise<{ readonly id_token?: unknown; readonly refresh_token?: unknown }> {
  if (answer.status !== 200) return {};
  try {
    const body: unknown = await answer.json();
    return typeof body === 'object' && body !== null ? body : {};
  } catch {
    return {};
  }
}
