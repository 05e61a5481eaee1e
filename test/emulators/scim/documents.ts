import { Refusal } from './refusal.ts';
import { type Attribute, attributeNamed, attributesOf, CORE, type Kind, schemasOf } from './schema.ts';

export type Document = Record<string, unknown>;

/**
 * A body as it is kept: attributes spelled as the schema does, without what is read only or unassigned.
 * @throws Refusal 400 for schemas that are missing or unknown, attributes that nobody defined, values of another type
 */
export function cleanDocument(body: unknown, kind: Kind): Document {
  const document = objectOf(body, 'the body');
  const { schemas } = document;
  if (!Array.isArray(schemas) || !schemas.includes(CORE[kind])) {
    throw new Refusal(400, `schemas lacks ${CORE[kind]}`, 'invalidSyntax');
  }
  const unknown = schemas.find((schema) => !schemasOf(kind).includes(schema as string));
  if (unknown !== undefined) throw new Refusal(400, `no schema ${unknown}`, 'invalidSyntax');
  const clean: Document = { schemas: [...new Set(schemas)] };
  const own = attributesOf(CORE[kind]);
  for (const [name, value] of Object.entries(document)) {
    if (name === 'schemas') continue;
    if (schemasOf(kind).slice(1).includes(name)) {
      if (!schemas.includes(name)) throw new Refusal(400, `schemas lacks ${name}`, 'invalidSyntax');
      const inner = cleanMembers(objectOf(value, name), attributesOf(name));
      if (Object.keys(inner).length > 0) clean[name] = inner;
    } else {
      const attribute = attributeNamed(own, name);
      if (attribute === undefined) throw new Refusal(400, `no attribute ${name}`, 'invalidSyntax');
      assign(clean, attribute, value);
    }
  }
  for (const { name, required } of own) {
    if (required && clean[name] === undefined) throw new Refusal(400, `${name} is required`, 'invalidValue');
  }
  return clean;
}

/** Sets a value that fits the attribute, or takes it away. @throws Refusal 400 `invalidValue` */
export function assign(record: Document, attribute: Attribute, value: unknown): void {
  const { name, mutability } = attribute;
  if (mutability === 'readOnly') return;
  const clean = attribute.multiValued ? cleanList(attribute, value) : cleanValue(attribute, value);
  if (clean === undefined) delete record[name];
  else record[name] = clean;
}

function cleanList(attribute: Attribute, value: unknown): readonly unknown[] | undefined {
  if (value === null || value === undefined) return undefined;
  if (!Array.isArray(value)) throw invalid(attribute, 'a list');
  const items = value.map((item) => cleanValue(attribute, item)).filter((item) => item !== undefined);
  if (items.filter((item) => (item as Document)['primary'] === true).length > 1)
    throw invalid(attribute, 'one primary');
  return items.length === 0 ? undefined : items;
}

function cleanValue(attribute: Attribute, value: unknown): unknown {
  if (value === null || value === undefined) return undefined;
  const { type, required } = attribute;
  if (type === 'complex') {
    const inner = cleanMembers(objectOf(value, attribute.name), attribute.subAttributes ?? []);
    return Object.keys(inner).length === 0 ? undefined : inner;
  }
  if (typeof value !== (type === 'boolean' ? 'boolean' : 'string')) throw invalid(attribute, `a ${type}`);
  if (value === '' && required) throw invalid(attribute, 'something');
  return value;
}

function cleanMembers(record: Document, attributes: readonly Attribute[]): Document {
  const clean: Document = {};
  for (const [name, value] of Object.entries(record)) {
    const attribute = attributeNamed(attributes, name);
    if (attribute === undefined) throw new Refusal(400, `no attribute ${name}`, 'invalidSyntax');
    assign(clean, attribute, value);
  }
  return clean;
}

export function objectOf(value: unknown, what: string): Document {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Document;
  throw new Refusal(400, `${what} is no object`, 'invalidSyntax');
}

function invalid({ name }: Attribute, wanted: string): Refusal {
  return new Refusal(400, `${name} must have ${wanted}`, 'invalidValue');
}
