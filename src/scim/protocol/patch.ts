import type { ScimObject } from './attribute.ts';
import { ScimError } from './error.ts';
import type { MembersChange } from './members.ts';
import type { Dropped } from './report.ts';
import type { ResourceType } from './resource-types.ts';

export interface PatchResult {
  /** All that the resource then has; of a group without the members. */
  readonly attributes: ScimObject;
  /** Whether `attributes` differs from what was there. */
  readonly changed: boolean;
  /** Of a group, when an operation was about its members. */
  readonly members: MembersChange | undefined;
  readonly dropped: readonly Dropped[];
}

/**
 * Does the operations of a PATCH (RFC 7644 §3.5.2) to the attributes as `readBody` gave them; all or none. The members
 * of a group are not needed for it. Throws ScimError.
 */
export function applyPatch(_type: ResourceType, _attributes: ScimObject, _json: unknown): PatchResult {
  throw new ScimError('scim_syntax_invalid', 'not yet');
}
