import { isObject, listOf, type ScimObject, type ScimValue } from './attribute.ts';
import { type AttributePath, isKnownName, pathOf, resolveAttribute } from './attribute-path.ts';
import { ScimError } from './error.ts';
import { comparable } from './evaluate.ts';
import type { ResourceType } from './resource-types.ts';

/** RFC 7644 §3.4.2.3. */
export interface Sort {
  /** Never complex: `emails` stands for `emails.value`. */
  readonly path: AttributePath;
  readonly descending: boolean;
}

/** Undefined: no order is asked for. Throws ScimError. */
export function readSort(type: ResourceType, sortBy: unknown, sortOrder: unknown): Sort | undefined {
  if (sortBy === undefined || sortBy === null || sortBy === '') return undefined;
  const named = typeof sortBy === 'string' ? resolveAttribute(type, sortBy) : undefined;
  // A search over all types sorts those that have the attribute.
  if (named === undefined && typeof sortBy === 'string' && isKnownName(sortBy)) return undefined;
  if (named === undefined) throw new ScimError('scim_path_invalid', 'sortBy names no attribute');
  const { extension, attribute, sub } = named;
  const value = attribute.subAttributes.get('value');
  const path = attribute.type === 'complex' && sub === undefined && value ? pathOf(extension, attribute, value) : named;
  const last = path.sub ?? path.attribute;
  if (last.type === 'complex' || last.returned === 'never') {
    throw new ScimError('scim_path_invalid', 'sortBy names what has no order');
  }
  const order = typeof sortOrder === 'string' ? sortOrder.toLowerCase() : (sortOrder ?? 'ascending');
  if (order !== 'ascending' && order !== 'descending' && order !== '') {
    throw new ScimError('scim_value_invalid', 'sortOrder is neither ascending nor descending');
  }
  return { path, descending: order === 'descending' };
}

/** No more of a resource than it is sorted by: a group may have ten thousand members. */
export function sortedPart({ path: { extension, attribute } }: Sort, resource: ScimObject): ScimObject {
  const id = resource['id'] ?? '';
  const chosen = chosenValue({ extension, attribute }, resource);
  if (chosen === undefined) return { id };
  const part = { [attribute.name]: chosen };
  return extension === undefined ? { id, ...part } : { id, [extension]: part };
}

/** Of several values the primary one, else the first. */
function chosenValue(
  { extension, attribute }: Pick<AttributePath, 'extension' | 'attribute'>,
  resource: ScimObject,
): ScimValue | undefined {
  const holder = extension === undefined ? resource : resource[extension];
  const values = isObject(holder) ? listOf(holder[attribute.name]) : [];
  return values.find((value) => isObject(value) && value['primary'] === true) ?? values[0];
}

/** By what a resource is sorted. Undefined: it has nothing of the kind. */
function sortKey(path: AttributePath, resource: ScimObject): SortKey | undefined {
  const { attribute, sub } = path;
  const chosen = chosenValue(path, resource);
  const value: ScimValue | undefined = sub === undefined ? chosen : isObject(chosen) ? chosen[sub.name] : undefined;
  return value === undefined ? undefined : comparable(sub ?? attribute, value);
}

export type SortKey = string | number | boolean;

/**
 * Orders resources for `sort`: code unit by code unit, those without a value last when ascending and first when
 * descending (RFC 7644 §3.4.2.3), equal ones by id, so that pages do not overlap.
 */
export function resourceOrder({ path, descending }: Sort): (one: ScimObject, other: ScimObject) => number {
  return (one, other) => {
    const order = keyOrder(sortKey(path, one), sortKey(path, other));
    if (order !== 0) return descending ? -order : order;
    return keyOrder(String(one['id']), String(other['id']));
  };
}

function keyOrder(one: SortKey | undefined, other: SortKey | undefined): number {
  if (one === other) return 0;
  if (one === undefined) return 1;
  if (other === undefined) return -1;
  return one < other ? -1 : 1;
}
