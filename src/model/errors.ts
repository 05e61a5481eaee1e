import { type ErrorRow, row } from './error-row.ts';
import { CONSOLE_ERRORS } from './errors-console.ts';
import { REVIEW_ERRORS } from './errors-review.ts';
import { SCIM_ERRORS } from './errors-scim.ts';
import { SYNC_ERRORS } from './errors-sync.ts';

/**
 * Every failure has a stable code, an HTTP status and says whether trying again later can help.
 * Callers branch on `code` or class, never on the message.
 */
export const ERRORS = {
  // Config and start
  config_invalid: row(
    500,
    false,
    'The configuration has complaints; each is printed with its place. Run `latchgate check`.',
  ),
  config_unreadable: row(500, false, 'The configuration file could not be read.'),
  address_unavailable: row(
    500,
    false,
    'The address of `listen` or `admin_listen` is in use, or not one of this machine.',
  ),
  certificate_unusable: row(
    500,
    false,
    'A file of `tls` cannot be read, is not PEM, or its key is not that of the certificate.',
  ),
  state_unavailable: row(503, true, 'The state database does not answer.'),
  state_too_new: row(
    500,
    false,
    'The state database was written by a newer version; start that version or restore a backup.',
  ),
  state_in_use: row(
    500,
    false,
    'Another gateway serves from the same SQLite file. Stop it; for several processes set `workers`, for several instances use PostgreSQL.',
  ),
  state_not_empty: row(
    500,
    false,
    'The state database to copy to has rows already. Name one that no gateway has served from; nothing was written.',
  ),
  session_store_foreign: row(
    500,
    false,
    'Redis holds the sessions of another state database. Instances that share a Redis share one PostgreSQL; another deployment needs a Redis (or a database number in it) of its own. If the former database is gone for good, delete the key `latchgate:deployment` in Redis and end all sessions.',
  ),
  session_secrets_differ: row(
    500,
    false,
    'Every instance needs the same `session.secrets`. To rotate, keep the former secret as a further one; if it is lost, delete the row `session secrets` of `state_values`.',
  ),
  state_unreadable: row(
    500,
    false,
    'What is stored encrypted opens with none of `session.secrets`. Put the former secret back as a further one; if it is lost, delete the named value.',
  ),
  // Login
  login_required: row(401, false, 'No session. A browser is sent to the login, an API client gets this code.'),
  login_state_invalid: row(
    400,
    false,
    'The answer of the identity provider does not belong to a login that this browser began, or was used before.',
  ),
  login_expired: row(400, true, 'The login took longer than ten minutes. Start again.'),
  login_loop: row(400, true, 'Several logins in a row came back without their state; the browser may refuse cookies.'),
  break_glass_over: row(
    403,
    false,
    'An emergency link (`latchgate break-glass`) that was used, ran out, or was never made; or the provider has since said that the person is not to have access.',
  ),
  login_unknown: row(404, false, 'No login provider of that name is configured.'),
  provider_unavailable: row(503, true, 'The identity provider does not answer or answers with an error of its own.'),
  provider_refused: row(403, false, 'The identity provider refused the login (access_denied and the like).'),
  provider_misconfigured: row(
    502,
    false,
    'The identity provider refuses our client: wrong secret, redirect URI or client id.',
  ),
  provider_metadata_invalid: row(
    502,
    false,
    'The discovery document of the identity provider does not hold: another issuer, or an address that is not https.',
  ),
  token_invalid: row(
    403,
    false,
    'A token of the identity provider does not hold: signature, issuer, audience, time or nonce.',
  ),
  token_key_unknown: row(403, true, 'The token is signed by a key that the provider does not publish.'),
  saml_message_invalid: row(
    403,
    false,
    'A SAML message is not in the form that is taken: DOCTYPE, comments, too deep, not what SAML 2.0 says, encrypted in a way that is not opened, or nothing that was asked for in it. `check` names the rule.',
  ),
  saml_signature_invalid: row(
    403,
    false,
    'A SAML message is not signed as the login wants it, not by a key of the metadata, with SHA-1 or HMAC, or what was signed is not what was read.',
  ),
  saml_issuer_unknown: row(403, false, 'A SAML message is of another provider than the metadata of the login names.'),
  saml_not_for_us: row(
    403,
    false,
    'A SAML message is meant for somebody else: Audience, Destination or Recipient is not ours. Compare with our metadata.',
  ),
  saml_expired: row(
    403,
    false,
    'A SAML message does not hold yet, or not any more. Compare the clocks; `login.NAME.clock_skew` allows for a difference.',
  ),
  saml_replayed: row(403, false, 'A SAML assertion was used before. It counts once, at all instances together.'),
  saml_unsolicited: row(
    403,
    false,
    'A SAML login began at the provider or lost its RelayState, and `login.NAME.idp_initiated` is off.',
  ),
  answer_too_large: row(502, false, 'An answer was longer than its limit.'),
  invalid_token: row(
    401,
    false,
    'The bearer token of an API client does not hold (signature, issuer, audience, type, time), was ended here, or has run out. A new one is needed.',
  ),
  insufficient_scope: row(403, false, 'The bearer token lacks a scope that `login.NAME.bearer.scopes` asks for.'),
  subject_invalid: row(403, false, 'The subject is empty, longer than 255 characters or holds control characters.'),
  login_ended: row(
    401,
    false,
    'The identity provider has ended this login, or does not renew it any more (invalid_grant).',
  ),
  // Mapping
  email_missing: row(403, false, 'The provider sent no e-mail, and `identity.require` asks for one.'),
  email_invalid: row(403, false, 'The e-mail is not one address of at most 254 characters without control characters.'),
  email_unverified: row(403, false, 'The e-mail is not verified, and `identity.require` asks for email_verified.'),
  attribute_missing: row(403, false, 'An attribute that `identity.require` names was not sent.'),
  attribute_invalid: row(
    403,
    false,
    'An attribute has a shape that is not a text or a list of texts, or holds control characters.',
  ),
  claim_not_recorded: row(
    403,
    false,
    'A claim that decides is not recorded (`state.claims`). What the person has stays; their next login or sync tells.',
  ),
  groups_invalid: row(
    403,
    false,
    'The groups are not a list of texts, or one of them holds control characters, a lone surrogate or more than 256 characters.',
  ),
  groups_too_many: row(403, false, 'More groups than `groups.max`.'),
  groups_overage: row(
    403,
    false,
    'The provider left the groups out because there are too many (Entra ID overage). `login.NAME.overage` asks Microsoft Graph for them.',
  ),
  groups_unavailable: row(
    503,
    true,
    'The provider left the groups out because there are too many, Microsoft Graph does not answer, and nothing is known of the person from earlier.',
  ),
  denied_by_rule: row(403, false, 'A rule with `deny` fits this person.'),
  denied_by_default: row(403, false, 'No rule gave anything, and `default` denies.'),
  no_access: row(403, false, 'Nothing is given to this person in the target of this route.'),
  privileged_needs_exact: row(403, false, 'A privileged entitlement is given by an exact group name only.'),
  entitlement_invalid: row(
    403,
    false,
    'A name made from a claim is empty, too long or holds control characters; that one entitlement is not given.',
  ),
  entitlements_too_many: row(
    403,
    false,
    'One line of a grant would make more than 1,000 entitlements out of the values that fit; none of them is given.',
  ),
  person_disabled: row(403, false, 'This person was disabled.'),
  person_left: row(
    403,
    false,
    'The source that owns this person does not list them any more, or lists them as inactive.',
  ),
  // Provisioning
  account_missing: row(403, false, 'There is no account, and `missing.users: refuse` keeps us from making one.'),
  account_ambiguous: row(
    409,
    false,
    'More than one account fits this person. `latchgate why ID` names them: take the e-mail out of all but one in the target.',
  ),
  account_taken: row(
    409,
    false,
    'The account that fits belongs to another person, or has the address that nobody vouches for as this person’s, or the address is that of somebody who has left or was disabled. `latchgate why ID` says which, and what to do.',
  ),
  account_protected: row(403, false, 'The account that fits is a service or protected account.'),
  account_disabled: row(
    403,
    false,
    'The account was switched off in the backend by hand; only that is respected, switch it on there.',
  ),
  account_privileged: row(
    403,
    false,
    'The account that fits by e-mail has privileged entitlements and is not linked by e-mail.',
  ),
  user_name_taken: row(409, false, 'Every candidate for the user name is taken in the target.'),
  user_name_missing: row(403, false, 'None of the claims for the user name was sent.'),
  profile_incomplete: row(403, false, 'The target needs an attribute that was not sent.'),
  profile_invalid: row(422, false, 'The target does not take a value of the profile.'),
  role_missing: row(409, false, 'A role that a rule gives does not exist in the target, and `missing.roles: refuse`.'),
  group_missing: row(
    409,
    false,
    'A group that a rule gives does not exist in the target, and `missing.groups: refuse`.',
  ),
  permission_missing: row(
    409,
    false,
    'A permission that a rule gives does not exist in the target: no such workspace, or no permission of that name.',
  ),
  entitlement_missing: row(
    403,
    false,
    'The target demands at least one role or group for an account, and none can be given.',
  ),
  entitlement_conflict: row(409, false, 'Two entitlements have the same id in the target.'),
  target_unavailable: row(503, true, 'The backend does not answer, or answers with an error of its own.'),
  target_refused: row(502, false, 'The backend refused our service account or our request.'),
  target_answer_invalid: row(
    502,
    true,
    'The backend answered something that is not its API (HTML, a redirect, broken JSON).',
  ),
  target_conflict: row(409, true, 'The backend had changed meanwhile. Read again and go on.'),
  target_pending: row(503, true, 'The account in this backend is still being prepared.'),
  lease_lost: row(503, true, 'Another instance works on the same account for too long.'),
  ...SYNC_ERRORS,
  ...SCIM_ERRORS,
  ...CONSOLE_ERRORS,
  // Proxy
  request_invalid: row(400, false, 'The request target or a header is not one that the gateway forwards.'),
  request_timeout: row(408, true, 'The request did not arrive whole in time.'),
  header_too_large: row(431, false, 'The request headers are larger than 32 KiB.'),
  too_many_requests: row(429, true, 'Too many failed attempts from one address within a minute.'),
  too_many_at_once: row(
    429,
    true,
    'One person, or everybody together on public routes, has a quarter of `targets.NAME.upstream.connections` under way already.',
  ),
  route_unknown: row(404, false, 'No route serves this path.'),
  host_unknown: row(
    421,
    false,
    'Neither `public_url` nor a route names this host. A proxy in front has to pass on the Host that browsers sent; probes that ask by address belong on `admin_listen`.',
  ),
  method_not_allowed: row(405, false, 'The route does not serve this method.'),
  route_forbidden: row(403, false, 'The `when` of the route does not hold for this person.'),
  origin_not_allowed: row(403, false, 'The Origin of this request is not one of our own.'),
  upstream_unavailable: row(502, true, 'The backend could not be reached.'),
  upstream_timeout: row(504, true, 'The backend did not answer in time.'),
  upstream_invalid: row(502, false, 'The backend answered with broken HTTP.'),
  session_store_unavailable: row(503, true, 'The session store does not answer.'),
  // Commands
  ...REVIEW_ERRORS,
  webhook_refused: row(
    502,
    true,
    'The address of `drift.webhook` did not take what was sent: it answers with another status than 2xx.',
  ),
  shadow_mode: row(
    409,
    false,
    'The config says `mode: shadow`: nothing is written to a target, and nothing is recorded as ours. Take the line out to go live.',
  ),
  usage: row(400, false, 'The command line is not one that this command takes.'),
  not_found: row(404, false, 'Nothing is known by that name or id.'),
  audit_broken: row(500, false, 'The audit chain does not hold from the named record on.'),
  audit_undelivered: row(502, true, 'A receiver of `audit.deliver` did not take the records; they are sent again.'),
  internal: row(500, true, 'Something went wrong that should not. The log has it under the request id.'),
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorOptions {
  /** Where it happened and with what, free of secrets and claim values: may be logged. */
  readonly detail?: Readonly<Record<string, string | number | boolean>>;
  /** For the person, from the config: shown as it stands (escaped). */
  readonly publicMessage?: string;
  readonly cause?: unknown;
  /** Seconds after which trying again makes sense (Retry-After). */
  readonly retryAfterSeconds?: number;
}

/** The one error class of the product: `code` decides, `message` is for people. */
export class LatchgateError extends Error {
  override readonly name = 'LatchgateError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryable: boolean;
  readonly detail: Readonly<Record<string, string | number | boolean>>;
  readonly publicMessage: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.status = ERRORS[code].status;
    this.retryable = ERRORS[code].retryable;
    this.detail = options.detail ?? {};
    this.publicMessage = options.publicMessage;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** Anything thrown, as a LatchgateError: unknown things become `internal` with the original as cause. */
export function toLatchgateError(thrown: unknown): LatchgateError {
  if (thrown instanceof LatchgateError) return thrown;
  return new LatchgateError('internal', 'unexpected failure', { cause: thrown });
}
