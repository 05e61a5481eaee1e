import type { ComplaintCode } from './complaint.ts';

/** Where substituted texts come from. Pure functions of the caller's making, so that this file reads nothing itself. */
export interface Lookups {
  env(name: string): string | undefined;
  /** The text of a secret file, or why there is none. */
  secretFile(path: string): { readonly text: string } | { readonly problem: SubstitutionProblem };
}

export interface SubstitutionProblem {
  readonly code: ComplaintCode;
  readonly message: string;
  readonly hint?: string;
}

export interface Substituted {
  readonly text: string;
  /** What was put in, as written: `${NAME}`, `${file:/run/secrets/x}`. Empty: the text is as it stands in the file. */
  readonly sources: readonly string[];
  readonly problems: readonly SubstitutionProblem[];
}

const VARIABLE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-([\s\S]*))?$/;
const MARK = /\$\$\{|\$\{/g;

/**
 * Puts in `${NAME}`, `${NAME:-default}` (also where the variable is empty) and `${file:PATH}`; `$${` is a literal `${`.
 * What was put in is not read again, so a value of the environment cannot name another.
 */
export function substitute(text: string, lookups: Lookups): Substituted {
  const sources: string[] = [];
  const problems: SubstitutionProblem[] = [];
  let result = '';
  let from = 0;
  for (MARK.lastIndex = 0; ; ) {
    MARK.lastIndex = from;
    const mark = MARK.exec(text);
    if (mark === null) break;
    result += text.slice(from, mark.index);
    if (mark[0] === '$${') {
      result += '${';
      from = mark.index + 3;
      continue;
    }
    const end = text.indexOf('}', mark.index);
    const body = text.slice(mark.index + 2, end === -1 ? undefined : end);
    const put = end === -1 ? { problem: unclosed } : lookUp(body, lookups);
    if ('problem' in put) problems.push(put.problem);
    else {
      result += put.text;
      sources.push(sourceOf(body));
    }
    from = end === -1 ? text.length : end + 1;
  }
  return { text: result + text.slice(from), sources, problems };
}

const unclosed: SubstitutionProblem = {
  code: 'substitution_invalid',
  message: '`${` is not closed by `}`',
  hint: '`$${` writes a literal `${`',
};

/** A default may be a secret that somebody typed, so it is not shown. */
function sourceOf(body: string): string {
  return `\${${body.replace(/:-[\s\S]*$/, '')}}`;
}

function lookUp(body: string, lookups: Lookups): { readonly text: string } | { readonly problem: SubstitutionProblem } {
  if (body.includes('${')) return invalid('`${…}` inside `${…}` is not read', 'join the two in the environment');
  if (body.startsWith('file:')) {
    const path = body.slice('file:'.length);
    if (path === '') return invalid('`${file:}` names no file', 'write ${file:/run/secrets/NAME}');
    return lookups.secretFile(path);
  }
  const variable = VARIABLE.exec(body);
  if (variable === null) {
    return invalid(
      `\`${sourceOf(body)}\` is neither a variable nor a secret file`,
      'write ${NAME}, ${NAME:-default} or ${file:/path}; $${ writes a literal ${',
    );
  }
  const [, name = '', fallback] = variable;
  const value = lookups.env(name);
  if (fallback !== undefined) return { text: value === undefined || value === '' ? fallback : value };
  if (value !== undefined) return { text: value };
  const problem = {
    message: `the environment variable ${name} is not set`,
    hint: `set it, or write \${${name}:-default}`,
  };
  return { problem: { code: 'env_missing', ...problem } };
}

function invalid(message: string, hint: string): { readonly problem: SubstitutionProblem } {
  return { problem: { code: 'substitution_invalid', message, hint } };
}
