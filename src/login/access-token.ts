import type { JWTPayload } from 'jose';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Discovered, Discovery } from './discovery.ts';
import { fitSubject, keyIdOf, personClaims, TOLERANCE_SECONDS } from './id-token.ts';
import { asLoginError } from './oidc-errors.ts';
import type { Overage } from './overage/overage.ts';
import type { AccessToken, TakesAccessTokens } from './provider.ts';
import type { OidcLoginConfig } from './schema.ts';
import { refusedToken, verifySigned } from './signed-token.ts';

const KIND = 'access token';
/** Of the whole token, in characters. */
const LONGEST = 16_384;
/** Only ID tokens and logout tokens have these (OIDC Core §2, Back-Channel Logout 1.0 §2.4). */
const OF_OTHER_TOKENS = ['nonce', 'at_hash', 'c_hash', 's_hash', 'events'];

/** What the client may do, and which it is, as Auth0 (`gty`), Okta (`cid`) and Entra ID (`appid`, `azpacr`) say it too. */
const OF_ACCESS_TOKENS = ['scope', 'scp', 'client_id', 'cid', 'appid', 'azpacr', 'gty'];

interface AccessTokenExpectations {
  readonly provider: string;
  /** Of the gateway's own client: what is meant for it is an ID token. */
  readonly clientId: string;
  /** One of them must be in `aud`. */
  readonly audiences: readonly string[];
  /** All of them must be there. */
  readonly scopes: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: number;
}

interface AccessTokenOptions {
  readonly name: string;
  readonly config: OidcLoginConfig;
  readonly clock: Clock;
  readonly overage?: Overage;
}

/** Those of one provider; undefined when none of its tokens are taken. */
export function createAccessTokens(
  { name, config, clock, overage }: AccessTokenOptions,
  discovery: Pick<Discovery, 'get'>,
): TakesAccessTokens | undefined {
  if (config.bearer === undefined) return undefined;
  const { audience: audiences, scopes } = config.bearer;
  return {
    name,
    issuer: config.issuer,
    audiences,
    verifyAccess: async (token, signal) => {
      const found = await discovery.get();
      const expected = { provider: name, clientId: config.client_id, audiences, scopes, now: clock.now() };
      try {
        const read = await verifyAccessToken(token, found, expected, signal);
        return overage === undefined ? read : { ...read, claims: await overage.fill(read.claims, signal) };
      } catch (thrown) {
        throw asLoginError(thrown, name, 'token');
      }
    },
  };
}

/**
 * RFC 9068 §4, as far as providers keep to it: signature by a published key, pinned algorithm, typ, iss, aud, exp, nbf,
 * iat, sub and scopes; and no token of another kind. Throws `token_invalid` with the failed check in its detail,
 * `subject_invalid`, `insufficient_scope`, or what jose throws.
 */
async function verifyAccessToken(
  token: string,
  found: Discovered,
  expected: AccessTokenExpectations,
  signal: AbortSignal,
): Promise<AccessToken> {
  const { provider, clientId, audiences, scopes, now } = expected;
  const refuse = (check: string): never => {
    throw refusedToken({ provider, kind: KIND }, check);
  };
  if (token.length > LONGEST) refuse('size');
  keyIdOf(token, provider);
  // Without iat nobody could tell whether the provider has ended the login since.
  const requiredClaims = ['iss', 'aud', 'exp', 'iat', 'sub'];
  const { payload, protectedHeader } = await verifySigned(
    token,
    found,
    { provider, kind: KIND, audiences, requiredClaims, now },
    signal,
  );
  if (!isAccessToken(protectedHeader.typ, payload)) refuse('typ');
  const foreign = OF_OTHER_TOKENS.find((claim) => claim in payload);
  if (foreign !== undefined) refuse(foreign);
  // RFC 7800: good only for who proves to hold a key, which a bearer does not.
  if ('cnf' in payload) refuse('cnf');
  if ([payload.aud].flat().includes(clientId)) refuse('aud');
  const { iat, exp, sid } = payload as { readonly iat: number; readonly exp: number; readonly sid?: unknown };
  if (iat > now / 1_000 + TOLERANCE_SECONDS) refuse('iat');
  const subject = fitSubject(payload.sub, provider);
  const missing = scopes.filter((scope) => !scopesOf(payload).includes(scope));
  if (missing.length > 0) {
    const detail = { provider, scope: scopes.join(' ') };
    throw new LatchgateError('insufficient_scope', 'the access token lacks a scope that is asked for', { detail });
  }
  return {
    issuer: found.metadata.issuer,
    subject,
    claims: personClaims(payload),
    expiresAt: exp * 1_000,
    issuedAt: iat * 1_000,
    ...(typeof sid === 'string' && sid !== '' && sid.length <= 255 ? { providerSession: sid } : {}),
  };
}

/**
 * `at+jwt` (RFC 9068 §2.1), or the general type and something that no ID token has: one that is meant for another client,
 * whose id is an audience here, would look the same but for that.
 */
function isAccessToken(header: string | undefined, payload: JWTPayload): boolean {
  const [kind, typ, use] = [header?.replace(/^application\//i, '').toLowerCase(), payload['typ'], payload['token_use']];
  if (kind !== undefined && kind !== 'at+jwt' && kind !== 'jwt') return false;
  if ((typ !== undefined && typ !== 'Bearer') || (use !== undefined && use !== 'access')) return false;
  if (kind === 'at+jwt' || typ === 'Bearer' || use === 'access') return true;
  if (OF_ACCESS_TOKENS.some((claim) => claim in payload)) return true;
  // Who asked for it, as against whom it is for: in an ID token they are the same (OIDC Core §2).
  return typeof payload['azp'] === 'string' && ![payload.aud].flat().includes(payload['azp']);
}

/** RFC 9068 §2.2.3; Entra ID and Okta call it `scp`, and Okta makes a list of it. */
function scopesOf(payload: JWTPayload): readonly unknown[] {
  return [payload['scope'], payload['scp']].flatMap((said) =>
    typeof said === 'string' ? said.split(' ') : Array.isArray(said) ? said : [],
  );
}
