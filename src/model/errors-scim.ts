import { type ErrorRow, row } from './error-row.ts';

/** The rows of the SCIM server in the table of errors. */
export const SCIM_ERRORS = {
  // What a request says
  scim_filter_invalid: row(
    400,
    false,
    'A filter of a SCIM request cannot be read, compares what cannot be compared, or is too long or too deep (invalidFilter).',
  ),
  scim_path_invalid: row(
    400,
    false,
    'A path of a SCIM request is malformed or names an attribute that there is not (invalidPath).',
  ),
  scim_value_invalid: row(
    400,
    false,
    'A value of a SCIM request is missing or not of the type that the schema says (invalidValue).',
  ),
  scim_syntax_invalid: row(400, false, 'A SCIM request is not built as RFC 7644 says (invalidSyntax).'),
  scim_no_target: row(400, false, 'A SCIM PATCH names a value that is not there, or removes nothing (noTarget).'),
  scim_mutability: row(
    400,
    false,
    'A SCIM request changes what is read-only or immutable, or takes away what is required (mutability).',
  ),
  scim_taken: row(409, false, 'Another SCIM resource of this client has this value already (uniqueness).'),
  scim_reference_circular: row(409, false, 'Operations of a SCIM bulk request need each other to be done first.'),
  scim_too_many: row(
    400,
    false,
    'A SCIM request asks for more results than are put in one answer: narrow the filter (tooMany).',
  ),
  scim_too_large: row(413, false, 'A SCIM request has more operations or values, or is longer, than is taken at once.'),
  scim_version_mismatch: row(
    412,
    false,
    'The SCIM resource has changed since the version that If-Match names. Read it again.',
  ),
  // Who asks, and what becomes of it
  scim_token_missing: row(
    500,
    false,
    'A SCIM client has no token, neither in `tokens` nor by `latchgate scim token --client NAME`: the gateway does not start.',
  ),
  scim_token_expiring: row(
    503,
    false,
    'The last token of a SCIM client runs out within 30 days. Make a new one: `latchgate scim token`.',
  ),
  scim_tokens_full: row(
    409,
    false,
    'The SCIM client has two tokens that hold. Revoke one: `latchgate scim revoke ID`.',
  ),
  scim_unauthorized: row(
    401,
    false,
    'The request to the SCIM API has no bearer token, or one that is not (or not any more) of a client.',
  ),
  scim_not_allowed_from: row(
    403,
    false,
    'The SCIM client may not call from this address, or showed none of its certificates: `allow_from`, `client_certificates`.',
  ),
  scim_rate_limited: row(429, true, 'The SCIM client sends more than its `requests_per_minute`.'),
  scim_not_implemented: row(
    501,
    false,
    'The SCIM API does not have this: `/Me` says nothing, because a client is no person.',
  ),
  scim_account_exists: row(
    409,
    false,
    'A target has an account that fits this user and was there before. With `trust_email` the client links such accounts by their e-mail.',
  ),
} as const satisfies Record<string, ErrorRow>;
