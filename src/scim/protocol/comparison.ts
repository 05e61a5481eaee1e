import type { AttributePath } from './attribute-path.ts';
import { pathOf } from './attribute-path.ts';
import { instantOf } from './date-time.ts';
import type { Filter, Operator } from './filter.ts';

export type Literal = string | number | boolean | null;

const OPERATORS: ReadonlySet<string> = new Set<Operator>(['eq', 'ne', 'co', 'sw', 'ew', 'gt', 'ge', 'lt', 'le']);
const WITHIN_TEXT: ReadonlySet<Operator> = new Set(['co', 'sw', 'ew']);

export function isOperator(word: string): word is Operator {
  return OPERATORS.has(word);
}

/** `attribute operator literal` by the type of the attribute, or in words why there is no such comparison. */
export function compare(path: AttributePath, operator: Operator, literal: Literal): Filter | string {
  if (literal === null) return compareWithNull(path, operator);
  const simple = simplePath(path);
  if (simple === undefined) return 'a complex attribute is compared by its sub-attributes';
  const value = literalFor(simple, operator, literal);
  return typeof value === 'object' ? value.why : { kind: 'compare', path: simple, operator, value };
}

/** RFC 7644 §3.4.2.2 compares with null what has no value. */
function compareWithNull(path: AttributePath, operator: Operator): Filter | string {
  const present: Filter = { kind: 'present', path };
  if (operator === 'ne') return present;
  return operator === 'eq' ? { kind: 'not', operand: present } : 'null is compared by eq and ne';
}

/** `emails` stands for `emails.value` (RFC 7644 §3.4.2.2). */
function simplePath(path: AttributePath): AttributePath | undefined {
  const { extension, attribute, sub } = path;
  if ((sub ?? attribute).type !== 'complex') return path;
  const value = attribute.subAttributes.get('value');
  return value === undefined ? undefined : pathOf(extension, attribute, value);
}

function literalFor(
  path: AttributePath,
  operator: Operator,
  literal: string | number | boolean,
): string | number | boolean | { readonly why: string } {
  const { type } = path.sub ?? path.attribute;
  switch (type) {
    case 'boolean': {
      const truth = typeof literal === 'string' ? truthOf(literal) : literal;
      if (operator !== 'eq' && operator !== 'ne') return { why: `booleans are not compared by ${operator}` };
      return typeof truth === 'boolean' ? truth : { why: 'the attribute is a boolean' };
    }
    case 'integer':
    case 'decimal':
      if (WITHIN_TEXT.has(operator)) return { why: `numbers are not compared by ${operator}` };
      return typeof literal === 'number' ? literal : { why: 'the attribute is a number' };
    case 'dateTime':
      if (WITHIN_TEXT.has(operator)) return { why: `times are not compared by ${operator}` };
      if (typeof literal === 'string' && instantOf(literal) !== undefined) return literal;
      return { why: 'the attribute is a time' };
    default:
      if (type === 'binary' && !WITHIN_TEXT.has(operator) && operator !== 'eq' && operator !== 'ne') {
        return { why: `binaries are not compared by ${operator}` };
      }
      return typeof literal === 'string' ? literal : { why: 'the attribute is a text, which stands in quotes' };
  }
}

/** Entra writes booleans as texts. */
export function truthOf(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === 'true' ? true : lower === 'false' ? false : undefined;
}
