import type { JWTPayload } from 'jose';
import type { LatchgateError } from '../model/errors.ts';
import type { Discovered } from './discovery.ts';
import { fitSubject, type IdTokenExpectations, keyIdOf, TOLERANCE_SECONDS } from './id-token.ts';
import type { ProviderLogout } from './provider.ts';
import { refusedToken, verifySigned } from './signed-token.ts';

/** §2.4; its value is an object, and should be an empty one. */
const EVENT = 'http://schemas.openid.net/event/backchannel-logout';
/** It is sent when it is made; what comes much later was kept by somebody. */
const OLDEST_SECONDS = 300;
const KIND = 'logout token';

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
  const { payload, protectedHeader } = await verifySigned(
    token,
    found,
    { provider, kind: KIND, audiences: [clientId], requiredClaims: ['iss', 'aud', 'exp', 'iat', 'jti'], now },
    signal,
  );
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

/** §2.4: RFC 8725 §3.11 types are recommended, none and the general one are found. */
function isFitType(typ: unknown): boolean {
  return typ === undefined || (typeof typ === 'string' && /^(?:application\/)?(?:logout\+)?jwt$/i.test(typ));
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
  return refusedToken({ provider, kind: KIND }, check);
}
