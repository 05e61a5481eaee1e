import { type Attribute, isList, isObject, type ScimObject, type ScimValue } from './attribute.ts';
import { pathOf, resolveAttribute, resolveName } from './attribute-path.ts';
import { ScimError } from './error.ts';
import type { ResourceType } from './resource-types.ts';

/** Which attributes an answer has (RFC 7644 §3.9, and `returned` of RFC 7643 §7). */
export interface Projection {
  /** Whether an attribute or a sub-attribute is in the answer, so that it need not be read when it is not. */
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

  const isWanted = (attribute: Attribute, extension: string | undefined): boolean => {
    if (attribute.returned === 'always') return true;
    if (attribute.returned === 'never' || isWhole(excluded, attribute, extension)) return false;
    if (included === undefined) return attribute.returned === 'default';
    return isWhole(included, attribute, extension) || included.partly.has(pathOf(extension, attribute).name);
  };
  const isSubWanted = (attribute: Attribute, sub: Attribute, extension: string | undefined): boolean => {
    if (sub.returned === 'always') return true;
    const { name } = pathOf(extension, attribute, sub);
    if (sub.returned === 'never' || excluded?.whole.has(name) === true) return false;
    if (included?.whole.has(name) === true) return true;
    return sub.returned === 'default' && (included === undefined || isWhole(included, attribute, extension));
  };
  /** Sub-attributes to leave out, undefined where the attribute itself is: worked out once, for pages have many. */
  const known = new Map<Attribute, ReadonlySet<string> | undefined>();
  const unwanted = (attribute: Attribute, extension: string | undefined): ReadonlySet<string> | undefined => {
    if (known.has(attribute)) return known.get(attribute);
    const subs = [...attribute.subAttributes.values()].filter((sub) => !isSubWanted(attribute, sub, extension));
    const names = isWanted(attribute, extension) ? new Set(subs.map(({ name }) => name)) : undefined;
    known.set(attribute, names);
    return names;
  };
  const pick = (object: ScimObject, attributeOf: (name: string) => Attribute | undefined, extension?: string) => {
    const picked: Record<string, ScimValue> = {};
    for (const [name, value] of Object.entries(object)) {
      const attribute = attributeOf(name);
      const without = attribute === undefined ? undefined : unwanted(attribute, extension);
      const kept = without === undefined || without.size === 0 ? without && value : withoutSubs(value, without);
      if (kept !== undefined) picked[name] = kept;
    }
    return picked;
  };

  return {
    has: (name) => {
      const path = resolveAttribute(type, name);
      if (path === undefined || !isWanted(path.attribute, path.extension)) return false;
      return path.sub === undefined || isSubWanted(path.attribute, path.sub, path.extension);
    },
    apply: (resource) => {
      const picked = pick(resource, (name) => type.attributes.get(name.toLowerCase()));
      for (const { id, attributes } of type.extensions) {
        const held = resource[id];
        if (!isObject(held)) continue;
        const inner = pick(held, (name) => attributes.get(name.toLowerCase()), id);
        if (Object.keys(inner).length > 0) picked[id] = inner;
      }
      return picked;
    },
  };
}

function isWhole(names: Names | undefined, attribute: Attribute, extension: string | undefined): boolean {
  if (names === undefined) return false;
  return names.whole.has(pathOf(extension, attribute).name) || (extension !== undefined && names.whole.has(extension));
}

function withoutSubs(value: ScimValue, unwanted: ReadonlySet<string>): ScimValue | undefined {
  if (isList(value)) {
    const values = value.flatMap((one) => withoutSubs(one, unwanted) ?? []);
    return values.length === 0 ? undefined : values;
  }
  if (!isObject(value)) return value;
  const entries = Object.entries(value);
  const kept = entries.filter(([name]) => !unwanted.has(name));
  if (kept.length === entries.length) return value;
  return kept.length === 0 ? undefined : Object.fromEntries(kept);
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
