/** One word of Python. */
export interface Token {
  readonly kind: 'name' | 'string' | 'number' | 'op' | 'end';
  readonly text: string;
  readonly line: number;
  /** An f-string, or bytes: not a text as it stands. */
  readonly isCode?: boolean;
}

/** One logical line. */
export interface Statement {
  readonly tokens: readonly Token[];
  readonly line: number;
  readonly isIndented: boolean;
}

const TOKEN =
  /(?<string>(?<prefix>[rbfuRBFU]{0,2})(?<quote>"""|'''|"|'))|(?<name>[\p{L}_][\p{L}\p{N}_]*)|(?<number>\d[\w.]*)|(?<op>\*\*=?|\/\/=?|>>=?|<<=?|[-+*/%@&|^:=!<>]=|->|\.\.\.|[^\s\w])/uy;
const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  '\\': '\\',
  "'": "'",
  '"': '"',
  '\n': '',
};
export const OPENING = new Set(['(', '[', '{']);
export const CLOSING = new Set([')', ']', '}']);

/** The logical lines of a file, comments left out; brackets and backslashes join lines. Never throws. */
export function statementsOf(text: string): readonly Statement[] {
  const statements: Statement[] = [];
  let tokens: Token[] = [];
  let isIndented = false;
  let depth = 0;
  let line = 1;
  const end = (): void => {
    if (tokens[0] !== undefined) statements.push({ tokens, line: tokens[0].line, isIndented });
    tokens = [];
  };
  for (let at = 0, lineStart = 0; at < text.length; ) {
    const character = text[at] ?? '';
    if (character === '\n' || (character === ';' && depth === 0)) {
      if (depth === 0) end();
      at += 1;
      if (character === '\n') {
        line += 1;
        lineStart = at;
      }
    } else if (character === '#') {
      const newline = text.indexOf('\n', at);
      at = newline === -1 ? text.length : newline;
    } else if (character === '\\' && /^\r?\n/.test(text.slice(at + 1, at + 3))) {
      at = text.indexOf('\n', at) + 1;
      line += 1;
    } else if (/\s/.test(character)) at += 1;
    else {
      if (tokens.length === 0) isIndented = at > lineStart && /\s/.test(text[lineStart] ?? '');
      const { token, next } = tokenAt(text, at, line);
      tokens.push(token);
      if (token.kind === 'op' && OPENING.has(token.text)) depth += 1;
      if (token.kind === 'op' && CLOSING.has(token.text)) depth = Math.max(0, depth - 1);
      line += text.slice(at, next).split('\n').length - 1;
      at = next;
    }
  }
  end();
  return statements;
}

function tokenAt(text: string, at: number, line: number): { readonly token: Token; readonly next: number } {
  TOKEN.lastIndex = at;
  const groups = TOKEN.exec(text)?.groups;
  const next = TOKEN.lastIndex;
  if (groups?.['quote'] !== undefined) return stringAt(text, next, line, groups['prefix'] ?? '', groups['quote']);
  for (const kind of ['name', 'number', 'op'] as const) {
    const found = groups?.[kind];
    if (found !== undefined) return { token: { kind, text: found, line }, next };
  }
  return { token: { kind: 'op', text: text[at] ?? '', line }, next: at + 1 };
}

function stringAt(text: string, from: number, line: number, prefix: string, quote: string) {
  const isRaw = /r/i.test(prefix);
  let value = '';
  let at = from;
  while (at < text.length && !text.startsWith(quote, at)) {
    // A line of its own ends a string that nobody closed.
    if (quote.length === 1 && text[at] === '\n') break;
    if (text[at] !== '\\') value += text[at++];
    else {
      const { character, next } = isRaw ? { character: text.slice(at, at + 2), next: at + 2 } : escapeAt(text, at + 1);
      value += character;
      at = next;
    }
  }
  const token: Token = {
    kind: 'string',
    text: value,
    line,
    isCode: /b/i.test(prefix) || (/f/i.test(prefix) && /[{}]/.test(value)),
  };
  return { token, next: Math.min(text.length, at + (text.startsWith(quote, at) ? quote.length : 0)) };
}

function escapeAt(text: string, at: number): { readonly character: string; readonly next: number } {
  const hex = /^(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/.exec(text.slice(at, at + 9));
  const digits = hex?.[1] ?? hex?.[2] ?? hex?.[3];
  const code = digits === undefined ? undefined : Number.parseInt(digits, 16);
  if (hex !== null && code !== undefined && code <= 0x10ffff) {
    return { character: String.fromCodePoint(code), next: at + hex[0].length };
  }
  const character = text[at] ?? '';
  return { character: ESCAPES[character] ?? `\\${character}`, next: at + 1 };
}
