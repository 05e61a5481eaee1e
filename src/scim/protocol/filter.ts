import type { AttributePath } from './attribute-path.ts';

export type Operator = 'eq' | 'ne' | 'co' | 'sw' | 'ew' | 'gt' | 'ge' | 'lt' | 'le';

/** `and` and `or` have two operands or more, in the order of the text. */
export type Filter =
  | { readonly kind: 'and' | 'or'; readonly operands: readonly Filter[] }
  | { readonly kind: 'not'; readonly operand: Filter }
  | Comparison
  | { readonly kind: 'present'; readonly path: AttributePath }
  /** `emails[type eq "work"]`: one value fits the whole of `filter`, whose paths are those of sub-attributes. */
  | { readonly kind: 'values'; readonly path: AttributePath; readonly filter: Filter }
  /** An attribute that only another type of resource has: it has no value here (RFC 7644 §3.4.2.2). */
  | { readonly kind: 'constant'; readonly value: boolean };

export interface Comparison {
  readonly kind: 'compare';
  /** Never complex: `emails` stands for `emails.value`. */
  readonly path: AttributePath;
  readonly operator: Operator;
  /** Of the type of the attribute. `eq null` and `ne null` are `not present` and `present`. */
  readonly value: string | number | boolean;
}

/** How values of attributes that are not case exact are compared, in memory and in an index. */
export function foldCase(text: string): string {
  return text.toLowerCase();
}

/** How many comparisons a filter makes of one resource at most. */
export function termsOf(filter: Filter): number {
  switch (filter.kind) {
    case 'and':
    case 'or':
      return filter.operands.reduce((sum, one) => sum + termsOf(one), 0);
    case 'not':
      return termsOf(filter.operand);
    case 'values':
      return termsOf(filter.filter);
    default:
      return 1;
  }
}

/** Names of the attributes of a resource that a filter looks at: `userName`, `members`, the URN of an extension. */
export function attributesOf(filter: Filter): ReadonlySet<string> {
  const names = new Set<string>();
  const walk = (one: Filter): void => {
    switch (one.kind) {
      case 'and':
      case 'or':
        one.operands.forEach(walk);
        break;
      case 'not':
        walk(one.operand);
        break;
      case 'compare':
      case 'present':
      case 'values':
        names.add(one.path.extension ?? one.path.attribute.name);
    }
  };
  walk(filter);
  return names;
}
