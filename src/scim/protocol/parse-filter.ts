import type { Attribute } from './attribute.ts';
import { type AttributePath, isKnownName, resolveAttribute, subPath } from './attribute-path.ts';
import { isUnclean } from './clean-text.ts';
import { compare, isOperator, type Literal, truthOf } from './comparison.ts';
import { ScimError } from './error.ts';
import type { Filter } from './filter.ts';
import type { ResourceType } from './resource-types.ts';
import { Scanner } from './scanner.ts';

export const MAX_FILTER_CHARACTERS = 16_384;
/** Comparisons and presences in one filter. */
export const MAX_FILTER_TERMS = 500;
/** Parentheses and brackets in each other. */
export const MAX_FILTER_DEPTH = 30;

/** Reads a filter (RFC 7644 §3.4.2.2) in time linear in its length. Throws ScimError `scim_filter_invalid`. */
export function parseFilter(type: ResourceType, text: string): Filter {
  if (text.length > MAX_FILTER_CHARACTERS) {
    throw new ScimError('scim_filter_invalid', `the filter is longer than ${MAX_FILTER_CHARACTERS} characters`);
  }
  const scanner = new Scanner(text, 'filter');
  const filter = new FilterParser(scanner).disjunction({ kind: 'resource', type });
  if (!scanner.isAtEnd) throw scanner.failure('the filter should end here', 'scim_filter_invalid');
  return filter;
}

/** Reads what stands between the brackets of a path; the scanner stays before `]`. Throws ScimError. */
export function parseValueFilter(scanner: Scanner, attribute: Attribute): Filter {
  return new FilterParser(scanner).disjunction({ kind: 'value', attribute });
}

/** What the names in a filter, or in brackets, are names of. */
type Scope =
  | { readonly kind: 'resource'; readonly type: ResourceType }
  | { readonly kind: 'value'; readonly attribute: Attribute };

class FilterParser {
  readonly #scanner: Scanner;
  #terms = 0;
  #depth = 0;

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  /** `or` binds less than `and` (RFC 7644 §3.4.2.2). */
  disjunction(scope: Scope): Filter {
    return this.#joined('or', () => this.#joined('and', () => this.#term(scope)));
  }

  #joined(kind: 'and' | 'or', part: () => Filter): Filter {
    const first = part();
    const operands = [first];
    while (this.#scanner.peekWord().toLowerCase() === kind) {
      this.#scanner.word();
      operands.push(part());
    }
    return operands.length === 1 ? first : { kind, operands };
  }

  /** Ends behind the blanks that follow the term. */
  #term(scope: Scope): Filter {
    const scanner = this.#scanner;
    scanner.skipBlanks();
    const word = scanner.word();
    if (word.toLowerCase() === 'not') {
      scanner.skipBlanks();
      if (!scanner.isNext('(')) throw this.#failure('"not" is followed by "("');
      return { kind: 'not', operand: this.#group(scope) };
    }
    if (word === '') {
      if (!scanner.isNext('(')) throw this.#failure('the name of an attribute is missing');
      return this.#group(scope);
    }
    if (++this.#terms > MAX_FILTER_TERMS) throw this.#failure(`more than ${MAX_FILTER_TERMS} comparisons`);
    const filter = this.#about(scope, word);
    const blanks = scanner.skipBlanks();
    if (!blanks && scanner.peekWord() !== '') throw this.#failure('a blank is missing');
    return filter;
  }

  #group(scope: Scope): Filter {
    const filter = this.#nested('(', scope);
    this.#scanner.skipBlanks();
    return filter;
  }

  #nested(opening: '(' | '[', scope: Scope): Filter {
    if (++this.#depth > MAX_FILTER_DEPTH) throw this.#failure(`more than ${MAX_FILTER_DEPTH} levels`);
    this.#scanner.expect(opening);
    const filter = this.disjunction(scope);
    if (!this.#scanner.skip(opening === '(' ? ')' : ']')) throw this.#failure('a parenthesis or bracket is not closed');
    this.#depth--;
    return filter;
  }

  #about(scope: Scope, name: string): Filter {
    const path = this.#resolve(scope, name);
    if (!this.#scanner.isNext('[')) return this.#comparison(path);
    if (path === undefined) throw this.#failure('this type of resource has no such attribute');
    if (scope.kind === 'value' || path.sub !== undefined || path.attribute.type !== 'complex') {
      throw this.#failure('only a complex attribute is followed by "["');
    }
    const inner: Scope = { kind: 'value', attribute: path.attribute };
    const filter = this.#nested('[', inner);
    if (!this.#scanner.skip('.')) return { kind: 'values', path, filter };
    // Entra ID looks people up so; in the RFC it is a path of a PATCH only.
    const further = this.#comparison(this.#resolve(inner, this.#scanner.word()));
    return { kind: 'values', path, filter: { kind: 'and', operands: [filter, further] } };
  }

  /** Undefined: only another type of resource has it. */
  #resolve(scope: Scope, name: string): AttributePath | undefined {
    const path = scope.kind === 'resource' ? resolveAttribute(scope.type, name) : subOf(scope.attribute, name);
    if (path === undefined && (scope.kind === 'value' || !isKnownName(name))) {
      throw this.#failure('no schema has an attribute of this name');
    }
    if ((path?.sub ?? path?.attribute)?.returned === 'never') throw this.#failure('nothing is found by this attribute');
    return path;
  }

  #comparison(path: AttributePath | undefined): Filter {
    const scanner = this.#scanner;
    if (!scanner.skipBlanks()) throw this.#failure('an operator is missing');
    const operator = scanner.word().toLowerCase();
    if (operator === 'pr') return path === undefined ? { kind: 'constant', value: false } : { kind: 'present', path };
    if (!isOperator(operator)) throw this.#failure('there is no such operator');
    if (!scanner.skipBlanks()) throw this.#failure('a value is missing');
    const literal = this.#literal();
    if (path === undefined) return { kind: 'constant', value: (operator === 'ne') !== (literal === null) };
    const comparison = compare(path, operator, literal);
    if (typeof comparison === 'string') throw this.#failure(comparison);
    return comparison;
  }

  #literal(): Literal {
    const scanner = this.#scanner;
    if (scanner.isNext('"')) {
      const text = scanner.quoted();
      // No value is so, and not every database can be asked for it.
      if (isUnclean(text)) throw this.#failure('the text holds a control character or half a surrogate pair');
      return text;
    }
    const number = scanner.number();
    if (number !== undefined) return number;
    const word = scanner.word();
    const value = word.toLowerCase() === 'null' ? null : truthOf(word);
    if (value === undefined) throw this.#failure('a value is a text in quotes, a number, true, false or null');
    return value;
  }

  #failure(why: string): ScimError {
    return this.#scanner.failure(why, 'scim_filter_invalid');
  }
}

function subOf(attribute: Attribute, name: string): AttributePath | undefined {
  const sub = attribute.subAttributes.get(name.toLowerCase());
  return sub === undefined ? undefined : subPath(sub);
}
