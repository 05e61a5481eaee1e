import type { Attribute, ScimObject, ScimValue } from './attribute.ts';
import { ScimError } from './error.ts';
import { comparable, type Test } from './evaluate.ts';
import type { Filter } from './filter.ts';
import { invalid, isHollow, MAX_VALUES, ordered, put } from './value.ts';

/*
 * Multi-valued attributes, always as new lists. At most one value is primary: one that comes takes it from the others
 * (RFC 7644 §3.5.2).
 */

/** Those before and then the new ones; a value that is there already is not added again (RFC 7644 §3.5.2.1). */
export function addValues(before: readonly ScimObject[], added: readonly ScimObject[], name: string): ScimObject[] {
  const known = new Set(before.map(keyOf));
  const fresh = added.filter((value) => !known.has(keyOf(value)) && known.add(keyOf(value)));
  return withOnePrimary([...before, ...fresh], new Set(added.map(keyOf)), name);
}

/** Gives `change` to every value that fits; undefined takes the value away. */
export function changeValues(
  before: readonly ScimObject[],
  fits: Test,
  change: (value: ScimObject) => ScimObject | undefined,
  name: string,
): ScimObject[] {
  const touched = new Set<string>();
  const after = before.flatMap((value) => {
    if (!fits(value)) return [value];
    const changed = change(value);
    if (changed === undefined || isHollow(changed)) return [];
    if (changed['primary'] === true) touched.add(keyOf(changed));
    return [changed];
  });
  const known = new Set<string>();
  return withOnePrimary(
    after.filter((value) => !known.has(keyOf(value)) && known.add(keyOf(value))),
    touched,
    name,
  );
}

/** Whether a value has all that `named` has, by the case rules of the schema. */
export function hasAllOf(attribute: Attribute, named: ScimObject): Test {
  const wanted = Object.entries(named).flatMap(([name, value]) => {
    const sub = attribute.subAttributes.get(name.toLowerCase());
    return sub === undefined ? [] : [{ sub, value: comparable(sub, value) }];
  });
  return (one) =>
    wanted.every(({ sub, value }) => {
      const own = one[sub.name];
      return own !== undefined && comparable(sub, own) === value;
    });
}

/**
 * The value that a filter describes, for `add emails[type eq "work"].value` where there is none (Entra ID). Undefined
 * when the filter is more than equalities joined by `and`.
 */
export function describedBy(attribute: Attribute, filter: Filter): ScimObject | undefined {
  const parts = filter.kind === 'and' ? filter.operands : [filter];
  const described: Record<string, ScimValue> = {};
  for (const part of parts) {
    if (part.kind !== 'compare' || part.operator !== 'eq') return undefined;
    if (part.path.attribute.mutability === 'readOnly') return undefined;
    put(described, part.path.attribute.name, part.value);
  }
  return ordered(attribute, described);
}

/** Of `moved` one may be primary, and then no other is. */
function withOnePrimary(values: readonly ScimObject[], moved: ReadonlySet<string>, name: string): ScimObject[] {
  if (values.length > MAX_VALUES) throw new ScimError('scim_too_large', `${name} has more than ${MAX_VALUES} values`);
  const isMoved = (value: ScimObject): boolean => value['primary'] === true && moved.has(keyOf(value));
  const winners = values.filter(isMoved);
  if (winners.length > 1) throw invalid(name, 'has more than one primary value');
  if (winners.length === 0) return [...values];
  return values.map((value) => (isMoved(value) || value['primary'] !== true ? value : { ...value, primary: false }));
}

/** Values are never written to, so that each is put into words once however many operations look at it. */
const keys = new WeakMap<ScimObject, string>();

function keyOf(value: ScimObject): string {
  const known = keys.get(value);
  if (known !== undefined) return known;
  const key = JSON.stringify(value);
  keys.set(value, key);
  return key;
}
