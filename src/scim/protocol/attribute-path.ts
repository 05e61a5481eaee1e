import type { Attribute, Attributes } from './attribute.ts';
import { type ResourceType, resourceTypes } from './resource-types.ts';

/** An attribute of a resource, or a sub-attribute of it. */
export interface AttributePath {
  /** URN of the extension that has it; undefined: the core schema, or every resource has it. */
  readonly extension: string | undefined;
  readonly attribute: Attribute;
  readonly sub: Attribute | undefined;
  /** As the schema writes it: `userName`, `emails.value`, `urn:…:enterprise:2.0:User:manager.value`. */
  readonly name: string;
}

/** What a name stands for: a whole schema, or an attribute in it. */
export type Named =
  | { readonly kind: 'schema'; readonly extension: string | undefined }
  | { readonly kind: 'attribute'; readonly path: AttributePath };

/**
 * Reads `attr`, `attr.sub`, `URN:attr`, `URN:attr.sub` and `URN` without case (RFC 7644 §3.10). A name without a URN
 * that only an extension has is that one's: Entra ID writes `manager`. Undefined: this type of resource has nothing of
 * that name.
 */
export function resolveName(type: ResourceType, name: string): Named | undefined {
  const lower = name.toLowerCase();
  if (!lower.startsWith('urn:'))
    return resolveIn(type.attributes, undefined, lower) ?? resolveInExtensions(type, lower);
  for (const schema of [type.schema, ...type.extensions]) {
    const urn = schema.id.toLowerCase();
    const extension = schema === type.schema ? undefined : schema.id;
    if (lower === urn) return { kind: 'schema', extension };
    if (lower.startsWith(`${urn}:`)) {
      const attributes = extension === undefined ? type.attributes : schema.attributes;
      return resolveIn(attributes, extension, lower.slice(urn.length + 1));
    }
  }
  return undefined;
}

/** The same for a name that has to be that of an attribute. */
export function resolveAttribute(type: ResourceType, name: string): AttributePath | undefined {
  const named = resolveName(type, name);
  return named?.kind === 'attribute' ? named.path : undefined;
}

/** Whether any type of resource has an attribute of that name. */
export function isKnownName(name: string): boolean {
  return resourceTypes.some((type) => resolveAttribute(type, name) !== undefined);
}

/** The path of a sub-attribute within one value of a complex attribute. */
export function subPath(sub: Attribute): AttributePath {
  return { extension: undefined, attribute: sub, sub: undefined, name: sub.name };
}

function resolveInExtensions(type: ResourceType, lower: string): Named | undefined {
  for (const { id, attributes } of type.extensions) {
    const named = resolveIn(attributes, id, lower);
    if (named !== undefined) return named;
  }
  return undefined;
}

function resolveIn(attributes: Attributes, extension: string | undefined, lower: string): Named | undefined {
  const dot = lower.indexOf('.');
  const attribute = attributes.get(dot < 0 ? lower : lower.slice(0, dot));
  if (attribute === undefined) return undefined;
  const sub = dot < 0 ? undefined : attribute.subAttributes.get(lower.slice(dot + 1));
  if (dot >= 0 && sub === undefined) return undefined;
  return { kind: 'attribute', path: pathOf(extension, attribute, sub) };
}

export function pathOf(extension: string | undefined, attribute: Attribute, sub?: Attribute): AttributePath {
  const prefix = extension === undefined ? '' : `${extension}:`;
  const suffix = sub === undefined ? '' : `.${sub.name}`;
  return { extension, attribute, sub, name: `${prefix}${attribute.name}${suffix}` };
}
