import { type Attribute, isList, isObject, type ScimObject, type ScimValue } from './attribute.ts';
import { pathOf, resolveName } from './attribute-path.ts';
import { ScimError } from './error.ts';
import type { ResourceType } from './resource-types.ts';

/** Which attributes an answer has (RFC 7644 §3.9, and `returned` of RFC 7643 §7). */
export interface Projection {
  /** Whether an attribute of the core schema is in the answer, so that it need not be read when it is not. */
  has(attribute: string): boolean;
  /** The resource without the others. */
  apply(resource: ScimObject): ScimObject;
}

/** Names by canonical path; of a sub-attribute its attribute is `partly` there. */
interface Names {
  readonly whole: ReadonlySet<string>;
  readonly partly: ReadonlySet<string>;
}

const MAX_NAMES = 500;

/**
 * `attributes` and `excludedAttributes` as a query has them (names between commas) or as a search request has them (a
 * list). Names that there are not are passed over. Both: what the first names, without what the second names.
 */
export function readProjection(type: ResourceType, attributes: unknown, excludedAttributes: unknown): Projection {
  const included = readNames(type, 'attributes', attributes);
  const excluded = readNames(type, 'excludedAttributes', excludedAttributes);
  const urns = new Map(type.extensions.map((schema) => [schema.id, schema]));

  const isWanted = (attribute: Attribute, extension: string | undefined): boolean => {
    if (attribute.returned === 'always') return true;
    if (attribute.returned === 'never' || isWhole(excluded, attribute, extension)) return false;
    if (included === undefined) return attribute.returned === 'default';
    return isWhole(included, attribute, extension) || included.partly.has(pathOf(extension, attribute).name);
  };
  const part = (attribute: Attribute, extension: string | undefined, value: ScimValue): ScimValue | undefined => {
    if (!isWanted(attribute, extension)) return undefined;
    const only = isWhole(included, attribute, extension) ? undefined : included?.whole;
    const without = excluded?.partly.has(pathOf(extension, attribute).name) === true ? excluded.whole : undefined;
    if (attribute.type !== 'complex' || (only === undefined && without === undefined)) return value;
    const keep = (sub: Attribute): boolean => {
      const path = pathOf(extension, attribute, sub).name;
      return sub.returned === 'always' || ((only?.has(path) ?? true) && !without?.has(path));
    };
    return withSubs(attribute, value, keep);
  };
  const pick = (object: ScimObject, attributeOf: (name: string) => Attribute | undefined, extension?: string) => {
    const picked: Record<string, ScimValue> = {};
    for (const [name, value] of Object.entries(object)) {
      const attribute = attributeOf(name);
      const kept = attribute === undefined ? undefined : part(attribute, extension, value);
      if (kept !== undefined) picked[name] = kept;
    }
    return picked;
  };

  return {
    has: (name) => {
      const attribute = type.attributes.get(name.toLowerCase());
      return attribute !== undefined && isWanted(attribute, undefined);
    },
    apply: (resource) => {
      if (included === undefined && excluded === undefined) return resource;
      const picked = pick(resource, (name) => type.attributes.get(name.toLowerCase()));
      for (const [urn, schema] of urns) {
        const held = resource[urn];
        if (!isObject(held)) continue;
        const inner = pick(held, (name) => schema.attributes.get(name.toLowerCase()), urn);
        if (Object.keys(inner).length > 0) picked[urn] = inner;
      }
      return picked;
    },
  };
}

function isWhole(names: Names | undefined, attribute: Attribute, extension: string | undefined): boolean {
  if (names === undefined) return false;
  return names.whole.has(pathOf(extension, attribute).name) || (extension !== undefined && names.whole.has(extension));
}

function withSubs(attribute: Attribute, value: ScimValue, keep: (sub: Attribute) => boolean): ScimValue | undefined {
  const one = (object: ScimValue): ScimObject => {
    if (!isObject(object)) return {};
    const subs = [...attribute.subAttributes.values()].filter((sub) => object[sub.name] !== undefined && keep(sub));
    return Object.fromEntries(subs.map(({ name }) => [name, object[name] as ScimValue]));
  };
  if (isList(value)) {
    const values = value.map(one).filter((object) => Object.keys(object).length > 0);
    return values.length === 0 ? undefined : values;
  }
  const object = one(value);
  return Object.keys(object).length === 0 ? undefined : object;
}

function readNames(type: ResourceType, what: string, json: unknown): Names | undefined {
  if (json === undefined || json === null || json === '') return undefined;
  const texts: readonly unknown[] = typeof json === 'string' ? json.split(',') : Array.isArray(json) ? json : [json];
  if (texts.length > MAX_NAMES) throw new ScimError('scim_too_large', `${what} has more than ${MAX_NAMES} names`);
  const whole = new Set<string>();
  const partly = new Set<string>();
  for (const text of texts) {
    if (typeof text !== 'string') throw new ScimError('scim_value_invalid', `${what} is not a list of names`);
    const named = resolveName(type, text.trim());
    if (named?.kind === 'schema') {
      for (const name of named.extension === undefined ? coreNames(type) : [named.extension]) whole.add(name);
    } else if (named !== undefined) {
      whole.add(named.path.name);
      if (named.path.sub !== undefined) partly.add(pathOf(named.path.extension, named.path.attribute).name);
    }
  }
  return { whole, partly };
}

function coreNames(type: ResourceType): readonly string[] {
  return [...type.schema.attributes.values()].map(({ name }) => name);
}
