import { assign, type Document, objectOf } from './documents.ts';
import { listOf, type Path, parsePath } from './paths.ts';
import { Refusal } from './refusal.ts';
import { attributesOf, CORE, type Kind, schemasOf } from './schema.ts';

const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** The resource after the operations (RFC 7644 §3.5.2); the one that was given stays. @throws Refusal 400 */
export function patched(resource: Document, body: unknown, kind: Kind): Document {
  const { schemas, Operations: operations } = objectOf(body, 'the body');
  if (!Array.isArray(schemas) || !schemas.includes(PATCH_OP)) {
    throw new Refusal(400, `schemas lacks ${PATCH_OP}`, 'invalidSyntax');
  }
  if (!Array.isArray(operations) || operations.length === 0) {
    throw new Refusal(400, 'there are no Operations', 'invalidSyntax');
  }
  const after = structuredClone(resource);
  for (const operation of operations) perform(after, objectOf(operation, 'an operation'), kind);
  for (const schema of schemasOf(kind).slice(1)) {
    if (Object.keys((after[schema] ?? {}) as Document).length === 0) delete after[schema];
  }
  return after;
}

function perform(resource: Document, { op, path, value }: Document, kind: Kind): void {
  if (op !== 'add' && op !== 'replace' && op !== 'remove') throw new Refusal(400, `no op ${op}`, 'invalidSyntax');
  if (path !== undefined && typeof path !== 'string') throw new Refusal(400, 'path is no text', 'invalidPath');
  if (op === 'remove') {
    if (path === undefined) throw new Refusal(400, 'remove needs a path', 'noTarget');
    remove(resource, parsePath(path, kind));
    return;
  }
  if (value === undefined) throw new Refusal(400, `${op} needs a value`, 'invalidValue');
  if (path !== undefined) {
    write(resource, parsePath(path, kind), value, op);
    return;
  }
  for (const [name, inner] of Object.entries(objectOf(value, 'the value'))) {
    if (!schemasOf(kind).includes(name)) write(resource, parsePath(name, kind), inner, op);
    else {
      for (const [member, one] of Object.entries(objectOf(inner, name))) {
        write(resource, parsePath(`${name}:${member}`, kind), one, op);
      }
    }
  }
}

function refuseReadOnly({ attribute, sub }: Path): void {
  const place = sub ?? attribute;
  if (attribute.mutability !== 'readOnly' && place.mutability !== 'readOnly') return;
  throw new Refusal(400, `${place.name} is read only`, 'mutability');
}

/** Where an attribute stands: in the resource or in its extension, which is made. */
function holderOf(resource: Document, { extension }: Path): Document {
  if (extension === undefined) return resource;
  const holder = (resource[extension] ?? {}) as Document;
  resource[extension] = holder;
  const schemas = resource['schemas'] as string[];
  if (!schemas.includes(extension)) schemas.push(extension);
  return holder;
}

function write(resource: Document, path: Path, value: unknown, op: 'add' | 'replace'): void {
  refuseReadOnly(path);
  const { attribute, filter, sub } = path;
  const holder = holderOf(resource, path);
  const before = holder[attribute.name];
  if (filter !== undefined) {
    const items = listOf(before) as Document[];
    const chosen = items.filter((item) => filter(item));
    if (chosen.length === 0) throw new Refusal(400, 'no value fits the path', 'noTarget');
    for (const item of chosen) {
      if (sub !== undefined) assign(item, sub, value);
      else Object.assign(item, objectOf(value, attribute.name));
    }
    assign(holder, attribute, items);
  } else if (sub !== undefined) {
    if (attribute.multiValued) throw new Refusal(400, `${attribute.name} has several values`, 'invalidPath');
    const inner = { ...((before ?? {}) as Document) };
    assign(inner, sub, value);
    assign(holder, attribute, inner);
  } else if (attribute.multiValued && op === 'add') {
    const added = Array.isArray(value) ? value : [value];
    assign(holder, attribute, unique([...listOf(before), ...added]));
  } else if (attribute.type === 'complex' && !attribute.multiValued) {
    assign(holder, attribute, { ...((before ?? {}) as Document), ...objectOf(value, attribute.name) });
  } else {
    assign(holder, attribute, value);
  }
}

/** What is there already is not added again. */
function unique(items: readonly unknown[]): readonly unknown[] {
  return [...new Map(items.map((item) => [String((item as Document)['value']), item])).values()];
}

function remove(resource: Document, path: Path): void {
  refuseReadOnly(path);
  const { attribute, filter, sub } = path;
  if (attribute.required) throw new Refusal(400, `${attribute.name} is required`, 'invalidValue');
  const holder = holderOf(resource, path);
  const before = holder[attribute.name];
  if (filter !== undefined) {
    const items = listOf(before) as Document[];
    if (!items.some((item) => filter(item))) throw new Refusal(400, 'no value fits the path', 'noTarget');
    if (sub === undefined)
      assign(
        holder,
        attribute,
        items.filter((item) => !filter(item)),
      );
    else for (const item of items) if (filter(item)) delete item[sub.name];
  } else if (sub !== undefined) {
    const inner = { ...((before ?? {}) as Document) };
    delete inner[sub.name];
    assign(holder, attribute, inner);
  } else {
    delete holder[attribute.name];
  }
}

/** Attributes whose loss would leave the resource none of its kind. @throws Refusal 400 `invalidValue` */
export function refuseLacking(resource: Document, kind: Kind): void {
  for (const { name, required } of attributesOf(CORE[kind])) {
    if (required && resource[name] === undefined) throw new Refusal(400, `${name} is required`, 'invalidValue');
  }
}
