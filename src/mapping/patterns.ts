import { RE2JS } from 're2js';
import { LatchgateError } from '../model/errors.ts';

export interface PatternMatch {
  /** Named captures that took part, by name. */
  readonly captures: Readonly<Record<string, string>>;
}

/** A text of the config that values are compared with, code point by code point. */
export interface Pattern {
  /** As it stands in the config. */
  readonly text: string;
  readonly kind: 'exact' | 'glob' | 'regex';
  /** Names of the captures that a match can have. */
  readonly captureNames: readonly string[];
  match(value: string): PatternMatch | undefined;
}

const NO_CAPTURES: PatternMatch = { captures: {} };

/**
 * `~` begins a regular expression on the whole value (RE2 syntax, linear time; `(?<name>…)` captures), a `*` anywhere
 * makes a glob in which `*` alone is special, everything else is compared exactly.
 * Throws `config_invalid` when the regular expression is not one.
 */
export function compilePattern(text: string): Pattern {
  if (text.startsWith('~')) return compileRegex(text);
  if (text.includes('*')) return compileGlob(text);
  return { text, kind: 'exact', captureNames: [], match: (value) => (value === text ? NO_CAPTURES : undefined) };
}

function compileRegex(text: string): Pattern {
  const regex = parseRegex(text);
  const captureNames = Object.keys(regex.namedGroups());
  const match = (value: string): PatternMatch | undefined => {
    const matcher = regex.matcher(value);
    if (!matcher.matches()) return undefined;
    if (captureNames.length === 0) return NO_CAPTURES;
    const captured = captureNames.map((name) => [name, matcher.group(name)] as const);
    return {
      captures: Object.fromEntries(captured.filter((entry): entry is [string, string] => typeof entry[1] === 'string')),
    };
  };
  return { text, kind: 'regex', captureNames, match };
}

function parseRegex(text: string): RE2JS {
  try {
    return RE2JS.compile(text.slice(1));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : 'not a regular expression';
    throw new LatchgateError('config_invalid', `${text} is not a regular expression of RE2: ${why}`, { cause });
  }
}

function compileGlob(text: string): Pattern {
  const parts = text.split('*');
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  const between = parts.slice(1, -1).filter((part) => part !== '');
  const match = (value: string): PatternMatch | undefined => {
    if (value.length < first.length + last.length || !value.startsWith(first) || !value.endsWith(last))
      return undefined;
    const end = value.length - last.length;
    let at = first.length;
    for (const part of between) {
      const found = value.indexOf(part, at);
      if (found === -1 || found + part.length > end) return undefined;
      at = found + part.length;
    }
    return NO_CAPTURES;
  };
  return { text, kind: 'glob', captureNames: [], match };
}
