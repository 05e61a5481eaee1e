import { type Attribute, isList, isObject, listOf, type ScimObject, type ScimValue } from './attribute.ts';
import type { AttributePath } from './attribute-path.ts';
import { instantOf } from './date-time.ts';
import { type Comparison, type Filter, foldCase, type Operator } from './filter.ts';

/** Whether a resource in normal form, or one value of a complex attribute, fits. */
export type Test = (object: ScimObject) => boolean;

/** A filter made ready to be asked of many. */
export function compileFilter(filter: Filter): Test {
  switch (filter.kind) {
    case 'constant':
      return () => filter.value;
    case 'not': {
      const inner = compileFilter(filter.operand);
      return (object) => !inner(object);
    }
    case 'and': {
      const tests = filter.operands.map(compileFilter);
      return (object) => tests.every((test) => test(object));
    }
    case 'or': {
      const tests = filter.operands.map(compileFilter);
      return (object) => tests.some((test) => test(object));
    }
    case 'present':
      return (object) => valuesAt(filter.path, object).some(isPresent);
    case 'values': {
      const test = compileFilter(filter.filter);
      return (object) => valuesAt(filter.path, object).some((value) => isObject(value) && test(value));
    }
    case 'compare':
      return compileComparison(filter);
  }
}

/** What an attribute has: nothing, one value, or several (those of the sub-attribute in all values). */
function valuesAt(path: AttributePath, object: ScimObject): readonly ScimValue[] {
  const holder = path.extension === undefined ? object : object[path.extension];
  if (!isObject(holder)) return [];
  const values = listOf(holder[path.attribute.name]);
  const sub = path.sub?.name;
  if (sub === undefined) return values;
  return values.flatMap((value) => (isObject(value) ? listOf(value[sub]) : []));
}

/** RFC 7644 §3.4.2.2, `pr`: not empty, and a complex one has something in it. */
function isPresent(value: ScimValue): boolean {
  if (isList(value)) return value.some(isPresent);
  return isObject(value) ? Object.values(value).some(isPresent) : value !== '';
}

/** Holds when it holds for one of several values; `ne` also when there is no value. */
function compileComparison({ path, operator, value }: Comparison): Test {
  const attribute = path.sub ?? path.attribute;
  const wanted = comparable(attribute, value);
  const holds = (one: ScimValue): boolean => {
    const found = comparable(attribute, one);
    return found !== undefined && wanted !== undefined && compareBy(operator, found, wanted);
  };
  return (object) => {
    const values = valuesAt(path, object);
    return values.length === 0 ? operator === 'ne' : values.some(holds);
  };
}

/** A value as it is compared and sorted: texts folded unless case exact, times as milliseconds. */
export function comparable(attribute: Attribute, value: ScimValue): string | number | boolean | undefined {
  if (typeof value !== 'string') return typeof value === 'object' ? undefined : value;
  if (attribute.type === 'dateTime') return instantOf(value);
  return attribute.caseExact ? value : foldCase(value);
}

function compareBy(operator: Operator, found: string | number | boolean, wanted: string | number | boolean): boolean {
  switch (operator) {
    case 'eq':
      return found === wanted;
    case 'ne':
      return found !== wanted;
    case 'gt':
      return found > wanted;
    case 'ge':
      return found >= wanted;
    case 'lt':
      return found < wanted;
    case 'le':
      return found <= wanted;
    case 'co':
      return String(found).includes(String(wanted));
    case 'sw':
      return String(found).startsWith(String(wanted));
    case 'ew':
      return String(found).endsWith(String(wanted));
  }
}
