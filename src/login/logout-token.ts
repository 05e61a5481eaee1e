import { setTimeout as sleep } from 'node:timers/promises';
import { type JWTPayload, type JWTVerifyResult, errors as joseErrors, jwtVerify } from 'jose';
import { LatchgateError } from '../model/errors.ts';
import { type Discovered, KEYS_COOLDOWN_MS } from './discovery.ts';
import { fitSubject, type IdTokenExpectations, keyIdOf, TOLERANCE_SECONDS } from './id-token.ts';
import type { ProviderLogout } from './provider.ts';

/** §2.4; its value is an object, and should be an empty one. */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** It is sent when it is made; what comes much later was kept by somebody. */
const OLDEST_SECONDS = 300;
/** Tokens of keys that nobody knows, which wait until the keys may be read once more. */
const MOST_WAITING = 100;
let waiting = 0;

type Expected = Pick<IdTokenExpectations, 'provider' | 'clientId' | 'now'>;

/**
 * OpenID Connect Back-Channel Logout 1.0 §2.6: as an ID token by signature, algorithm, iss, aud, iat and exp; of its own
 * type, with the event, with a subject or a session, and without a nonce. That it was not used before is left to the
 * caller. Throws `token_invalid` with the failed check in its detail, `subject_invalid`, or what jose throws.
 */
export async function verifyLogoutToken(
  token: string,
  found: Discovered,
  expected: Expected,
  signal: AbortSignal,
): Promise<ProviderLogout> {
  const { provider, clientId, now } = expected;
  keyIdOf(token, provider);
  const { payload, protectedHeader } = await verified(token, found, expected, signal);
  const refuse = (check: string): never => {
    throw refused(provider, check);
  };
  if (!isFitType(protectedHeader.typ)) refuse('typ');
  if (![payload.aud].flat().every((audience) => audience === clientId)) refuse('aud');
  if (payload['azp'] !== undefined && payload['azp'] !== clientId) refuse('azp');
  const { iat, exp, jti } = payload as { readonly iat: number; readonly exp: number; readonly jti: unknown };
  const age = now / 1_000 - iat;
  if (age < -TOLERANCE_SECONDS || age > OLDEST_SECONDS) refuse('iat');
  if (!isEvent(payload['events'])) refuse('events');
  // Even an empty one: only ID tokens have it, and none of them is to pass for a logout.
  if ('nonce' in payload) refuse('nonce');
  const id = typeof jti === 'string' && isFitId(jti) ? jti : refuse('jti');
  const about = whom(payload, provider);
  if (about === undefined) return refuse('sub');
  const lastSecond = Math.min(exp, iat + OLDEST_SECONDS) + TOLERANCE_SECONDS;
  const at = new Date(iat * 1_000);
  return { id, issuer: found.metadata.issuer, ...about, at, expiresAt: new Date(lastSecond * 1_000) };
}

/** A key that was published a moment ago counts at once, though nobody can make us ask for the keys all the time. */
async function verified(
  token: string,
  { metadata, keys, algorithms }: Discovered,
  { provider, clientId, now }: Expected,
  signal: AbortSignal,
): Promise<JWTVerifyResult> {
  const verify = () =>
    jwtVerify(token, keys.resolve, {
      algorithms: [...algorithms],
      issuer: metadata.issuer,
      audience: clientId,
      requiredClaims: ['iss', 'aud', 'exp', 'iat', 'jti'],
      clockTolerance: TOLERANCE_SECONDS,
      currentDate: new Date(now),
    });
  try {
    const wasCooling = keys.resolve.coolingDown;
    return await verify().catch(async (thrown: unknown) => {
      if (!(thrown instanceof joseErrors.JWKSNoMatchingKey) || !wasCooling || waiting >= MOST_WAITING) throw thrown;
      waiting += 1;
      await sleep(KEYS_COOLDOWN_MS, undefined, { signal }).finally(() => {
        waiting -= 1;
      });
      return verify();
    });
  } catch (thrown) {
    if (thrown instanceof joseErrors.JWTClaimValidationFailed || thrown instanceof joseErrors.JWTExpired) {
      throw refused(provider, CLAIMS.has(thrown.claim) ? thrown.claim : 'claims');
    }
    throw thrown;
  }
}

const CLAIMS = new Set(['iss', 'aud', 'exp', 'iat', 'nbf', 'jti']);

/** §2.4: RFC 8725 §3.11 types are recommended, none and the general one are found. */
function isFitType(typ: string | undefined): boolean {
  return typ === undefined || /^(?:application\/)?(?:logout\+)?jwt$/i.test(typ);
}

function isEvent(events: unknown): boolean {
  if (!isObject(events) || !Object.hasOwn(events, EVENT)) return false;
  return isObject(events[EVENT]);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Who is meant; what is there has to be usable, though a session alone decides. */
function whom(
  { sub, sid }: JWTPayload & { readonly sid?: unknown },
  provider: string,
): Pick<ProviderLogout, 'subject' | 'providerSession'> | undefined {
  if (sub === undefined && sid === undefined) return undefined;
  if (sid !== undefined && (typeof sid !== 'string' || !isFitId(sid))) throw refused(provider, 'sid');
  return {
    ...(sub === undefined ? {} : { subject: fitSubject(sub, provider) }),
    ...(sid === undefined ? {} : { providerSession: sid }),
  };
}

function isFitId(id: string): boolean {
  return id !== '' && id.length <= 255;
}

function refused(provider: string, check: string): LatchgateError {
  const detail = { provider, check };
  return new LatchgateError('token_invalid', `the logout token does not hold: ${check}`, { detail });
}
