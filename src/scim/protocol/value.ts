import type { Attribute, ScimObject, ScimValue } from './attribute.ts';
import { isUnclean } from './clean-text.ts';
import { truthOf } from './comparison.ts';
import { instantOf } from './date-time.ts';
import { ScimError } from './error.ts';
import { isJsonObject, type JsonObject, membersOf } from './json.ts';
import type { Report } from './report.ts';

/** Values of one attribute of a resource, the members of a group apart. */
export const MAX_VALUES = 1_000;
const BASE64 = /^[A-Za-z0-9+/_=\s-]*$/;

/**
 * One simple value by its type; undefined: null, so it has none. Takes what dialects send for it: texts for booleans,
 * and `{"value": …}` or a list of one such for the value itself (Entra ID).
 */
export function readSimple(attribute: Attribute, json: unknown, name: string): ScimValue | undefined {
  const value = unwrapValue(json);
  if (value === null || value === undefined) return undefined;
  switch (attribute.type) {
    case 'boolean': {
      const truth = typeof value === 'string' ? truthOf(value) : value;
      if (typeof truth !== 'boolean') throw invalid(name, 'is not a boolean');
      return truth;
    }
    case 'integer':
    case 'decimal':
      if (typeof value !== 'number' || (attribute.type === 'integer' && !Number.isInteger(value))) {
        throw invalid(name, `is not of type ${attribute.type}`);
      }
      return value;
    default:
      return readText(attribute, value, name);
  }
}

function readText(attribute: Attribute, value: unknown, name: string): string {
  if (typeof value !== 'string') throw invalid(name, 'is not a text');
  if (value.length > attribute.maxLength) throw invalid(name, `is longer than ${attribute.maxLength} characters`);
  if (isUnclean(value)) throw invalid(name, 'holds a control character or half a surrogate pair');
  if (attribute.required && value.trim() === '') throw invalid(name, 'is required and empty');
  if (attribute.type === 'dateTime' && instantOf(value) === undefined) throw invalid(name, 'is not a date and time');
  if (attribute.type === 'binary' && !BASE64.test(value)) throw invalid(name, 'is not base64');
  return value;
}

/**
 * Puts the sub-attributes that `json` has into those of `before`; null takes one away, others stay. A text alone is the
 * `value` (the manager of Entra ID). Unknown and read-only ones are reported.
 */
export function mergeComplex(
  attribute: Attribute,
  before: ScimObject,
  json: unknown,
  name: string,
  report: Report,
): ScimObject {
  const after: Record<string, ScimValue> = { ...before };
  let isValueGiven = false;
  let isReferenceGiven = false;
  for (const [lower, member] of membersOf(asObject(attribute, json, name), name)) {
    const sub = attribute.subAttributes.get(lower);
    const path = `${name}.${sub?.name ?? member.name}`;
    if (sub === undefined) report.add(path, 'unknown');
    else if (sub.mutability === 'readOnly') {
      if (member.value !== null) report.add(path, 'readOnly');
    } else {
      if (sub.name === 'value') isValueGiven = true;
      if (sub.name === '$ref') isReferenceGiven = true;
      put(after, sub.name, readSimple(sub, member.value, path));
    }
  }
  // The address of who was there before is not that of the new one.
  if (isValueGiven && !isReferenceGiven && after['value'] !== before['value']) delete after['$ref'];
  return ordered(attribute, after);
}

/** Several values of a complex attribute: a list, or one that stands for itself. Empty ones are left out. */
export function readValues(attribute: Attribute, json: unknown, name: string, report: Report): readonly ScimObject[] {
  if (json === null || json === undefined) return [];
  const list: readonly unknown[] = Array.isArray(json) ? json : [json];
  if (list.length > MAX_VALUES) throw new ScimError('scim_too_large', `${name} has more than ${MAX_VALUES} values`);
  return list
    .filter((one) => one !== null)
    .map((one) => mergeComplex(attribute, {}, one, name, report))
    .filter((one) => !isHollow(one));
}

/** Whether nothing but a label is left: `{"type": "work"}` is no address. */
export function isHollow(value: ScimObject): boolean {
  return Object.keys(value).every((name) => name === 'type' || name === 'primary');
}

/** Sub-attributes in the order of the schema, so that equal values are equal as JSON. */
export function ordered(attribute: Attribute, value: ScimObject): ScimObject {
  const result: Record<string, ScimValue> = {};
  for (const { name } of attribute.subAttributes.values()) put(result, name, value[name]);
  return result;
}

export function put(object: Record<string, ScimValue>, name: string, value: ScimValue | undefined): void {
  if (value === undefined) delete object[name];
  else object[name] = value;
}

export function invalid(name: string, why: string): ScimError {
  return new ScimError('scim_value_invalid', `${name} ${why}`);
}

function asObject(attribute: Attribute, json: unknown, name: string): JsonObject {
  if (isJsonObject(json)) return json;
  if (typeof json === 'string' && attribute.subAttributes.has('value')) return { value: json };
  throw invalid(name, 'is not an object');
}

/** A list of one for what has one value. */
export function unwrapList(json: unknown): unknown {
  return Array.isArray(json) && json.length === 1 ? json[0] : json;
}

function unwrapValue(json: unknown): unknown {
  const one = unwrapList(json);
  if (!isJsonObject(one)) return one;
  const value = Object.entries(one).find(([name]) => name.toLowerCase() === 'value');
  return value === undefined ? one : value[1];
}
