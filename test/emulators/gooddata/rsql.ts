import { Refusal } from './exchange.ts';

/** The values an entity has under a selector such as `email` or `userGroups.id`; undefined = no such selector. */
export type Lookup<T> = (item: T, selector: string) => readonly unknown[] | undefined;

export type Predicate<T> = (item: T) => boolean;

type Operator = (values: readonly string[], args: readonly string[]) => boolean;

const OPERATORS: Readonly<Record<string, Operator>> = {
  '==': (values, args) => values.includes(args[0] ?? ''),
  '!=': (values, args) => !values.includes(args[0] ?? ''),
  '=in=': (values, args) => values.some((value) => args.includes(value)),
  '=out=': (values, args) => !values.some((value) => args.includes(value)),
  '=contains=': (values, args) => values.some((value) => value.includes(args[0] ?? '')),
  '=containsic=': (values, args) => values.some((value) => value.toLowerCase().includes((args[0] ?? '').toLowerCase())),
  '=isnull=': (values, args) => (values.length === 0) === (args[0] === 'true'),
};

const TAKES_LIST = new Set(['=in=', '=out=']);
const RESERVED = `"'();,=!~<> `;

/**
 * Compiles an RSQL filter (github.com/jirutka/rsql-parser): comparisons joined by `;` or ` and `, `,` or ` or `, with
 * parentheses and quoted arguments in which a backslash escapes the next character.
 * @throws Refusal 400 on bad syntax; the predicate throws it on an unknown selector.
 */
export function compileFilter<T>(source: string, lookup: Lookup<T>): Predicate<T> {
  return new Parser(source, lookup).parse();
}

class Parser<T> {
  private readonly source: string;
  private readonly lookup: Lookup<T>;
  private at = 0;

  constructor(source: string, lookup: Lookup<T>) {
    this.source = source;
    this.lookup = lookup;
  }

  parse(): Predicate<T> {
    const predicate = this.alternatives();
    if (this.at < this.source.length) this.fail();
    return predicate;
  }

  private alternatives(): Predicate<T> {
    const terms = [this.conjunction()];
    while (this.takes(',', ' or ')) terms.push(this.conjunction());
    return (item) => terms.some((term) => term(item));
  }

  private conjunction(): Predicate<T> {
    const terms = [this.constraint()];
    while (this.takes(';', ' and ')) terms.push(this.constraint());
    return (item) => terms.every((term) => term(item));
  }

  private constraint(): Predicate<T> {
    if (!this.takes('(')) return this.comparison();
    const inner = this.alternatives();
    if (!this.takes(')')) this.fail();
    return inner;
  }

  private comparison(): Predicate<T> {
    const selector = this.bare();
    const name = /^(==|!=|=[a-z]+=)/.exec(this.source.slice(this.at))?.[0] ?? this.fail();
    const operator = OPERATORS[name] ?? this.fail();
    this.at += name.length;
    const args = this.arguments();
    if (args.length > 1 && !TAKES_LIST.has(name)) this.fail();
    return (item) => {
      const values = this.lookup(item, selector);
      if (values === undefined) throw new Refusal(400, `Unknown filter property '${selector}'.`);
      return operator(values.filter((value) => value !== undefined).map(String), args);
    };
  }

  private arguments(): string[] {
    if (!this.takes('(')) return [this.argument()];
    const args = [this.argument()];
    while (this.takes(',')) args.push(this.argument());
    if (!this.takes(')')) this.fail();
    return args;
  }

  private argument(): string {
    const quote = this.source[this.at];
    if (quote !== '"' && quote !== "'") return this.bare();
    let value = '';
    for (this.at += 1; this.source[this.at] !== quote; this.at += 1) {
      if (this.source[this.at] === '\\') this.at += 1;
      if (this.at >= this.source.length) this.fail();
      value += this.source[this.at];
    }
    this.at += 1;
    return value;
  }

  private bare(): string {
    const start = this.at;
    while (this.at < this.source.length && !RESERVED.includes(this.source[this.at] ?? '')) this.at += 1;
    if (this.at === start) this.fail();
    return this.source.slice(start, this.at);
  }

  private takes(...tokens: readonly string[]): boolean {
    const found = tokens.find((token) => this.source.startsWith(token, this.at));
    if (found === undefined) return false;
    this.at += found.length;
    return true;
  }

  private fail(): never {
    throw new Refusal(400, `The filter is not RSQL: error at character ${this.at + 1}.`);
  }
}
