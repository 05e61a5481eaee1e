import type { Entry, Literal } from './literals.ts';
import { CLOSING, OPENING, type Token } from './python-tokens.ts';

const CONSTANTS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };
/** Deeper than any config, and a limit to the stack. */
const MOST_DEPTH = 100;

/**
 * What a Python expression is, all of these tokens: a literal, a variable of the environment, one of the `known` names, else
 * `code`. Nothing is run. Never throws.
 */
export function readValue(tokens: readonly Token[], known: ReadonlyMap<string, Literal>): Literal {
  return new Reader(tokens, known).whole();
}

/** Reads one value out of the tokens of an expression. */
class Reader {
  readonly #tokens: readonly Token[];
  readonly #known: ReadonlyMap<string, Literal>;
  #at = 0;
  #depth = 0;
  /** The end came inside brackets. */
  #isOpen = false;

  constructor(tokens: readonly Token[], known: ReadonlyMap<string, Literal>) {
    this.#tokens = tokens;
    this.#known = known;
  }

  /** All of them must belong to it. */
  whole(): Literal {
    const { line } = this.#peek();
    const value = this.#value();
    // `A = 1, 2` is a tuple.
    const isTuple = this.#isOp(',');
    const whole: Literal = isTuple ? { kind: 'list', items: [value, ...this.#items()], line } : value;
    return this.#peek().kind === 'end' && !this.#isOpen ? whole : { kind: 'code', line };
  }

  /** Past the bracket that closes. */
  #close(): void {
    this.#isOpen ||= this.#peek().kind === 'end';
    this.#at += 1;
  }

  #peek(ahead = 0): Token {
    const last = this.#tokens.at(-1)?.line ?? 0;
    return this.#tokens[this.#at + ahead] ?? { kind: 'end', text: '', line: this.#tokens[this.#at]?.line ?? last };
  }

