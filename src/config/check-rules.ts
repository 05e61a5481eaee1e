import { compileCondition } from '../mapping/conditions.ts';
import { parseDistinguishedName } from '../mapping/distinguished-name.ts';
import { type CaptureSources, captureSources, NO_SOURCES } from '../mapping/templates.ts';
import type { EntitlementKind } from '../model/entitlement.ts';
import { TARGET_KINDS } from '../targets/schema.ts';
import { checkReach } from './check-reach.ts';
import { unknownTarget } from './check-routes.ts';
import type { Finding, Path } from './complaint.ts';
import { checkNames, checkPatterns, linesOf, tryPattern } from './conditions.ts';
import type { Checked, Declared } from './declared.ts';
import type { Config } from './schema.ts';

type Rule = Config['rules'][string];
type Grant = NonNullable<Rule['grant']>;

/** Rules against targets, logins, `groups` and each other. */
export function checkRules(config: Partial<Config>, declared: Declared): Checked {
  const complaints: Finding[] = [];
  for (const [name, rule] of Object.entries(config.rules ?? {})) {
    const path = ['rules', name];
    const lines = linesOf(rule.when, [...path, 'when']);
    complaints.push(...lines.flatMap((line) => checkPatterns(line.values, line.path)), ...checkNames(lines, declared));
    if (rule.grant === undefined) continue;
    complaints.push(...checkGrant(rule.grant, [...path, 'grant'], config, declared));
    // With a pattern that does not compile nobody can say what it would capture.
    const compiles = lines.every((line) => line.patterns.length === line.values.length);
    if (compiles) complaints.push(...checkCaptures(rule, path));
  }
  complaints.push(...checkDefault(config, declared));
  complaints.push(...checkSeparators(config), ...checkBases(config.groups));
  complaints.push(
    ...checkPatterns(config.groups?.allow ?? [], ['groups', 'allow']),
    ...checkPatterns(config.safety?.never_touch ?? [], ['safety', 'never_touch']),
  );
  const reach = checkReach(config, declared);
  return {
    complaints: [...complaints, ...reach.complaints],
    warnings: [...reach.warnings, ...warnOfNames(config.groups)],
  };
}

function checkBases(groups: Config['groups'] | undefined): readonly Finding[] {
  return (groups?.dn_under ?? []).flatMap((base, index): readonly Finding[] => {
    if (parseDistinguishedName(base) !== undefined) return [];
    const path = ['groups', 'dn_under', index];
    const hint = 'write it as the directory does, such as OU=Groups,DC=example,DC=com; several are a list';
    return [{ path, code: 'invalid_value', message: 'not a distinguished name', hint }];
  });
}

function warnOfNames(groups: Config['groups'] | undefined): readonly Finding[] {
  if (groups === undefined || groups.dn === 'cn' || groups.dn_under.length === 0) return [];
  const message = 'without `dn: cn` no group is looked at as a distinguished name';
  return [{ path: ['groups', 'dn_under'], at: 'key', code: 'no_effect', message, hint: 'add dn: cn' }];
}

/** Characters that every distinguished name has for itself. */
const OF_NAMES = [',', '+', '=', '\\'];

/** One text of several distinguished names cannot be cut where each of them has a comma. */
function checkSeparators(config: Partial<Config>): readonly Finding[] {
  if (config.groups?.dn !== 'cn') return [];
  return (['login', 'sources'] as const).flatMap((section) =>
    Object.entries(config[section] ?? {}).flatMap(
      ([name, { groups_separator: separator = '' }]): readonly Finding[] => {
        if (!OF_NAMES.some((character) => separator.includes(character))) return [];
        const message = '`groups.dn: cn` reads distinguished names, and this cuts each of them to pieces';
        const hint = 'have the provider send a list, or names with ";" between them';
        return [{ path: [section, name, 'groups_separator'], code: 'invalid_value', message, hint }];
      },
    ),
  );
}

function checkDefault({ default: fallback, ...config }: Partial<Config>, declared: Declared): readonly Finding[] {
  if (fallback?.grant === undefined) return [];
  const path = ['default', 'grant'];
  const captures = placeholdersOf(fallback.grant, path).flatMap((use) =>
    unknownCapture(use, NO_SOURCES, 'default has no `when` from which it could take one: write the name out'),
  );
  return [...checkGrant(fallback.grant, path, config, declared), ...captures];
}

