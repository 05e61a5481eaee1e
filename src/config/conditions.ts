import { compilePattern, type Pattern } from '../mapping/patterns.ts';
import type { Condition } from '../mapping/schema.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Finding, Path } from './complaint.ts';
import { showPath } from './complaint.ts';
import { attributeNames, type Declared, kindOfOrigin, originNames } from './declared.ts';
import { nearest } from './nearest.ts';

/** One line of a `when`, with its patterns compiled; those that do not compile are left out. */
export interface ConditionLine {
  readonly attribute: string;
  readonly path: Path;
  readonly values: readonly string[];
  readonly patterns: readonly Pattern[];
  /** Inside an odd number of `not` blocks. */
  readonly negated: boolean;
}

/** The lines of a condition, those of its `not` blocks too. */
export function linesOf(condition: Condition | undefined, path: Path, negated = false): readonly ConditionLine[] {
  return Object.entries(condition ?? {}).flatMap(([attribute, values]): readonly ConditionLine[] => {
    if (values === undefined) return [];
    if (!isList(values)) return attribute === 'not' ? linesOf(values, [...path, 'not'], !negated) : [];
    const patterns = values.flatMap((value) => tryPattern(value) ?? []);
    return [{ attribute, path: [...path, attribute], values, patterns, negated }];
  });
}

function isList(value: readonly string[] | Condition): value is readonly string[] {
  return Array.isArray(value);
}

/** The pattern, or undefined when it is a regular expression that does not compile. */
export function tryPattern(text: string): Pattern | undefined {
  try {
    return compilePattern(text);
  } catch (error) {
    if (error instanceof LatchgateError) return undefined;
    throw error;
  }
}

/** A complaint for each regular expression that does not compile. `values` stand at `path`. */
export function checkPatterns(values: readonly string[], path: Path): readonly Finding[] {
  return values.flatMap((value, index): Finding[] => {
    try {
      compilePattern(value);
      return [];
    } catch (error) {
      if (!(error instanceof LatchgateError)) throw error;
      return [
        {
          path: [...path, index],
          code: 'pattern_invalid',
          message: `${showPath(path)} has a regular expression that does not hold: ${whyNot(error)}`,
          hint: 'the syntax is RE2: no look-around and no backreferences; a name is captured by (?<name>…)',
        },
      ];
    }
  });
}

/** The reason of the RE2 parser without the expression itself, which may have come from the environment. */
function whyNot(error: LatchgateError): string {
  const reason = (error.cause as { error?: unknown } | undefined)?.error;
  return typeof reason === 'string' ? reason : 'it is not one';
}

/** Complaints about attributes and origins that nothing defines. */
export function checkNames(lines: readonly ConditionLine[], declared: Declared): readonly Finding[] {
  return lines.flatMap((line) => {
    if (line.attribute === 'origin') return checkOrigins(line, declared);
    return attributeNames(declared).has(line.attribute) ? [] : [unknownAttribute(line.attribute, line.path, declared)];
  });
}

function checkOrigins(line: ConditionLine, declared: Declared): readonly Finding[] {
  const origins = originNames(declared);
  const kind = kindOfOrigin(declared);
  return line.values.flatMap((value, index): Finding[] => {
    const pattern = tryPattern(value);
    if (pattern === undefined || [...origins].some((origin) => pattern.match(origin) !== undefined)) return [];
    const meant = nearest(value, origins);
    return [
      {
        path: [...line.path, index],
        code: 'unknown_origin',
        message: `${showPath(line.path)} names no ${kind} of this file`,
        hint:
          meant === undefined
            ? `the ${kind.replaceAll(' or ', 's and ')}s are ${[...origins].join(', ')}`
            : `did you mean ${meant}?`,
      },
    ];
  });
}

export function unknownAttribute(
  attribute: string,
  path: Path,
  declared: Declared,
  at: 'key' | 'value' = 'key',
): Finding {
  const meant = nearest(attribute, attributeNames(declared));
  return {
    path,
    at,
    code: 'unknown_attribute',
    message: `no login defines the attribute ${at === 'key' ? `\`${attribute}\`` : declared.show(attribute, path)}`,
    hint: meant === undefined ? 'name its claim: login.NAME.claims.ATTRIBUTE: CLAIM' : `did you mean ${meant}?`,
  };
}

/** Whether some text fits both: exact and glob are decided, a regular expression is given the benefit of the doubt. */
export function canMeet(a: Pattern, b: Pattern): boolean {
  if (a.kind === 'exact') return b.match(a.text) !== undefined;
  if (b.kind === 'exact') return a.match(b.text) !== undefined;
  if (a.kind === 'regex' || b.kind === 'regex') return true;
  return globsMeet(a.text, b.text);
}

/** Decides from the ends of both globs backwards: `row[j]` says whether the rest of `a` meets the rest of `b` from `j` on. */
function globsMeet(a: string, b: string): boolean {
  let row: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const below = row;
    row = [];
    for (let j = b.length; j >= 0; j--) {
      const [one, other] = [a[i], b[j]];
      if (one === undefined && other === undefined) row[j] = true;
      else if (one === '*' || other === '*')
        row[j] = (one !== undefined && below[j] === true) || (other !== undefined && row[j + 1] === true);
      else row[j] = one === other && below[j + 1] === true;
    }
  }
  return row[0] === true;
}
