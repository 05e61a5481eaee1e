import { ERRORS, type ErrorCode, type ErrorOptions, LatchgateError } from '../../model/errors.ts';
import { ERROR } from '../../ops/scim/urns.ts';

/** RFC 7644 §3.12, table 9. */
export type ScimType =
  | 'invalidFilter'
  | 'tooMany'
  | 'uniqueness'
  | 'mutability'
  | 'invalidSyntax'
  | 'invalidPath'
  | 'noTarget'
  | 'invalidValue';

const SCIM_TYPES = {
  scim_filter_invalid: 'invalidFilter',
  scim_path_invalid: 'invalidPath',
  scim_value_invalid: 'invalidValue',
  scim_syntax_invalid: 'invalidSyntax',
  scim_no_target: 'noTarget',
  scim_mutability: 'mutability',
  scim_taken: 'uniqueness',
  scim_reference_circular: 'invalidValue',
  scim_too_many: 'tooMany',
  scim_too_large: undefined,
  scim_version_mismatch: undefined,
} as const satisfies Partial<Record<ErrorCode, ScimType | undefined>>;

export type ScimErrorCode = keyof typeof SCIM_TYPES;

/**
 * What the protocol refuses. `message` goes to the client as `detail`: it names attributes of the schema and places in
 * the request, never values of it.
 */
export class ScimError extends LatchgateError {
  readonly scimType: ScimType | undefined;

  constructor(code: ScimErrorCode, message: string, options: ErrorOptions = {}) {
    super(code, message, options);
    this.scimType = SCIM_TYPES[code];
  }
}

/** Body of an answer that says no (RFC 7644 §3.12). `status` is a string there. */
export interface ErrorBody {
  readonly schemas: readonly [typeof ERROR];
  readonly status: string;
  readonly scimType?: ScimType;
  readonly detail: string;
}

/** Any failure for a client: that of a ScimError in its own words, of anything else what the code says in general. */
export function errorBody(error: LatchgateError): ErrorBody {
  const scimType = error instanceof ScimError ? error.scimType : undefined;
  return {
    schemas: [ERROR],
    ...(scimType === undefined ? {} : { scimType }),
    detail: error instanceof ScimError ? error.message : ERRORS[error.code].help,
    status: String(error.status),
  };
}