  #isOp(text: string, ahead = 0): boolean {
    const token = this.#peek(ahead);
    return token.kind === 'op' && token.text === text;
  }

  /** A value up to the next comma, colon or closing bracket; what goes on beyond it makes it code. */
  #value(): Literal {
    const { line } = this.#peek();
    this.#depth += 1;
    const value = this.#depth > MOST_DEPTH ? { kind: 'code' as const, line } : this.#primary();
    this.#depth -= 1;
    return this.#skipRest() ? { kind: 'code', line } : value;
  }

  #primary(): Literal {
    const token = this.#peek();
    const { line } = token;
    if (token.kind === 'string') return this.#string();
    if (token.kind === 'number') return this.#number(1);
    if (this.#isOp('-') && this.#peek(1).kind === 'number') {
      this.#at += 1;
      return this.#number(-1);
    }
    if (token.kind === 'name') return this.#name(token);
    if (this.#isOp('[') || this.#isOp('(')) return this.#list();
    if (this.#isOp('{')) return this.#map();
    return { kind: 'code', line };
  }

  #string(): Literal {
    const { line } = this.#peek();
    let text = '';
    let isCode = false;
    for (; this.#peek().kind === 'string'; this.#at += 1) {
      text += this.#peek().text;
      isCode ||= this.#peek().isCode === true;
    }
    return isCode ? { kind: 'code', line } : { kind: 'scalar', value: text, line };
  }

  #number(sign: number): Literal {
    const { text, line } = this.#peek();
    this.#at += 1;
    const value = sign * Number(text.replaceAll('_', ''));
    return Number.isFinite(value) ? { kind: 'scalar', value, line } : { kind: 'code', line };
  }

  #name({ text, line }: Token): Literal {
    const env = this.#environment();
    if (env !== undefined) return env;
    this.#at += 1;
    if (Object.hasOwn(CONSTANTS, text)) return { kind: 'scalar', value: CONSTANTS[text] ?? null, line };
    if (text === 'dict' && this.#isOp('(')) return this.#keywords(line);
    const known = this.#known.get(text);
    if (known !== undefined) return known;
    // Constants of the program, such as AUTH_OAUTH.
    return /^AUTH_[A-Z_]+$/.test(text) ? { kind: 'scalar', value: text, line } : { kind: 'code', line };
  }

  /** `os.environ["X"]`, `os.environ.get("X"[, "fallback"])`, `os.getenv(…)`, `env("X"[, …])`. */
  #environment(): Literal | undefined {
    const start = this.#at;
    const { line } = this.#peek();
    let spelled = '';
    while (this.#peek().kind === 'name' || this.#isOp('.')) {
      spelled += this.#peek().text;
      this.#at += 1;
    }
    const isCall = /^(?:(?:os\.)?(?:environ\.get|getenv)|env|get_env_variable)$/.test(spelled) && this.#isOp('(');
    const isIndex = /^(?:os\.)?environ$/.test(spelled) && this.#isOp('[');
    if (isCall || isIndex) {
      this.#at += 1;
      const items = this.#items();
      this.#close();
      const [name, fallback, ...more] = items;
      const isName = name?.kind === 'scalar' && typeof name.value === 'string' && /^[A-Za-z_]\w*$/.test(name.value);
      const isFallback = fallback === undefined || (fallback.kind === 'scalar' && !/[{}]/.test(String(fallback.value)));
      if (isName && isFallback && more.length === 0) {
        const text = fallback?.kind === 'scalar' && fallback.value !== null ? { fallback: String(fallback.value) } : {};
        return { kind: 'env', name: String(name.value), ...text, line };
      }
    }
    this.#at = start;
    return undefined;
  }

  #list(): Literal {
    const { line, text } = this.#peek();
    this.#at += 1;
    const items = this.#items();
    const isTuple = text === '[' || items.length !== 1 || this.#isOp(',', -1);
    this.#close();
    return isTuple ? { kind: 'list', items, line } : (items[0] ?? { kind: 'code', line });
  }

  /** Up to the closing bracket, which is left. */
  #items(): readonly Literal[] {
    const items: Literal[] = [];
    while (this.#peek().kind !== 'end' && !CLOSING.has(this.#peek().text)) {
      if (this.#isOp(',')) this.#at += 1;
      else if (this.#isOp(':')) this.#at += 1;
      else items.push(this.#value());
    }
    return items;
  }

  #map(): Literal {
    const { line } = this.#peek();
    this.#at += 1;
    const entries: Entry[] = [];
    let isMap = true;
    while (this.#peek().kind !== 'end' && !this.#isOp('}')) {
      if (this.#isOp(',')) {
        this.#at += 1;
        continue;
      }
      const key = this.#value();
      if (!this.#isOp(':')) {
        isMap = false;
        if (CLOSING.has(this.#peek().text)) break;
        continue;
      }
      this.#at += 1;
      const value = this.#value();
      const named = key.kind === 'scalar' ? String(key.value) : '(computed)';
      entries.push({
        key: named,
        value: key.kind === 'scalar' ? value : { kind: 'code', line: key.line },
        line: key.line,
      });
    }
    this.#close();
    return isMap ? { kind: 'map', entries, line } : { kind: 'code', line };
  }

  /** `dict(a=1, b=2)`. */
  #keywords(line: number): Literal {
    this.#at += 1;
    const entries: Entry[] = [];
    while (this.#peek().kind !== 'end' && !this.#isOp(')')) {
      const name = this.#peek();
      if (name.kind !== 'name' || !this.#isOp('=', 1)) return { kind: 'code', line };
      this.#at += 2;
      entries.push({ key: name.text, value: this.#value(), line: name.line });
      if (this.#isOp(',')) this.#at += 1;
    }
    this.#close();
    return { kind: 'map', entries, line };
  }

  /** Whether anything stood between the value and its end. */
  #skipRest(): boolean {
    let depth = 0;
    const from = this.#at;
    for (; this.#peek().kind !== 'end'; this.#at += 1) {
      const { kind, text } = this.#peek();
      if (kind !== 'op') continue;
      if (depth === 0 && (text === ',' || text === ':' || CLOSING.has(text))) break;
      if (OPENING.has(text)) depth += 1;
      if (CLOSING.has(text)) depth -= 1;
    }
    return this.#at > from;
  }
}
