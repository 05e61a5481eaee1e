/** `'Admin'` where the condition holds and none before it did. */
export interface Branch {
  /** Any of them; each is all of its tests. Empty: always. */
  readonly anyOf: readonly (readonly Test[])[];
  readonly role: string;
}

/** One value of the claims that is looked at. */
export interface Test {
  /** Segments of a path through the claims. */
  readonly path: readonly string[];
  /** `member`: of a list. `equal`: the value. `part`: of a text. */
  readonly kind: 'member' | 'equal' | 'part';
  readonly value: string;
}

type Formula = readonly (readonly Test[])[];

interface Token {
  readonly kind: 'name' | 'text' | 'op';
  readonly text: string;
}

const TOKEN =
  /\s*(?:(?<text>'(?:[^'\\]|\\.)*')|(?<quoted>"(?:[^"\\]|\\.)*")|(?<name>[A-Za-z_]\w*)|(?<op>\|\||&&|==|\[\*\]|[().,[\]]))/y;
const MOST_TOKENS = 2_000;
const MOST_ALTERNATIVES = 200;

/**
 * Reads a JMESPath expression that chooses a role, in the shapes that the documentation of Grafana and Flask-AppBuilder
 * has: `contains(PATH[*], 'x') && 'Role' || … || 'Role'`, with `==`, `contains(['x'], PATH)`, parentheses, and several
 * conditions for one role. Undefined: it is of another shape.
 */
export function readRolePath(expression: string): readonly Branch[] | undefined {
  const tokens = tokensOf(expression);
  if (tokens === undefined) return undefined;
  try {
    return new Parser(tokens).branches();
  } catch (thrown) {
    if (thrown instanceof OtherShape) return undefined;
    throw thrown;
  }
}

/** A path through claims on its own: `info.groups`, `groups[*]`. Undefined: it is more than that. */
export function readClaimPath(expression: string): readonly string[] | undefined {
  const tokens = tokensOf(expression);
  if (tokens === undefined) return undefined;
  try {
    return new Parser(tokens).onlyPath();
  } catch (thrown) {
    if (thrown instanceof OtherShape) return undefined;
    throw thrown;
  }
}

class OtherShape extends Error {}

function tokensOf(expression: string): readonly Token[] | undefined {
  const tokens: Token[] = [];
  const text = expression.trim();
  for (TOKEN.lastIndex = 0; TOKEN.lastIndex < text.length; ) {
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined || tokens.length >= MOST_TOKENS) return undefined;
    const { text: raw, quoted, name, op } = groups;
    if (raw !== undefined) tokens.push({ kind: 'text', text: raw.slice(1, -1).replaceAll("\\'", "'") });
    else if (quoted !== undefined)
      tokens.push({ kind: 'name', text: quoted.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') });
    else if (name !== undefined) tokens.push({ kind: 'name', text: name });
    else tokens.push({ kind: 'op', text: op ?? '' });
  }
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  branches(): readonly Branch[] {
    const branches = this.#branches();
    if (this.#at < this.#tokens.length) throw new OtherShape();
    return branches;
  }

  onlyPath(): readonly string[] {
    const { path } = this.#path();
    if (this.#at < this.#tokens.length) throw new OtherShape();
    return path;
  }

  #branches(): readonly Branch[] {
    const branches = [...this.#branch()];
    while (this.#take('||')) branches.push(...this.#branch());
    return branches;
  }

  /** A role, conditions and a role, or either in parentheses. */
  #branch(): readonly Branch[] {
    const role = this.#role();
    if (role !== undefined) return [{ anyOf: [], role }];
    const start = this.#at;
    if (this.#take('(')) {
      try {
        const inner = this.#branches();
        this.#need(')');
        if (!this.#is('&&')) return inner;
      } catch (thrown) {
        if (!(thrown instanceof OtherShape)) throw thrown;
      }
      this.#at = start;
    }
    let condition: Formula = [[]];
    for (;;) {
      condition = both(condition, this.#condition());
      this.#need('&&');
      const last = this.#role();
      if (last !== undefined) return [{ anyOf: condition, role: last }];
    }
  }

  #role(): string | undefined {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'text') return undefined;
    // An empty text is false: what comes behind it would count.
    if (token.text === '') throw new OtherShape();
    this.#at += 1;
    return token.text;
  }

  #condition(): Formula {
    if (this.#take('(')) {
      let any = this.#conjunction();
      while (this.#take('||')) any = bounded([...any, ...this.#conjunction()]);
      this.#need(')');
      return any;
    }
    const token = this.#tokens[this.#at];
    const next = this.#tokens[this.#at + 1];
    if (token?.text === 'contains' && next?.kind === 'op' && next.text === '(') return this.#contains();
    const { path } = this.#path();
    this.#need('==');
    return [[{ path, kind: 'equal', value: this.#text() }]];
  }

  #conjunction(): Formula {
    let all = this.#condition();
    while (this.#take('&&')) all = both(all, this.#condition());
    return all;
  }

  #contains(): Formula {
    this.#at += 2;
    if (this.#take('[')) {
      const values = [this.#text()];
      while (this.#take(',')) values.push(this.#text());
      this.#need(']');
      this.#need(',');
      const { path } = this.#path();
      this.#need(')');
      return values.map((value) => [{ path, kind: 'equal', value }]);
    }
    const { path, isList } = this.#path();
    this.#need(',');
    const value = this.#text();
    this.#need(')');
    // Without [*] it may be a list or a text: names tell.
    const isMember = isList || /(?:groups?|roles?|keys|members?|teams?|memberOf)$/i.test(path.at(-1) ?? '');
    return [[{ path, kind: isMember ? 'member' : 'part', value }]];
  }

  #path(): { readonly path: readonly string[]; readonly isList: boolean } {
    const path = [this.#name()];
    while (this.#take('.')) path.push(this.#name());
    return { path, isList: this.#take('[*]') };
  }

  #name(): string {
    const token = this.#tokens[this.#at];
    if (token?.kind !== 'name') throw new OtherShape();
    this.#at += 1;
    return token.text;
  }

  #text(): string {
    const text = this.#role();
    if (text === undefined) throw new OtherShape();
    return text;
  }

  #is(op: string): boolean {
    const token = this.#tokens[this.#at];
    return token?.kind === 'op' && token.text === op;
  }

  #take(op: string): boolean {
    if (!this.#is(op)) return false;
    this.#at += 1;
    return true;
  }

  #need(op: string): void {
    if (!this.#take(op)) throw new OtherShape();
  }
}

function both(one: Formula, other: Formula): Formula {
  return bounded(one.flatMap((tests) => other.map((more) => [...tests, ...more])));
}

function bounded(formula: Formula): Formula {
  if (formula.length > MOST_ALTERNATIVES) throw new OtherShape();
  return formula;
}
