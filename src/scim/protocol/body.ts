import type { ScimObject } from './attribute.ts';
import { Draft } from './draft.ts';
import { ScimError } from './error.ts';
import { isJsonObject, type JsonObject, membersOf } from './json.ts';
import type { Member } from './members.ts';
import { type Dropped, Report } from './report.ts';
import type { ResourceType } from './resource-types.ts';
import { invalid } from './value.ts';

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

/**
 * Reads the JSON of a POST or a PUT (RFC 7644 §3.3, §3.5.1). Attributes that are null are not there (RFC 7643 §2.5).
 * Throws ScimError.
 */
export function readBody(type: ResourceType, json: unknown): ResourceBody {
  if (!isJsonObject(json)) throw new ScimError('scim_syntax_invalid', 'the body is not an object');
  checkSchemas(type, membersOf(json, 'the resource').get('schemas')?.value);
  const report = new Report();
  const draft = new Draft(type, {}, report);
  draft.assignAll('add', withoutNulls(json));
  for (const { name, required } of type.attributes.values()) {
    if (required && draft.attributes[name] === undefined) throw invalid(name, 'is required');
  }
  const { attributes, members } = draft;
  return { attributes, members: members && [...members.add.values()], dropped: report.list() };
}

function withoutNulls(json: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(json).filter(([, value]) => value !== null));
}

/** A list without the schema of the type says that the body is something else; no list says nothing. */
function checkSchemas(type: ResourceType, schemas: unknown): void {
  if (schemas === undefined || schemas === null) return;
  const wanted = type.schema.id.toLowerCase();
  const names = Array.isArray(schemas) ? schemas : [schemas];
  if (names.some((name) => typeof name === 'string' && name.toLowerCase() === wanted)) return;
  throw new ScimError('scim_syntax_invalid', `schemas lacks ${type.schema.id}`);
}
