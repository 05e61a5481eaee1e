import type { Entry, Literal, Option } from './literals.ts';
import { CLOSING, OPENING, type Statement, statementsOf, type Token } from './python-tokens.ts';

const CONSTANTS: Readonly<Record<string, boolean | null>> = { True: true, False: false, None: null };
/** Deeper than any config, and a limit to the stack. */
const MOST_DEPTH = 100;

/**
 * Reads the assignments of a Python file, as far as they are literals or variables of the environment. Nothing is run:
 * whatever else there is comes out as `code`, blocks included. Never throws.
 */
export function readPython(text: string): readonly Option[] {
  const known = new Map<string, Literal>();
  const options: Option[] = [];
  const statements = statementsOf(text);
  const touched = new Set(statements.flatMap((statement) => touchedBy(statement).map(({ text: name }) => name)));
  for (const statement of statements) {
    const { tokens, line, isIndented } = withoutHead(statement);
    const option = optionOf(tokens, line, known);
    for (const { text: name, line: at } of touchedBy(statement)) {
      const isNamed = option?.name.startsWith(`${name} `);
      if (CHANGEABLE.has(name) && !isNamed)
        options.push({ name: `${name} (in code)`, line: at, value: { kind: 'code', line: at } });
    }
    if (option === undefined) continue;
    const isPlain = !isIndented && /^\w+$/.test(option.name);
    if (isPlain && !touched.has(option.name)) known.set(option.name, option.value);
    // Whether the block runs, only Python can tell.
    options.push(isIndented ? { name: `${option.name} (in a block)`, line, value: { kind: 'code', line } } : option);
  }
  return options;
}

/** Options that are changed in place, and not by assignments alone. */
const CHANGEABLE: ReadonlySet<string> = new Set(['OAUTH_PROVIDERS', 'AUTH_ROLES_MAPPING']);

/** Names in capitals that a statement may change without being an assignment to them: loops, `del`, calls, second names. */
function touchedBy(statement: Statement): readonly Token[] {
  const [first] = statement.tokens;
  if (first?.text === 'from' || first?.text === 'import') return [];
  const body = withoutHead(statement).tokens;
  const isLoop = first?.text === 'for' || first?.text === 'with';
  const head = isLoop ? statement.tokens.slice(0, statement.tokens.length - body.length) : [];
  const isAssignment = isName(body[0]) && (body[1]?.text === '=' || body[1]?.text === ':');
  const others = body.slice(1).filter(({ text }) => CHANGEABLE.has(text) && text !== body[0]?.text);
  return [...head, ...(isAssignment ? others : body)].filter(isName);
}

function isName(token: Token | undefined): boolean {
  return token?.kind === 'name' && /^[A-Z][A-Z0-9_]*$/.test(token.text);
}

/** `if X: NAME = …`: what it guards, as of a block. */
function withoutHead(statement: Statement): Statement {
  const { tokens } = statement;
  if (!/^(?:if|elif|else|for|while|try|except|finally|with)$/.test(tokens[0]?.text ?? '')) return statement;
  let depth = 0;
  const colon = tokens.findIndex(({ kind, text }) => {
    if (kind === 'op' && OPENING.has(text)) depth += 1;
    if (kind === 'op' && CLOSING.has(text)) depth -= 1;
    return kind === 'op' && text === ':' && depth === 0;
  });
  return colon === -1 ? statement : { ...statement, tokens: tokens.slice(colon + 1), isIndented: true };
}

/** `NAME = …`, `NAME: type = …`, `NAME += …`, `NAME[…] = …`, `NAME.method(…)` for names of options. */
function optionOf(tokens: readonly Token[], line: number, known: ReadonlyMap<string, Literal>): Option | undefined {
  const [first, second] = tokens;
  if (first?.kind !== 'name') return undefined;
  if (first.text === 'class' || first.text === 'def') {
    return { name: `${first.text} ${second?.text ?? ''}`, line, value: { kind: 'code', line } };
  }
  if (first.text === 'from' && tokens.at(-1)?.text === '*') {
    const module = tokens
      .slice(1, -2)
      .map(({ text }) => text)
      .join('');
    return { name: `from ${module} import *`, line, value: { kind: 'code', line } };
  }
  if (!/^[A-Z][A-Z0-9_]*$/.test(first.text)) return undefined;
  const equals = assignmentAt(tokens);
  if (equals === undefined) return undefined;
  if (equals === 1 && second?.text === '=')
    return { name: first.text, line, value: new Reader(tokens.slice(2), known).whole() };
  if (second?.text === ':')
    return { name: first.text, line, value: new Reader(tokens.slice(equals + 1), known).whole() };
  const spelled = tokens
    .slice(1, Math.min(Math.max(equals, 2), 9))
    .map(({ text }) => text)
    .join('');
  return { name: `${first.text} ${spelled}`.trim(), line, value: { kind: 'code', line } };
}

/** Where the sign of assignment is, outside brackets; of a method call its parenthesis. */
function assignmentAt(tokens: readonly Token[]): number | undefined {
  let depth = 0;
  for (const [index, { text, kind }] of tokens.entries()) {
    if (kind !== 'op') continue;
    if (depth === 0 && /^(?:[-+*/%@&|^]|\*\*|\/\/|>>|<<)?=$/.test(text)) return index;
    if (depth === 0 && text === '(' && tokens[1]?.text === '.') return index;
    if (OPENING.has(text)) depth += 1;
    if (CLOSING.has(text)) depth -= 1;
  }
  return undefined;
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
