import type { Literal, Option } from './literals.ts';
import { CLOSING, OPENING, type Statement, statementsOf, type Token } from './python-tokens.ts';
import { readValue } from './python-values.ts';

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
  if (equals === 1 && second?.text === '=') return { name: first.text, line, value: readValue(tokens.slice(2), known) };
  if (second?.text === ':') return { name: first.text, line, value: readValue(tokens.slice(equals + 1), known) };
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
