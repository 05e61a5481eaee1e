import { type Attribute, type Attributes, isList, isObject, type ScimObject, type ScimValue } from './attribute.ts';
import { pathOf, resolveAttribute, resolveName } from './attribute-path.ts';
import { ScimError } from './error.ts';
import type { ResourceType } from './resource-types.ts';
import { put } from './value.ts';

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
  if (included !== undefined || excluded !== undefined) return projectionOf(type, new Choice(included, excluded));
  const usual = USUAL.get(type) ?? projectionOf(type, new Choice(undefined, undefined));
  USUAL.set(type, usual);
  return usual;
}

/** What is returned where nothing is named: worked out once, for nearly all requests have it. */
const USUAL = new WeakMap<ResourceType, Projection>();

function projectionOf(type: ResourceType, choice: Choice): Projection {
  return {
    has: (name) => {
      const path = resolveAttribute(type, name);
      if (path === undefined) return false;
      const { attribute, sub, extension } = path;
      return choice.has(attribute, extension) && (sub === undefined || choice.hasSub(attribute, sub, extension));
    },
    apply: (resource) => {
      const picked = choice.of(resource, type.attributes);
      for (const { id, attributes } of type.extensions) {
        const held = resource[id];
        const inner = isObject(held) ? choice.of(held, attributes, id) : {};
        if (Object.keys(inner).length > 0) picked[id] = inner;
      }
      return picked;
    },
  };
}

/** What is named, and what is returned without being named. */
class Choice {
  readonly #included: Names | undefined;
  readonly #excluded: Names | undefined;
  /** Sub-attributes to leave out, undefined where the attribute itself is: worked out once, for pages have many. */
  readonly #leftOut = new Map<Attribute, ReadonlySet<string> | undefined>();

  constructor(included: Names | undefined, excluded: Names | undefined) {
    this.#included = included;
    this.#excluded = excluded;
  }

  has(attribute: Attribute, extension: string | undefined): boolean {
    if (attribute.returned === 'always') return true;
    if (attribute.returned === 'never' || isWhole(this.#excluded, attribute, extension)) return false;
    if (this.#included === undefined) return attribute.returned === 'default';
    const { name } = pathOf(extension, attribute);
    return isWhole(this.#included, attribute, extension) || this.#included.partly.has(name);
  }

  hasSub(attribute: Attribute, sub: Attribute, extension: string | undefined): boolean {
    if (sub.returned === 'always') return true;
    const { name } = pathOf(extension, attribute, sub);
    if (sub.returned === 'never' || this.#excluded?.whole.has(name) === true) return false;
    if (this.#included?.whole.has(name) === true) return true;
    const isAll = this.#included === undefined || isWhole(this.#included, attribute, extension);
    return sub.returned === 'default' && isAll;
  }

  /** Of a resource, or of what it has of an extension, those that are wanted. */
  of(object: ScimObject, attributes: Attributes, extension?: string): Record<string, ScimValue> {
    const picked: Record<string, ScimValue> = {};
    for (const [name, value] of Object.entries(object)) {
      const attribute = attributes.get(name.toLowerCase());
      const leftOut = attribute === undefined ? undefined : this.#subsLeftOut(attribute, extension);
      if (leftOut !== undefined) put(picked, name, leftOut.size === 0 ? value : withoutSubs(value, leftOut));
    }
    return picked;
  }

  #subsLeftOut(attribute: Attribute, extension: string | undefined): ReadonlySet<string> | undefined {
    if (this.#leftOut.has(attribute)) return this.#leftOut.get(attribute);
    const subs = [...attribute.subAttributes.values()].filter((sub) => !this.hasSub(attribute, sub, extension));
    const names = this.has(attribute, extension) ? new Set(subs.map(({ name }) => name)) : undefined;
    this.#leftOut.set(attribute, names);
    return names;
  }
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
