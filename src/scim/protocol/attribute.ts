export type AttributeType =
  | 'string'
  | 'boolean'
  | 'decimal'
  | 'integer'
  | 'dateTime'
  | 'reference'
  | 'binary'
  | 'complex';
export type Mutability = 'readOnly' | 'readWrite' | 'immutable' | 'writeOnly';
export type Returned = 'always' | 'never' | 'default' | 'request';
export type Uniqueness = 'none' | 'server' | 'global';

/** By lower-case name, in the order of the schema: names are compared without case (RFC 7643 §2.1). */
export type Attributes = ReadonlyMap<string, Attribute>;

/** One attribute as a schema describes it (RFC 7643 §7). */
export interface Attribute {
  /** As it is written in answers. */
  readonly name: string;
  readonly description: string;
  readonly type: AttributeType;
  readonly multiValued: boolean;
  readonly required: boolean;
  readonly caseExact: boolean;
  readonly mutability: Mutability;
  readonly returned: Returned;
  readonly uniqueness: Uniqueness;
  /** Suggestions for clients; other values are taken too (RFC 7643 §7). */
  readonly canonicalValues?: readonly string[];
  readonly referenceTypes?: readonly string[];
  /** Empty unless `type` is complex. */
  readonly subAttributes: Attributes;
  /** Longest value in characters. Ours: not served. */
  readonly maxLength: number;
}

export interface Schema {
  /** Its URN. */
  readonly id: string;
  readonly name: string;
  readonly description: string;
  readonly attributes: Attributes;
}

/** A value in normal form: names as the schema writes them, `null` and unknown names gone. */
export type ScimValue = string | number | boolean | ScimObject | readonly ScimValue[];
/** Keys come from the schema table alone, those of an extension under its URN. */
export interface ScimObject {
  readonly [name: string]: ScimValue;
}

type Options = Partial<Omit<Attribute, 'name' | 'description' | 'subAttributes'>> & {
  readonly subAttributes?: readonly Attribute[];
};

/** Longest text that is kept in an index or compared as a key, in characters. */
export const MAX_KEY_CHARACTERS = 256;
const MAX_TEXT_CHARACTERS = 4_096;
/** Certificates and pictures as data URIs. */
const MAX_BLOB_CHARACTERS = 65_536;

/** Defaults of RFC 7643 §2.2; references and binaries are case exact. */
export function attribute(name: string, description: string, options: Options = {}): Attribute {
  const type = options.type ?? 'string';
  const isBlob = type === 'reference' || type === 'binary';
  return {
    name,
    description,
    type,
    multiValued: false,
    required: false,
    caseExact: isBlob,
    mutability: 'readWrite',
    returned: 'default',
    uniqueness: 'none',
    maxLength: isBlob ? MAX_BLOB_CHARACTERS : MAX_TEXT_CHARACTERS,
    ...options,
    subAttributes: byName(options.subAttributes ?? []),
  };
}

export function byName(attributes: readonly Attribute[]): Attributes {
  return new Map(attributes.map((one) => [one.name.toLowerCase(), one]));
}

export function isList(value: ScimValue | undefined): value is readonly ScimValue[] {
  return Array.isArray(value);
}

export function isObject(value: ScimValue | undefined): value is ScimObject {
  return typeof value === 'object' && !Array.isArray(value);
}

/** One value or several, as a list. */
export function listOf(value: ScimValue | undefined): readonly ScimValue[] {
  if (value === undefined) return [];
  return isList(value) ? value : [value];
}
