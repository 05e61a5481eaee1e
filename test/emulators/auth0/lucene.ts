import { Refusal } from './exchange.ts';
import type { User } from './state.ts';

/**
 * The part of the search language (v3) that is understood: `field:"text"`, `field:text`, `field:pre*`, ranges with
 * either bracket, `_exists_:field`, AND, OR, NOT and parentheses. Anything else is refused rather than guessed.
 */
export type Filter = (user: User) => boolean;

interface Lexer {
  readonly text: string;
  at: number;
}

const CASE_INSENSITIVE = new Set(['email', 'name', 'given_name', 'family_name', 'nickname']);
const DATES = new Set(['created_at', 'updated_at', 'last_login', 'last_password_reset']);
/** Outside quotes these mean something to the language. */
const SPECIAL = /[\s+\-!(){}[\]^"~?:\\/&|]/;

/** @throws Refusal 400 `invalid_query_string` */
export function parseQuery(text: string): Filter {
  const lexer = { text, at: 0 };
  const filter = either(lexer);
  skipSpace(lexer);
  if (lexer.at < text.length) throw refused(lexer);
  return filter;
}

function refused(lexer: Lexer): Refusal {
  return new Refusal(
    400,
    `Query syntax error near '${lexer.text.slice(lexer.at, lexer.at + 20)}'.`,
    'invalid_query_string',
  );
}

function skipSpace(lexer: Lexer): void {
  while (lexer.text[lexer.at] === ' ') lexer.at += 1;
}

function takeWord(lexer: Lexer, word: string): boolean {
  skipSpace(lexer);
  if (!lexer.text.startsWith(`${word} `, lexer.at)) return false;
  lexer.at += word.length + 1;
  return true;
}

function either(lexer: Lexer): Filter {
  let left = both(lexer);
  while (takeWord(lexer, 'OR')) {
    const [before, right] = [left, both(lexer)];
    left = (user) => before(user) || right(user);
  }
  return left;
}

function both(lexer: Lexer): Filter {
  let left = single(lexer);
  while (takeWord(lexer, 'AND')) {
    const [before, right] = [left, single(lexer)];
    left = (user) => before(user) && right(user);
  }
  return left;
}

function single(lexer: Lexer): Filter {
  if (takeWord(lexer, 'NOT')) {
    const inner = single(lexer);
    return (user) => !inner(user);
  }
  skipSpace(lexer);
  if (lexer.text[lexer.at] === '(') {
    lexer.at += 1;
    const inner = either(lexer);
    skipSpace(lexer);
    if (lexer.text[lexer.at] !== ')') throw refused(lexer);
    lexer.at += 1;
    return inner;
  }
  return term(lexer);
}

function term(lexer: Lexer): Filter {
  const field = /^[A-Za-z_][\w.]*:/.exec(lexer.text.slice(lexer.at))?.[0].slice(0, -1);
  if (field === undefined) throw refused(lexer);
  lexer.at += field.length + 1;
  const first = lexer.text[lexer.at];
  if (first === '[' || first === '{') return range(lexer, field);
  if (first === '"') {
    const wanted = quoted(lexer);
    return (user) => valuesOf(user, field).some((value) => same(field, value, wanted));
  }
  const wanted = bare(lexer);
  if (field === '_exists_') return (user) => valuesOf(user, wanted).length > 0;
  if (!wanted.includes('*')) return (user) => valuesOf(user, field).some((value) => same(field, value, wanted));
  if (wanted.indexOf('*') < wanted.length - 1) throw refused(lexer);
  const prefix = folded(field, wanted.slice(0, -1));
  return (user) => valuesOf(user, field).some((value) => folded(field, String(value)).startsWith(prefix));
}

function quoted(lexer: Lexer): string {
  let value = '';
  for (lexer.at += 1; lexer.at < lexer.text.length; lexer.at += 1) {
    const char = lexer.text[lexer.at] ?? '';
    if (char === '"') {
      lexer.at += 1;
      return value;
    }
    if (char === '\\') lexer.at += 1;
    value += lexer.text[lexer.at] ?? '';
  }
  throw refused(lexer);
}

function bare(lexer: Lexer): string {
  let value = '';
  for (; lexer.at < lexer.text.length; lexer.at += 1) {
    const char = lexer.text[lexer.at] ?? '';
    if (char === '\\') {
      lexer.at += 1;
      value += lexer.text[lexer.at] ?? '';
      continue;
    }
    if (char === ' ' || char === ')') break;
    if (SPECIAL.test(char) && !/[-+/&|]/.test(char)) throw refused(lexer);
    value += char;
  }
  if (value === '') throw refused(lexer);
  return value;
}

/** `[A TO B]` with either bracket inclusive or exclusive; `*` is no limit. */
function range(lexer: Lexer, field: string): Filter {
  const found = /^([[{])\s*(\S+)\s+TO\s+([^\s\]}]+)\s*([\]}])/.exec(lexer.text.slice(lexer.at));
  if (!found) throw refused(lexer);
  const [whole, open, low = '*', high = '*', close] = found;
  const comparable = (value: string) => (DATES.has(field) ? Date.parse(value) : value);
  const [least, most] = [comparable(low), comparable(high)];
  if ((low !== '*' && Number.isNaN(least)) || (high !== '*' && Number.isNaN(most))) throw refused(lexer);
  lexer.at += whole.length;
  return (user) =>
    valuesOf(user, field).some((raw) => {
      const value = comparable(String(raw));
      const above = low === '*' || (open === '[' ? value >= least : value > least);
      const below = high === '*' || (close === ']' ? value <= most : value < most);
      return above && below;
    });
}

function folded(field: string, value: string): string {
  return CASE_INSENSITIVE.has(field) ? value.toLowerCase() : value;
}

function same(field: string, value: unknown, wanted: string): boolean {
  return folded(field, String(value)) === folded(field, wanted);
}

/** Every value at a path; lists on the way are gone through. */
function valuesOf(user: User, field: string): unknown[] {
  if (field === 'email.domain') return [String(user.email ?? '').split('@')[1] ?? ''];
  let found: unknown[] = [user];
  for (const segment of field.split('.')) {
    found = found.flatMap((value) => {
      const member =
        typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[segment] : undefined;
      return Array.isArray(member) ? member : [member];
    });
  }
  return found.filter((value) => value !== undefined && value !== null);
}
