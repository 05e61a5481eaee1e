import { errors as joseErrors } from 'jose';
import {
  AuthorizationResponseError,
  ClientError,
  ResponseBodyError,
  WWWAuthenticateChallengeError,
} from 'openid-client';
import { type ErrorCode, LatchgateError } from '../model/errors.ts';

/** What we were doing when the provider or its library failed. */
export type OidcStep = 'discovery' | 'authorize' | 'code' | 'refresh' | 'userinfo' | 'token' | 'logout' | 'revoke';

/** Answers of the authorization endpoint (RFC 6749 §4.1.2.1, OIDC Core §3.1.2.6) that are about the person. */
const REFUSALS = new Set([
  'access_denied',
  'login_required',
  'consent_required',
  'interaction_required',
  'account_selection_required',
]);
/** At a refresh: the person has to come themselves, or is not let in any more (Auth0: `unauthorized`). */
const ENDS = new Set([...REFUSALS, 'invalid_grant', 'unauthorized']);
const OUTAGES = new Set(['server_error', 'temporarily_unavailable']);
const KNOWN_ERRORS = new Set([
  ...REFUSALS,
  ...OUTAGES,
  ...['invalid_request', 'unauthorized_client', 'unsupported_response_type', 'invalid_scope', 'invalid_client'],
  ...['invalid_grant', 'unsupported_grant_type', 'request_not_supported', 'registration_not_supported'],
]);

const LIBRARY_CODES: Readonly<Record<string, ErrorCode>> = {
  OAUTH_TIMEOUT: 'provider_unavailable',
  OAUTH_ABORT: 'provider_unavailable',
  OAUTH_RESPONSE_IS_NOT_CONFORM: 'provider_unavailable',
  OAUTH_RESPONSE_IS_NOT_JSON: 'provider_unavailable',
  OAUTH_PARSE_ERROR: 'provider_unavailable',
  OAUTH_KEY_SELECTION_FAILED: 'token_key_unknown',
  OAUTH_INVALID_RESPONSE: 'token_invalid',
  OAUTH_JWT_CLAIM_COMPARISON_FAILED: 'token_invalid',
  OAUTH_JWT_TIMESTAMP_CHECK_FAILED: 'token_invalid',
  OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED: 'token_invalid',
  OAUTH_UNSUPPORTED_OPERATION: 'token_invalid',
  OAUTH_MISSING_SERVER_METADATA: 'provider_metadata_invalid',
  OAUTH_INVALID_SERVER_METADATA: 'provider_metadata_invalid',
  OAUTH_HTTP_REQUEST_FORBIDDEN: 'provider_metadata_invalid',
  OAUTH_REQUEST_PROTOCOL_FORBIDDEN: 'provider_metadata_invalid',
  ERR_JWKS_NO_MATCHING_KEY: 'token_key_unknown',
  ERR_JWKS_MULTIPLE_MATCHING_KEYS: 'token_key_unknown',
  ERR_JWKS_TIMEOUT: 'provider_unavailable',
  ERR_JWKS_INVALID: 'provider_unavailable',
  ERR_JOSE_GENERIC: 'provider_unavailable',
};

/**
 * What openid-client, jose or the outgoing client threw, as one of our codes. The originals hold tokens, claims and
 * texts of the provider: nothing of them but codes comes along.
 */
export function asLoginError(original: unknown, provider: string, step: OidcStep): LatchgateError {
  const thrown = innermost(original);
  if (thrown instanceof LatchgateError) return fromOutgoing(thrown, provider, step);
  const detail = { provider, step };
  const make = (code: ErrorCode, more: Record<string, string | number> = {}) =>
    new LatchgateError(code, MESSAGES[code] ?? 'the login failed', { detail: { ...detail, ...more } });

  if (thrown instanceof AuthorizationResponseError) {
    return make(forAuthorizationError(thrown.error), { error: known(thrown.error) });
  }
  if (thrown instanceof ResponseBodyError) {
    return make(forBodyError(thrown, step), { error: known(thrown.error), status: thrown.status });
  }
  if (thrown instanceof WWWAuthenticateChallengeError) return make('provider_misconfigured', { status: thrown.status });
  const uncoded = thrown instanceof ClientError && thrown.code === undefined ? thrown.cause : thrown;
  const unusable = UNUSABLE.get(nameOf(uncoded));
  if (unusable !== undefined) return make(unusable);
  if (thrown instanceof ClientError || thrown instanceof joseErrors.JOSEError) {
    const library = String(thrown.code ?? 'unknown');
    const code = LIBRARY_CODES[library] ?? (thrown instanceof joseErrors.JOSEError ? 'token_invalid' : 'internal');
    return make(step === 'discovery' && code === 'token_invalid' ? 'provider_metadata_invalid' : code, { library });
  }
  if (step === 'discovery' && codeOf(thrown) === 'ERR_INVALID_URL') return make('provider_metadata_invalid');
  return new LatchgateError('internal', 'the login library failed', { detail, cause: thrown });
}

/** What neither library has a code for: published keys that are none, and answers signed in a way that was not agreed. */
const UNUSABLE: ReadonlyMap<string, ErrorCode> = new Map([
  ['DataError', 'token_key_unknown'],
  ['InvalidAccessError', 'token_key_unknown'],
  ['SyntaxError', 'token_key_unknown'],
  ['OperationProcessingError', 'provider_unavailable'],
]);

function nameOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null && 'name' in thrown ? String(thrown.name) : '';
}

function codeOf(thrown: unknown): unknown {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? thrown.code : undefined;
}

const MESSAGES: Partial<Record<ErrorCode, string>> = {
  provider_unavailable: 'the identity provider does not answer as it should',
  provider_misconfigured: 'the identity provider refuses our client',
  provider_metadata_invalid: 'the discovery document does not hold',
  provider_refused: 'the identity provider refused the login',
  token_invalid: 'the token does not hold',
  token_key_unknown: 'the token is signed by a key that the provider does not publish',
  login_expired: 'the code is not valid any more',
  login_ended: 'the provider does not renew this login',
};

/** openid-client wraps what its fetch throws into an error without a code. */
function innermost(thrown: unknown): unknown {
  let error = thrown;
  for (let depth = 0; depth < 6 && error instanceof ClientError && error.cause instanceof Error; depth += 1) {
    if (error.code !== undefined) break;
    error = error.cause;
  }
  return error;
}

function fromOutgoing(error: LatchgateError, provider: string, step: OidcStep): LatchgateError {
  if (error.code !== 'target_unavailable' && error.code !== 'target_answer_invalid') return error;
  const detail = { ...error.detail, provider, step };
  return new LatchgateError('provider_unavailable', error.message, { detail, cause: error.cause });
}

function forAuthorizationError(error: string): ErrorCode {
  if (REFUSALS.has(error)) return 'provider_refused';
  return OUTAGES.has(error) ? 'provider_unavailable' : 'provider_misconfigured';
}

function forBodyError({ error, status }: ResponseBodyError, step: OidcStep): ErrorCode {
  if (status >= 500 || status === 429 || OUTAGES.has(error)) return 'provider_unavailable';
  if (step === 'refresh' && ENDS.has(error)) return 'login_ended';
  if (error === 'invalid_grant') return 'login_expired';
  return 'provider_misconfigured';
}

/** Error names come from outside: only those of the specifications are repeated. */
function known(error: string): string {
  return KNOWN_ERRORS.has(error) ? error : 'other';
}
