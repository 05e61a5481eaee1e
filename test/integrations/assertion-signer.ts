import { renameSync, writeFileSync } from 'node:fs';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, type JWTHeaderParameters, SignJWT } from 'jose';

export const ISSUER = 'https://bi.example.test';
export const AUDIENCE = 'superset';

export type SigningKey = { readonly kid: string; readonly alg: string; readonly key: CryptoKey; readonly jwk: JWK };

export async function signingKey(kid: string, alg = 'ES256'): Promise<SigningKey> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

/** The claims of a good assertion for `sub`. */
export function goodClaims(sub: unknown): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000);
  return { iss: ISSUER, aud: AUDIENCE, sub, iat: now, exp: now + 60, jti: `${sub}-${now}` };
}

/** An assertion with some claims changed (undefined removes one) and some header members replaced. */
export function assertion(
  by: SigningKey,
  sub: unknown,
  changed: Record<string, unknown> = {},
  header: Partial<JWTHeaderParameters> = {},
): Promise<string> {
  const claims = Object.fromEntries(
    Object.entries({ ...goodClaims(sub), ...changed }).filter(([, value]) => value !== undefined),
  );
  return new SignJWT(claims).setProtectedHeader({ alg: by.alg, kid: by.kid, typ: 'JWT', ...header }).sign(by.key);
}

/** A JWT put together by hand: for what no library signs. */
export function rawToken(header: unknown, claims: unknown, signature: Buffer | string): string {
  const part = (value: unknown) =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
  return `${part(header)}.${part(claims)}.${Buffer.from(signature).toString('base64url')}`;
}

/** Replaces the file in one step, as the README asks. */
export function writeJwks(file: string, keys: readonly SigningKey[]): void {
  writeFileSync(`${file}.new`, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
  renameSync(`${file}.new`, file);
}