/** Targets that are not there, and kinds of entitlement that a target does not have. */
function checkGrant(grant: Grant, path: Path, config: Partial<Config>, declared: Declared): readonly Finding[] {
  return Object.entries(grant).flatMap(([target, given]) => {
    const type = config.targets?.[target]?.type;
    const found = [...unknownTarget(target, [...path, target], declared, 'key')];
    if (type === undefined) return found;
    const kinds: readonly [EntitlementKind, string, number][] = [
      ['group', 'groups', given.groups.length],
      ['role', 'roles', given.roles.length],
      ['permission', 'permissions', Object.keys(given.permissions).length],
    ];
    for (const [kind, key, count] of kinds) {
      if (count === 0 || TARGET_KINDS[type].includes(kind)) continue;
      const takes = TARGET_KINDS[type].map((one) => `${one}s`).join(' and ');
      found.push({
        path: [...path, target, key],
        at: 'key',
        code: 'unknown_entitlement_kind',
        message: `a ${type} target has no ${kind}s`,
        hint: `it takes ${takes}`,
      });
    }
    return found;
  });
}

interface Placeholder {
  readonly name: string;
  readonly path: Path;
}

const PLACEHOLDER = /\$\{([^{}]*)\}/g;

/** Every `${…}` in a grant, with its place. */
function placeholdersOf(grant: Grant, path: Path): readonly Placeholder[] {
  const inText = (text: string, place: Path): Placeholder[] =>
    [...text.matchAll(PLACEHOLDER)].map(([, name = '']) => ({ name, path: place }));
  return Object.entries(grant).flatMap(([target, given]) => [
    ...given.groups.flatMap((name, index) => inText(name, [...path, target, 'groups', index])),
    ...given.roles.flatMap((name, index) => inText(name, [...path, target, 'roles', index])),
    ...Object.entries(given.permissions).flatMap(([scope, names]) =>
      [scope, ...names].flatMap((text) => inText(text, [...path, target, 'permissions', scope])),
    ),
  ]);
}

function checkCaptures(rule: Rule, path: Path): readonly Finding[] {
  const { lines } = compileCondition(rule.when);
  const sources = captureSources(lines);
  const counts = new Map<string, number>();
  for (const line of lines) for (const name of line.captureNames) counts.set(name, (counts.get(name) ?? 0) + 1);
  const found: Finding[] = [];
  for (const use of placeholdersOf(rule.grant ?? {}, [...path, 'grant'])) {
    const ambiguous = (counts.get(use.name) ?? 0) > 1 || (use.name === 'match' && counts.has('match'));
    if (ambiguous) found.push(ambiguousCapture(use));
    else if (use.name === 'match' && !sources.lineOf.has('match')) found.push(matchWithoutLine(use, lines.length));
    else found.push(...unknownCapture(use, sources, capturesHint([...sources.lineOf.keys()])));
  }
  return [...found, ...partialCaptures(rule, path, sources)];
}

function ambiguousCapture({ name, path }: Placeholder): Finding {
  const message = `\${${name}} could be taken from more than one place in \`when\``;
  const hint =
    name === 'match'
      ? '`match` is the name of the value that fitted: give the capture another name'
      : 'give the captures different names';
  return { path, code: 'capture_ambiguous', message, hint };
}

function matchWithoutLine({ path }: Placeholder, lines: number): Finding {
  return lines > 1
    ? {
        path,
        code: 'capture_ambiguous',
        message: '${match} could be the value of more than one line of `when`',
        hint: 'capture the part that is meant: ~(?<name>.*)',
      }
    : {
        path,
        code: 'unknown_capture',
        message: '${match} is the value that fitted, and this rule compares none',
        hint: 'add a line such as groups: "bi-*" to `when`',
      };
}

function capturesHint(names: readonly string[]): string {
  return `the rule makes ${names.map((name) => `\${${name}}`).join(', ') || 'no captures'}; (?<name>…) in a pattern that begins with ~ makes one, and variables of the environment are not read in a grant`;
}

function unknownCapture({ name, path }: Placeholder, sources: CaptureSources, hint: string): readonly Finding[] {
  if (sources.lineOf.has(name)) return [];
  return [{ path, code: 'unknown_capture', message: `nothing in this rule captures \${${name}}`, hint }];
}

/** A value of a list that does not capture what another one does would give nothing: who fits it would be passed over. */
function partialCaptures(rule: Rule, path: Path, sources: CaptureSources): readonly Finding[] {
  const used = new Set(placeholdersOf(rule.grant ?? {}, []).map((use) => use.name));
  return [...used].flatMap((name) => {
    const attribute = name === 'match' ? undefined : sources.lineOf.get(name);
    const line = linesOf(rule.when, [...path, 'when']).find(
      (one) => !one.negated && one.path.length === path.length + 2 && one.attribute === attribute,
    );
    return (line?.values ?? []).flatMap((value, index): Finding[] => {
      if (tryPattern(value)?.captureNames.includes(name) !== false) return [];
      const message = `the grant needs \${${name}}, which this value does not capture`;
      return [
        {
          path: [...(line?.path ?? path), index],
          code: 'unknown_capture',
          message,
          hint: 'put it into a rule of its own',
        },
      ];
    });
  });
}
