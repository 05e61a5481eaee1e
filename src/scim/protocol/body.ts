import type { ScimObject } from './attribute.ts';
import { ScimError } from './error.ts';
import type { Member } from './members.ts';
import type { Dropped } from './report.ts';
import type { ResourceType } from './resource-types.ts';

/** A resource as a client sent it whole (POST, PUT). */
export interface ResourceBody {
  /** What is kept, without `schemas`, `id`, `meta`, `groups`, `password` and `members`. */
  readonly attributes: ScimObject;
  /**
   * Of a group. Undefined: not sent, or sent as null. A PUT that does not say leaves the members as they are, because
   * RFC 7644 §3.5.1 lets us and a client that renames a group must not empty it; `[]` does empty it.
   */
  readonly members: readonly Member[] | undefined;
  readonly dropped: readonly Dropped[];
}

/** Reads the JSON of a POST or a PUT. Throws ScimError. */
export function readBody(_type: ResourceType, _json: unknown): ResourceBody {
  throw new ScimError('scim_syntax_invalid', 'not yet');
}
