import { ScimError } from './error.ts';

/** JSON as it was parsed. Its keys are looked at, never used to look something up in an object. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Of one object. No resource has a hundred. */
const MAX_NAMES = 10_000;

/**
 * The members of an object by lower-case name, as names are compared (RFC 7643 §2.1). Throws `scim_syntax_invalid` for
 * two that differ in case only: who checks one must not use the other. `scim_too_large` for more than any resource has.
 */
export function membersOf(object: JsonObject, where: string): ReadonlyMap<string, { name: string; value: unknown }> {
  const members = new Map<string, { name: string; value: unknown }>();
  if (Object.keys(object).length > MAX_NAMES) {
    throw new ScimError('scim_too_large', `${where} has more than ${MAX_NAMES} attributes`);
  }
  for (const [name, value] of Object.entries(object)) {
    const lower = name.toLowerCase();
    if (members.has(lower)) {
      throw new ScimError('scim_syntax_invalid', `${where} has one attribute twice, in different case`);
    }
    members.set(lower, { name, value });
  }
  return members;
}
