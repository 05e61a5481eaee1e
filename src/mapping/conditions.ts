import type { Attributes, AttributeValue } from '../model/desired.ts';
import { compilePattern, type Pattern } from './patterns.ts';
import type { Condition } from './schema.ts';

/** Who a `when` is about: one person as one origin describes them. */
export interface ConditionSubject {
  /** After strip, rename and allow. */
  readonly groups: readonly string[];
  /** Those of them by which privileged entitlements may be given. Absent: all. */
  readonly trustedGroups?: readonly string[] | undefined;
  readonly attributes: Attributes;
  /** Name of the origin: compared by the line `origin`. */
  readonly origin: string;
}

/** One value that fits one line. */
export interface LineMatch {
  readonly value: string;
  /** The pattern that fitted, an exact one before others. */
  readonly pattern: Pattern;
  readonly captures: Readonly<Record<string, string>>;
}

export interface Evaluation {
  readonly holds: boolean;
  /** One line for each condition, for people. */
  readonly because: readonly string[];
  /** What fitted, by line. Lines of `not` are not in it. */
  readonly matches: ReadonlyMap<string, readonly LineMatch[]>;
}

export interface CompiledCondition {
  readonly lines: readonly ConditionLine[];
  readonly not: CompiledCondition | undefined;
}

export interface ConditionLine {
  /** `groups`, `origin` or one of our attributes. */
  readonly attribute: string;
  readonly patterns: readonly Pattern[];
  /** Texts without `*` and `~`, for the quick look. */
  readonly exact: ReadonlyMap<string, Pattern>;
  readonly captureNames: ReadonlySet<string>;
}

/** How many values a line of `because` names before it counts. */
const NAMED_VALUES = 3;

/** Throws `config_invalid` for a bad regular expression. */
export function compileCondition(condition: Condition | undefined): CompiledCondition {
  const entries = Object.entries(condition ?? {});
  const lines = entries.flatMap(([attribute, value]) => (Array.isArray(value) ? [compileLine(attribute, value)] : []));
  return { lines, not: condition?.not === undefined ? undefined : compileCondition(condition.not) };
}

function compileLine(attribute: string, texts: readonly string[]): ConditionLine {
  const patterns = texts.map(compilePattern);
  const exact = patterns.filter((pattern) => pattern.kind === 'exact');
  return {
    attribute,
    patterns,
    exact: new Map(exact.map((pattern) => [pattern.text, pattern])),
    captureNames: new Set(patterns.flatMap((pattern) => pattern.captureNames)),
  };
}

/** Attributes that a condition looks at, beside groups and origin. */
export function attributesOf({ lines, not }: CompiledCondition): readonly string[] {
  const own = lines.map(({ attribute }) => attribute).filter((name) => name !== 'groups' && name !== 'origin');
  return not === undefined ? own : [...own, ...attributesOf(not)];
}

export function looksAtGroups({ lines, not }: CompiledCondition): boolean {
  return lines.some(({ attribute }) => attribute === 'groups') || (not !== undefined && looksAtGroups(not));
}

/**
 * Every line must hold, and `not` must not. A line holds when any value fits any of its patterns; an attribute that
 * was not sent, or was sent empty, fits nothing.
 */
export function matchesCondition(condition: CompiledCondition, subject: ConditionSubject): boolean {
  const holds = condition.lines.every((line) => valuesOf(subject, line.attribute).some((value) => fits(line, value)));
  return holds && (condition.not === undefined || !matchesCondition(condition.not, subject));
}

/** The same with reasons and all that fitted. */
export function evaluateCondition(condition: CompiledCondition, subject: ConditionSubject): Evaluation {
  const matches = new Map<string, readonly LineMatch[]>();
  const because: string[] = [];
  let holds = true;
  for (const line of condition.lines) {
    const fitting = valuesOf(subject, line.attribute).flatMap((value) => matchLine(line, value) ?? []);
    matches.set(line.attribute, fitting);
    because.push(`${line.attribute}: ${fitting.length > 0 ? sayMatches(fitting) : sayMiss(line, subject)}`);
    if (fitting.length === 0) holds = false;
  }
  if (condition.not !== undefined) {
    const inner = evaluateCondition(condition.not, subject);
    because.push(`not: ${inner.holds ? 'fails' : 'holds'} (${inner.because.join('; ')})`);
    if (inner.holds) holds = false;
  }
  if (because.length === 0) because.push('no condition: everybody');
  return { holds, because, matches };
}

function fits(line: ConditionLine, value: string): boolean {
  return (
    line.exact.has(value) ||
    line.patterns.some((pattern) => pattern.kind !== 'exact' && pattern.match(value) !== undefined)
  );
}

function matchLine(line: ConditionLine, value: string): LineMatch | undefined {
  let pattern = line.exact.get(value);
  const captures: [string, string][] = [];
  for (const candidate of line.patterns) {
    const match = candidate.kind === 'exact' ? undefined : candidate.match(value);
    if (match === undefined) continue;
    pattern ??= candidate;
    captures.unshift(...Object.entries(match.captures));
  }
  return pattern === undefined ? undefined : { value, pattern, captures: Object.fromEntries(captures) };
}

function valuesOf(subject: ConditionSubject, attribute: string): readonly string[] {
  if (attribute === 'groups') return subject.groups;
  if (attribute === 'origin') return [subject.origin];
  return textsOf(ownAttribute(subject.attributes, attribute));
}

function textsOf(value: AttributeValue | undefined): readonly string[] {
  if (value === undefined || value === null) return [];
  if (typeof value === 'string') return [value];
  return typeof value === 'boolean' ? [String(value)] : value;
}

function ownAttribute(attributes: Attributes, name: string): AttributeValue | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}

function sayMatches(matches: readonly LineMatch[]): string {
  const named = matches
    .slice(0, NAMED_VALUES)
    .map(({ value, pattern }) => `"${value}" is ${pattern.text} (${pattern.kind})`);
  const more = matches.length - named.length;
  return named.join(', ') + (more > 0 ? ` and ${more} more` : '');
}

function sayMiss(line: ConditionLine, subject: ConditionSubject): string {
  const wanted = line.patterns.map((pattern) => pattern.text).join(', ');
  const miss = line.patterns.length === 1 ? `not ${wanted}` : `not one of ${wanted}`;
  if (line.attribute === 'groups' || line.attribute === 'origin') return miss;
  const value = ownAttribute(subject.attributes, line.attribute);
  if (value === undefined) return `${miss} (not sent)`;
  return textsOf(value).length === 0 ? `${miss} (sent empty)` : miss;
}
