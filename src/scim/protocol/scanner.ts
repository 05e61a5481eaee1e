import { ScimError, type ScimErrorCode } from './error.ts';

const WORD = /[A-Za-z0-9_$:.-]+/y;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const BLANKS = /[ \t]*/y;

/** Walks over the text of a filter or a path from left to right, once. */
export class Scanner {
  readonly #text: string;
  readonly #what: 'filter' | 'path';
  #at = 0;

  constructor(text: string, what: 'filter' | 'path') {
    this.#text = text;
    this.#what = what;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  /** Where the next character is, from 1. */
  get position(): number {
    return this.#at + 1;
  }

  /** Whether there was a blank. */
  skipBlanks(): boolean {
    return this.#match(BLANKS) !== '';
  }

  skip(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  expect(character: string): void {
    if (!this.skip(character)) throw this.failure(`"${character}" is missing`);
  }

  isNext(character: string): boolean {
    return this.#text[this.#at] === character;
  }

  /** A name, an operator or a literal without quotes; empty when there is none. */
  word(): string {
    return this.#match(WORD);
  }

  /** The same without going on. */
  peekWord(): string {
    const at = this.#at;
    const word = this.word();
    this.#at = at;
    return word;
  }

  number(): number | undefined {
    const text = this.#match(NUMBER);
    if (text === '') return undefined;
    if (this.peekWord() !== '') throw this.failure('the number does not end');
    return Number(text);
  }

  /** A text in double quotes with the escapes of JSON (RFC 8259 §7). The opening quote is next. */
  quoted(): string {
    const from = this.#at;
    let at = from + 1;
    while (at < this.#text.length && this.#text[at] !== '"') at += this.#text[at] === '\\' ? 2 : 1;
    if (at >= this.#text.length) throw this.failure('the text does not end');
    try {
      const value: unknown = JSON.parse(this.#text.slice(from, at + 1));
      this.#at = at + 1;
      return String(value);
    } catch {
      throw this.failure('the text is not one of JSON');
    }
  }

  failure(why: string, code?: ScimErrorCode): ScimError {
    const own = this.#what === 'filter' ? 'scim_filter_invalid' : 'scim_path_invalid';
    return new ScimError(code ?? own, `${this.#what}, character ${this.position}: ${why}`);
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const text = pattern.exec(this.#text)?.[0] ?? '';
    this.#at += text.length;
    return text;
  }
}
