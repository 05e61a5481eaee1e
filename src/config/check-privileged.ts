import { compilePattern } from '../mapping/patterns.ts';
import { compilePrivileged, type IsPrivileged } from '../mapping/privileged.ts';
import type { Entitlement, EntitlementKind } from '../model/entitlement.ts';
import { ADMINISTRATORS, TARGET_KINDS } from '../targets/schema.ts';
import { unknownTarget } from './check-routes.ts';
import { type Finding, type Path, showPath } from './complaint.ts';
import { tryPattern } from './conditions.ts';
import type { Checked, Declared } from './declared.ts';
import { nearest } from './nearest.ts';
import type { Config } from './schema.ts';

type Rule = Config['rules'][string];
type Grant = NonNullable<Rule['grant']>;

/** `safety.privileged`: entries that name nothing, and rules that would be refused when somebody logs in. */
export function checkPrivileged(config: Partial<Config>, declared: Declared): Checked {
  const listed = config.safety?.privileged ?? [];
  const complaints = listed.flatMap((entry, index) =>
    checkEntry(entry, ['safety', 'privileged', index], config, declared),
  );
  const warnings: Finding[] = [];
  const isPrivileged = compilePrivileged(listed);
  for (const [name, rule] of Object.entries(config.rules ?? {})) {
    if (rule.grant === undefined) continue;
    const why = whyNotExact(rule);
    for (const given of entitlements(rule.grant, ['rules', name, 'grant'])) {
      if (why !== undefined && isPrivileged(given.target, given.entitlement)) complaints.push(needsExact(given, why));
      warnings.push(...mightBecome(rule, given, listed, isPrivileged));
      warnings.push(...mightMakeAdministrators(rule, given, config, isPrivileged));
    }
  }
  for (const given of entitlements(config.default?.grant ?? {}, ['default', 'grant'])) {
    if (isPrivileged(given.target, given.entitlement))
      complaints.push(needsExact(given, '`default` gives it to everybody'));
  }
  return { complaints, warnings };
}

function checkEntry(entry: string, path: Path, config: Partial<Config>, declared: Declared): readonly Finding[] {
  const [target = '', kind = ''] = entry.split(':');
  const type = config.targets?.[target]?.type;
  const unknown = unknownTarget(target, path, declared);
  if (unknown.length > 0 || type === undefined) return unknown;
  if (TARGET_KINDS[type].includes(kind as EntitlementKind)) return [];
  const meant = nearest(kind, TARGET_KINDS[type]) ?? TARGET_KINDS[type].join(' or ');
  return [
    {
      path,
      code: 'unknown_entitlement_kind',
      message: `a ${type} target has no ${kind}s`,
      hint: `write ${target}:${meant}:NAME`,
    },
  ];
}

interface Given {
  readonly target: string;
  readonly entitlement: Entitlement;
  readonly path: Path;
}

function entitlements(grant: Grant, path: Path): readonly Given[] {
  return Object.entries(grant).flatMap(([target, given]): Given[] => [
    ...given.groups.map((name, index) => ({
      target,
      entitlement: { kind: 'group' as const, name },
      path: [...path, target, 'groups', index],
    })),
    ...given.roles.map((name, index) => ({
      target,
      entitlement: { kind: 'role' as const, name },
      path: [...path, target, 'roles', index],
    })),
    ...Object.entries(given.permissions).flatMap(([scope, names]) =>
      names.map((name) => ({
        target,
        entitlement: { kind: 'permission' as const, name, scope },
        path: [...path, target, 'permissions', scope],
      })),
    ),
  ]);
}

/** Why a rule may not give what is privileged; undefined when it may. */
function whyNotExact(rule: Rule): string | undefined {
  const groups = rule.when?.['groups'];
  if (!Array.isArray(groups)) return 'the rule has no `groups` line';
  const isExact = groups.every((value) => tryPattern(value)?.kind === 'exact');
  return isExact ? undefined : 'the `groups` line of the rule has a pattern';
}

function needsExact(given: Given, why: string): Finding {
  return {
    path: given.path,
    code: 'privileged_needs_exact',
    message: `${showPath(given.path.slice(0, -1))} gives a privileged entitlement, but ${why}`,
    hint: 'give it in a rule whose groups line has exact names only, such as groups: bi-admins',
  };
}

/** A name made from a claim that could come out as a privileged one: such a grant is refused at login. */
function mightBecome(
  rule: Rule,
  given: Given,
  listed: readonly string[],
  isPrivileged: IsPrivileged,
): readonly Finding[] {
  const { name, kind } = given.entitlement;
  if (!name.includes('${')) return [];
  const candidates = listed.flatMap((entry) => {
    const [target, listedKind, ...rest] = entry.split(':');
    return target === given.target && listedKind === kind ? [rest.join(':')] : [];
  });
  const hit = candidates.find(
    (candidate) => isPrivileged(given.target, { kind, name: candidate }) && couldBe(rule, name, candidate),
  );
  if (hit === undefined) return [];
  const message = `${showPath(given.path.slice(0, -1))} could come out as the privileged ${hit}, which is then refused`;
  return [
    {
      path: given.path,
      code: 'privileged_needs_exact',
      message,
      hint: 'narrow the pattern, or give it in a rule of its own with exact groups',
    },
  ];
}

/** The same for the target's own administrators, where nothing would refuse it: a group's name would be enough. */
function mightMakeAdministrators(
  rule: Rule,
  { target, entitlement, path }: Given,
  config: Partial<Config>,
  isPrivileged: IsPrivileged,
): readonly Finding[] {
  const type = config.targets?.[target]?.type;
  const administrators = type && ADMINISTRATORS[type];
  if (administrators === undefined || !entitlement.name.includes('${')) return [];
  const { kind, name } = administrators;
  if (kind !== entitlement.kind || isPrivileged(target, { kind, name }) || !couldBe(rule, entitlement.name, name)) {
    return [];
  }
  const allow = config.groups?.allow ?? [];
  const isGroupItself = entitlement.name === '${match}' && rule.when?.['groups'] !== undefined;
  if (isGroupItself && !allow.some((line) => tryPattern(line)?.match(name) !== undefined)) return [];
  return [
    {
      path,
      code: 'privileged_not_listed',
      message: `${showPath(path.slice(0, -1))} could come out as ${name}: whoever is in a group of the right name administers ${target}`,
      hint: `add ${target}:${kind}:${name} to safety.privileged`,
    },
  ];
}

/** Whether the captures can fill the template up to that name. Decided for `${match}` alone; else only the texts between captures count. */
export function couldBe(rule: Rule, template: string, name: string): boolean {
  const parts = template.toLowerCase().split(/\$\{[^{}]*\}/);
  const folded = name.toLowerCase();
  if (compilePattern(parts.join('*')).match(folded) === undefined) return false;
  const groups = rule.when?.['groups'];
  const [head = '', tail = ''] = parts;
  if (parts.length !== 2 || !template.includes('${match}') || !Array.isArray(groups)) return true;
  const middle = name.slice(head.length, name.length - tail.length);
  return groups.some((value) => tryPattern(value)?.match(middle) !== undefined);
}
