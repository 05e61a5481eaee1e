import { setTimeout as sleep } from 'node:timers/promises';
import { type JWTVerifyResult, errors as joseErrors, jwtVerify } from 'jose';
import { LatchgateError } from '../model/errors.ts';
import { type Discovered, KEYS_COOLDOWN_MS } from './discovery.ts';
import { TOLERANCE_SECONDS } from './id-token.ts';

/** Tokens of keys that nobody knows, which wait until the keys may be read once more. Of one kind: others have their own places. */
const MOST_WAITING = 100;
const waiting = new Map<string, number>();

export interface SignedTokenExpectations {
  readonly provider: string;
  /** What kind of token it is, for people: `logout token`. */
  readonly kind: string;
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  readonly requiredClaims: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * A JWT that somebody else than the provider brings: signature by a published key, pinned algorithm, iss, aud, exp, nbf.
 * A key that was published a moment ago counts at once, though nobody can make us ask for the keys all the time. Throws
 * `token_invalid` with the failed check in its detail, or what jose throws.
 */
export async function verifySigned(
  token: string,
  { metadata, keys, algorithms }: Discovered,
  expected: SignedTokenExpectations,
  signal: AbortSignal,
): Promise<JWTVerifyResult> {
  const verify = () =>
    jwtVerify(token, keys.resolve, {
      algorithms: [...algorithms],
      issuer: metadata.issuer,
      audience: [...expected.audiences],
      requiredClaims: [...expected.requiredClaims],
      clockTolerance: TOLERANCE_SECONDS,
      currentDate: new Date(expected.now),
    });
  try {
    const wasCooling = keys.resolve.coolingDown;
    return await verify().catch(async (thrown: unknown) => {
      const { kind } = expected;
      const before = waiting.get(kind) ?? 0;
      if (!(thrown instanceof joseErrors.JWKSNoMatchingKey) || !wasCooling || before >= MOST_WAITING) throw thrown;
      waiting.set(kind, before + 1);
      await sleep(KEYS_COOLDOWN_MS, undefined, { signal }).finally(() => {
        waiting.set(kind, (waiting.get(kind) ?? 1) - 1);
      });
      return verify();
    });
  } catch (thrown) {
    if (thrown instanceof joseErrors.JWTClaimValidationFailed || thrown instanceof joseErrors.JWTExpired) {
      throw refusedToken(expected, NAMED.has(thrown.claim) ? thrown.claim : 'claims');
    }
    throw thrown;
  }
}

/** Names of claims come from us alone. */
const NAMED = new Set(['iss', 'aud', 'exp', 'iat', 'nbf', 'jti', 'sub']);

export function refusedToken(
  { provider, kind }: Pick<SignedTokenExpectations, 'provider' | 'kind'>,
  check: string,
): LatchgateError {
  return new LatchgateError('token_invalid', `the ${kind} does not hold: ${check}`, { detail: { provider, check } });
}
