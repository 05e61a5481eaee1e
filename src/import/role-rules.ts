import { escaped, exactly, quoted } from './literals.ts';
import type { Branch, Test } from './role-path.ts';

/** `when` of a rule, as YAML has it. */
export type When = Readonly<Record<string, unknown>>;

export interface RoleRule {
  /** Undefined: everybody. */
  readonly when: When | undefined;
  readonly role: string;
}

export interface RoleRules {
  readonly rules: readonly RoleRule[];
  /** Roles that are given by something that cannot be said here, and why. */
  readonly left: readonly string[];
  /** True: a branch could not be said, so that those behind it were left out. */
  readonly isCut: boolean;
  /** The role of whom no branch fits, when it could not be made a rule: for `default`. */
  readonly fallback?: string;
}

/** Attributes that claims are known by here: `groups`, or one of our own. */
export type AttributeOf = (path: readonly string[], isList: boolean) => string;

type Lines = ReadonlyMap<string, readonly string[]>;

/**
 * Rules that together give the role of the first branch that fits. Every rule of ours adds, so that each excludes whoever
 * an earlier branch gives another role to. `isPrivileged`: given by exact groups alone.
 */
export function roleRules(
  branches: readonly Branch[],
  attributeOf: AttributeOf,
  isPrivileged: (role: string) => boolean,
): RoleRules {
  const rules: RoleRule[] = [];
  const left: string[] = [];
  const before: { readonly lines: Lines; readonly role: string }[] = [];
  for (const { anyOf, role } of branches) {
    const others = before.filter((one) => one.role !== role).map(({ lines }) => lines);
    const not = noneOf(others);
    if (anyOf.length === 0) {
      if (isPrivileged(role)) left.push(`${role} for everybody else: privileged roles are given by exact groups`);
      else if (not === undefined) return { rules, left, isCut: false, fallback: role };
      else rules.push({ when: not, role });
      return { rules, left, isCut: false };
    }
    for (const tests of anyOf) {
      const lines = linesOf(tests, attributeOf);
      if (lines !== undefined) before.push({ lines, role });
      const why = whyNot(lines, not, role, isPrivileged);
      // Nobody could say any more whom the branches behind it leave.
      if (lines === undefined)
        return { rules, left: [...left, `${role} and what comes behind it: ${why}`], isCut: true };
      if (why === undefined) rules.push({ when: { ...Object.fromEntries(lines), ...not }, role });
      else left.push(`${role}: ${why}`);
    }
  }
  return { rules, left, isCut: false };
}

function whyNot(
  lines: Lines | undefined,
  not: When | undefined,
  role: string,
  isPrivileged: (role: string) => boolean,
): string | undefined {
  if (lines === undefined) return 'two values of one claim at once';
  if (not === undefined) return 'the conditions before it look at several claims';
  const isExact = lines.get('groups')?.every((pattern) => !pattern.startsWith('~') && !pattern.includes('*')) === true;
  return isPrivileged(role) && !isExact ? 'privileged roles are given by exact groups, not by other claims' : undefined;
}

/** One line for each attribute; two tests of one attribute cannot be said in one `when`. */
function linesOf(tests: readonly Test[], attributeOf: AttributeOf): Lines | undefined {
  const lines = new Map<string, readonly string[]>();
  for (const test of tests) {
    const attribute = attributeOf(test.path, test.kind === 'member');
    const pattern = patternOf(test);
    if (lines.has(attribute) && lines.get(attribute)?.[0] !== pattern) return undefined;
    lines.set(attribute, [pattern]);
  }
  return lines;
}

function patternOf({ kind, value }: Test): string {
  return kind === 'part' ? escaped(`~(?s).*${quoted(value)}.*`) : exactly(value);
}

/** A block that holds for nobody of these; empty for none. Undefined: it takes more than one `not`. */
function noneOf(all: readonly Lines[]): When | undefined {
  const [first] = all;
  if (first === undefined) return {};
  if (all.length === 1) return { not: Object.fromEntries(first) };
  const [attribute] = first.keys();
  const areAlike = all.every((lines) => lines.size === 1 && lines.has(attribute ?? ''));
  if (attribute === undefined || !areAlike) return undefined;
  return { not: { [attribute]: [...new Set(all.flatMap((lines) => lines.get(attribute) ?? []))] } };
}
