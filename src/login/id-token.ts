import { createHash } from 'node:crypto';
import { decodeProtectedHeader, type JWTPayload, jwtVerify } from 'jose';
import { compileClaimName, findClaim } from '../mapping/claims.ts';
import { GROUPS_UNHEARD } from '../mapping/groups.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Discovered } from './discovery.ts';

export const TOLERANCE_SECONDS = 30;
/** A token of a code that was just exchanged is young. */
const OLDEST_SECONDS = 600;

/** Members that say something about the token, not about the person (OIDC Core §2, RFC 7519 §4.1, session ids). */
const PROTOCOL_MEMBERS = new Set([
  ...'iss aud exp iat nbf jti nonce at_hash c_hash s_hash azp auth_time sid session_state typ'.split(' '),
  // Ours to say.
  GROUPS_UNHEARD,
]);

export type VerifiedClaims = JWTPayload & { readonly sub: string; readonly iss: string };

export interface IdTokenExpectations {
  readonly provider: string;
  readonly clientId: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Must be there and equal. */
  readonly nonce?: string;
  /** Must be equal when there is one: refreshed tokens may leave it out (OIDC Core §12.2). */
  readonly nonceIfAny?: string;
  /** `at_hash`, when there is one, must fit it. */
  readonly accessToken?: string;
  /** True: only the token's own `exp` limits its age. */
  readonly anyAge?: boolean;
}

/**
 * OIDC Core §3.1.3.7 in full: signature by a published key, pinned algorithm, typ, iss, aud, azp, exp, iat, nonce,
 * at_hash, sub. Throws `token_invalid` with the failed check in its detail, `subject_invalid`, or what jose throws.
 */
export async function verifyIdToken(
  token: string,
  { metadata, keys, algorithms }: Discovered,
  expected: IdTokenExpectations,
): Promise<VerifiedClaims> {
  const { payload, protectedHeader } = await jwtVerify(token, keys.resolve, {
    algorithms: [...algorithms],
    issuer: metadata.issuer,
    audience: expected.clientId,
    requiredClaims: ['iss', 'aud', 'exp', 'iat', 'sub'],
    clockTolerance: TOLERANCE_SECONDS,
    currentDate: new Date(expected.now),
  });
  const refuse = (check: string): never => {
    const detail = { provider: expected.provider, check };
    throw new LatchgateError('token_invalid', `the ID token does not hold: ${check}`, { detail });
  };
  if (!isFitType(protectedHeader.typ)) refuse('typ');
  if (![payload.aud].flat().every((audience) => audience === expected.clientId)) refuse('aud');
  if (payload['azp'] !== undefined && payload['azp'] !== expected.clientId) refuse('azp');
  const age = expected.now / 1_000 - (payload.iat as number);
  if (age < -TOLERANCE_SECONDS) refuse('iat');
  if (expected.anyAge !== true && age > OLDEST_SECONDS) refuse('iat');
  const { nonce } = payload;
  if (expected.nonce !== undefined && nonce !== expected.nonce) refuse('nonce');
  if (expected.nonceIfAny !== undefined && nonce !== undefined && nonce !== expected.nonceIfAny) refuse('nonce');
  const hash = payload['at_hash'];
  if (hash !== undefined && expected.accessToken !== undefined) {
    if (hash !== accessTokenHash(expected.accessToken, protectedHeader.alg)) refuse('at_hash');
  }
  return { ...payload, iss: metadata.issuer, sub: fitSubject(payload.sub, expected.provider) };
}

/** The kid by which a token wants to be verified. Throws `token_invalid` when it is not a signed JWT at all. */
export function keyIdOf(token: unknown, provider: string): string | undefined {
  try {
    if (typeof token !== 'string' || token.split('.').length !== 3) throw new TypeError('not a JWT');
    return decodeProtectedHeader(token).kid;
  } catch {
    const detail = { provider, check: 'form' };
    throw new LatchgateError('token_invalid', 'the token is not a signed JWT', { detail });
  }
}

/** What the provider says of the person: userinfo below the ID token, without members of the protocol. */
export function personClaims(...sources: readonly Readonly<Record<string, unknown>>[]): Record<string, unknown> {
  const entries = sources.flatMap((source) => Object.entries(source)).filter(([name]) => !PROTOCOL_MEMBERS.has(name));
  // fromEntries defines members: a claim called __proto__ stays an ordinary one.
  return Object.fromEntries(entries);
}

/** True when an attribute of the config finds none of its claims among these. */
export function lacksClaim(
  names: Readonly<Record<string, readonly string[]>>,
  claims: Readonly<Record<string, unknown>>,
): boolean {
  return Object.values(names).some((candidates) => findClaim(claims, candidates.map(compileClaimName)) === undefined);
}

/** Throws `subject_invalid`. */
export function fitSubject(subject: unknown, provider: string): string {
  const fits =
    typeof subject === 'string' && subject.length > 0 && subject.length <= 255 && !/[\p{Cc}\p{Cs}]/u.test(subject);
  if (!fits) throw new LatchgateError('subject_invalid', 'the subject is not usable', { detail: { provider } });
  return subject;
}

function isFitType(typ: unknown): boolean {
  return typ === undefined || (typeof typ === 'string' && /^(?:application\/)?jwt$/i.test(typ));
}

/** OIDC Core §3.1.3.6: the left half of the hash that belongs to the signature algorithm. */
function accessTokenHash(accessToken: string, alg: string): string {
  const bits = /(256|384|512)$/.exec(alg)?.[1] ?? '512';
  const name = alg === 'Ed25519' ? 'sha512' : `sha${bits}`;
  const digest = createHash(name).update(accessToken).digest();
  return digest.subarray(0, digest.length / 2).toString('base64url');
}
