import type { EntitlementKind } from '../model/entitlement.ts';
import type { ConditionLine, LineMatch } from './conditions.ts';
import type { GrantConfig } from './schema.ts';

/** A name of the config, cut at its `${…}`: texts at even places, names of captures at odd ones. */
export interface NameTemplate {
  readonly text: string;
  readonly parts: readonly string[];
  /** Lines of `when` that give the captures. */
  readonly lines: readonly string[];
}

export interface EntitlementTemplate {
  readonly kind: EntitlementKind;
  readonly name: NameTemplate;
  readonly scope: NameTemplate | undefined;
  /** Lines of `when` from which this one takes something: each combination of their matches gives once. */
  readonly lines: readonly string[];
  /** Nothing in it comes from a claim. */
  readonly isLiteral: boolean;
}

/** The line of `when` from which `${match}` and each `${capture}` come. */
export interface CaptureSources {
  readonly lineOf: ReadonlyMap<string, string>;
}

export const NO_SOURCES: CaptureSources = { lineOf: new Map() };

const PLACEHOLDER = /\$\{([^{}]*)\}/;

/** A name that two lines capture is left out: nobody could say which is meant. */
export function captureSources(lines: readonly ConditionLine[]): CaptureSources {
  const candidates = lines.flatMap((line) => [...line.captureNames].map((name) => [name, line.attribute] as const));
  const matchLine = lines.find((line) => line.attribute === 'groups') ?? onlyLine(lines);
  if (matchLine !== undefined) candidates.push(['match', matchLine.attribute]);
  const isClear = (name: string): boolean => candidates.filter(([other]) => other === name).length === 1;
  return { lineOf: new Map(candidates.filter(([name]) => isClear(name))) };
}

/** Without a line `groups`, `${match}` is of the one line there is beside `origin`. */
function onlyLine(lines: readonly ConditionLine[]): ConditionLine | undefined {
  const others = lines.filter((line) => line.attribute !== 'origin');
  return others.length === 1 ? others[0] : undefined;
}

/** Cuts the names of a grant; `unknown` is called with each `${…}` that nothing captures. */
export function compileTemplates(
  grant: GrantConfig[string],
  sources: CaptureSources,
  unknown: (placeholder: string) => void,
): readonly EntitlementTemplate[] {
  const cut = (text: string): NameTemplate => {
    const parts = text.split(PLACEHOLDER);
    const names = parts.filter((_, index) => index % 2 === 1);
    for (const name of names) if (!sources.lineOf.has(name)) unknown(name);
    return { text, parts, lines: names.flatMap((name) => sources.lineOf.get(name) ?? []) };
  };
  const template = (kind: EntitlementKind, nameText: string, scopeText?: string): EntitlementTemplate => {
    const name = cut(nameText);
    const scope = scopeText === undefined ? undefined : cut(scopeText);
    const lines = [...new Set([...name.lines, ...(scope?.lines ?? [])])];
    return { kind, name, scope, lines, isLiteral: name.parts.length === 1 && (scope?.parts.length ?? 1) === 1 };
  };
  return [
    ...grant.groups.map((name) => template('group', name)),
    ...grant.roles.map((name) => template('role', name)),
    ...Object.entries(grant.permissions).flatMap(([scope, names]) =>
      names.map((name) => template('permission', name, scope)),
    ),
  ];
}

/** The name with its captures filled in; undefined when one of them took no part in the match. */
export function fillTemplate(
  template: NameTemplate,
  sources: CaptureSources,
  chosen: ReadonlyMap<string, LineMatch>,
): string | undefined {
  let name = '';
  for (const [index, part] of template.parts.entries()) {
    const value = index % 2 === 0 ? part : captured(part, chosen.get(sources.lineOf.get(part) ?? ''));
    if (value === undefined) return undefined;
    name += value;
  }
  return name;
}

function captured(name: string, match: LineMatch | undefined): string | undefined {
  if (match === undefined) return undefined;
  if (name === 'match') return match.value;
  return Object.hasOwn(match.captures, name) ? match.captures[name] : undefined;
}
