import { createHash } from 'node:crypto';
import { compactVerify, decodeProtectedHeader, errors, importJWK, type JWK } from 'jose';
import { ID_PATTERN } from './check.ts';
import type { Entity } from './state.ts';

/** A JWT that is refused; the message is the `error_description` of the 401. */
export class TokenRefused extends Error {}

export interface VerifiedToken {
  readonly sub: string;
  readonly name: string;
  /** Seconds since the epoch. */
  readonly iat: number;
  readonly md5: string;
}

const ALGORITHMS = ['RS256', 'RS384', 'RS512'];
const FORBIDDEN_HEADERS = ['jku', 'x5u', 'jwk', 'x5c'];
const MANDATORY_CLAIMS = ['name', 'sub', 'iat', 'exp'];
const SKEW_SECONDS = 60;
const NAME_LIMIT = 511;

/** Anything with three dotted parts is tried as a JWT, never as an API token. */
export function looksLikeJwt(bearer: string): boolean {
  return /^[\w+/-]+={0,2}\.[\w+/-]+={0,2}\.[\w+/-]*={0,2}$/.test(bearer);
}

export function md5(bearer: string): string {
  return createHash('md5').update(bearer).digest('hex');
}

/**
 * Verifies a JWT the way the service's own login library does: the key is chosen by `kid` and algorithm among the
 * registered ones, then the times, then header and claims. A missing `name` is refused too: the documentation calls it
 * mandatory, although the library lets it pass.
 * @param nowMs milliseconds since the epoch
 * @throws TokenRefused
 */
export async function verifyJwt(bearer: string, jwks: Iterable<Entity>, nowMs: number): Promise<VerifiedToken> {
  const { header, payload } = await verifySignature(bearer, jwks);
  checkTimes(payload, nowMs / 1000);
  const missing = MANDATORY_CLAIMS.filter((claim) => payload[claim] === undefined);
  const { sub, name, iat, jti } = payload;
  const valid =
    missing.length === 0 &&
    typeof header['kid'] === 'string' &&
    header['typ'] === 'JWT' &&
    !FORBIDDEN_HEADERS.some((forbidden) => forbidden in header) &&
    isId(sub) &&
    (jti === undefined || isId(jti)) &&
    typeof name === 'string' &&
    name.length <= NAME_LIMIT;
  if (!valid) throw invalidClaims(missing);
  return { sub: sub as string, name, iat: iat as number, md5: md5(bearer) };
}

async function verifySignature(bearer: string, jwks: Iterable<Entity>) {
  const header = readHeader(bearer);
  const keys = [...jwks]
    .map((entity) => entity.attributes['content'] as JWK | undefined)
    .filter((key) => key && (header['kid'] === undefined || key.kid === header['kid']) && key.alg === header['alg']);
  for (const key of keys) {
    const payload = await tryKey(bearer, key as JWK);
    if (payload) return { header, payload };
  }
  throw new TokenRefused('We are unable to verify signature.');
}

function readHeader(bearer: string): Record<string, unknown> {
  try {
    return decodeProtectedHeader(bearer);
  } catch {
    throw new TokenRefused('We are unable to decode JWT.');
  }
}

async function tryKey(bearer: string, key: JWK): Promise<Record<string, unknown> | undefined> {
  let bytes: Uint8Array;
  try {
    bytes = (await compactVerify(bearer, await importJWK(key, key.alg), { algorithms: ALGORITHMS })).payload;
  } catch (error) {
    // A key that cannot be read (TypeError) is as good as none.
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      return undefined;
    throw error;
  }
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new TokenRefused('We are unable to decode JWT.');
  }
}

function checkTimes(payload: Record<string, unknown>, nowSeconds: number): void {
  for (const claim of ['exp', 'iat', 'nbf']) {
    if (payload[claim] !== undefined && typeof payload[claim] !== 'number') throw invalidClaims([]);
  }
  const { exp, nbf } = payload as { exp?: number; nbf?: number };
  if (exp !== undefined && nowSeconds - SKEW_SECONDS > exp) throw new TokenRefused('The JWT is expired.');
  if (nbf !== undefined && nowSeconds + SKEW_SECONDS < nbf) throw invalidClaims([]);
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID_PATTERN.test(value);
}

function invalidClaims(missing: readonly string[]): TokenRefused {
  return new TokenRefused(`The JWT contains invalid claims: [${missing.join(', ')}].`);
}
