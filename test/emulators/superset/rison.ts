/** Text that is not Rison. Superset answers 500. */
export class RisonError extends Error {}

const ID = /[^\-0-9 !'()*,:;=@$&?"<>[\]{}|\\^`#\s][^ !'()*,:;=@$&?"<>[\]{}|\\^`#\s]*/y;
const NUMBER = /-?\d+(?:\.\d+)?(?:e-?\d+)?/y;
const WORDS: Readonly<Record<string, unknown>> = { t: true, f: false, n: null };

/** Parses Rison (the language of Superset's `q` parameters) as prison 0.2 does. Throws RisonError. */
export function parseRison(text: string): unknown {
  const parser = new Parser(text);
  const value = parser.value();
  parser.end();
  return value;
}

class Parser {
  private at = 0;
  private readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  value(): unknown {
    const next = this.text[this.at];
    if (next === '(') return this.object();
    if (next === "'") return this.quoted();
    if (next === '!') return this.bang();
    const number = this.match(NUMBER);
    if (number !== undefined) return Number(number);
    const id = this.match(ID);
    if (id !== undefined) return id;
    throw new RisonError(`unexpected ${next ?? 'end'}`);
  }

  end(): void {
    if (this.at !== this.text.length) throw new RisonError('text behind the value');
  }

  private bang(): unknown {
    const kind = this.text[this.at + 1] ?? '';
    this.at += 2;
    if (kind === '(') return this.items(() => this.value());
    if (Object.hasOwn(WORDS, kind)) return WORDS[kind];
    throw new RisonError(`unknown literal !${kind}`);
  }

  private object(): unknown {
    this.at += 1;
    const members = this.items(() => {
      const name = this.value();
      if (this.text[this.at] !== ':') throw new RisonError('missing :');
      this.at += 1;
      return [String(name), this.value()] as const;
    });
    return Object.fromEntries(members);
  }

  private items<T>(read: () => T): T[] {
    const items: T[] = [];
    for (;;) {
      if (this.text[this.at] === ')') {
        this.at += 1;
        return items;
      }
      if (items.length > 0) {
        if (this.text[this.at] !== ',') throw new RisonError('missing ,');
        this.at += 1;
      }
      items.push(read());
    }
  }

  private quoted(): string {
    let made = '';
    for (let at = this.at + 1; ; at += 1) {
      const letter = this.text[at];
      if (letter === undefined) throw new RisonError("unmatched '");
      if (letter === "'") {
        this.at = at + 1;
        return made;
      }
      if (letter !== '!') {
        made += letter;
        continue;
      }
      at += 1;
      const escaped = this.text[at];
      if (escaped !== '!' && escaped !== "'") throw new RisonError('invalid escape');
      made += escaped;
    }
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }
}
