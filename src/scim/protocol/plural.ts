import type { Attribute, ScimObject, ScimValue } from './attribute.ts';
import { ScimError } from './error.ts';
import { comparable, type Test } from './evaluate.ts';
import type { Filter } from './filter.ts';
import { invalid, isHollow, MAX_VALUES, ordered, put, readSimple } from './value.ts';

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

/**
 * Whether a value has all that one of `named` has, by the case rules of the schema. `spend` is told how many are
 * compared with a value.
 */
export function fitsOneOf(attribute: Attribute, named: readonly ScimObject[], spend: (steps: number) => void): Test {
  // By `value`, so that to name many of many is no work.
  const byValue = new Map<SubValue, Named[]>();
  const withoutValue: Named[] = [];
  for (const one of named) {
    const key = subValue(attribute, 'value', one);
    const all = Object.keys(one).map((name) => [name, subValue(attribute, name, one)] as const);
    const known = key === undefined ? withoutValue : byValue.get(key);
    if (known === undefined) byValue.set(key, [all]);
    else known.push(all);
  }
  const fitsAny = (value: ScimObject, candidates: readonly Named[]): boolean => {
    spend(candidates.length);
    return candidates.some((one) => one.every(([name, wanted]) => subValue(attribute, name, value) === wanted));
  };
  return (value) => {
    const sameValue = byValue.size === 0 ? undefined : byValue.get(subValue(attribute, 'value', value));
    return (sameValue !== undefined && fitsAny(value, sameValue)) || fitsAny(value, withoutValue);
  };
}

/** Sub-attributes of a value, as they are compared. */
type Named = readonly (readonly [name: string, SubValue])[];

type SubValue = string | number | boolean | undefined;

function subValue(attribute: Attribute, name: string, value: ScimObject): SubValue {
  const sub = attribute.subAttributes.get(name.toLowerCase());
  const own = value[name];
  return sub === undefined || own === undefined ? undefined : comparable(sub, own);
}

/**
 * The value that a filter describes, for `add emails[type eq "work"].value` where there is none (Entra ID). Undefined
 * when the filter is more than equalities joined by `and`.
 */
export function describedBy(attribute: Attribute, filter: Filter, name: string): ScimObject | undefined {
  const parts = filter.kind === 'and' ? filter.operands : [filter];
  const described: Record<string, ScimValue> = {};
  for (const part of parts) {
    if (part.kind !== 'compare' || part.operator !== 'eq') return undefined;
    const sub = part.path.attribute;
    if (sub.mutability === 'readOnly') return undefined;
    put(described, sub.name, readSimple(sub, part.value, name));
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
