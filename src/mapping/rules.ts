import type { RuleTrace } from '../model/desired.ts';
import { type Entitlement, entitlementKey, type GrantedEntitlement } from '../model/entitlement.ts';
import type { ErrorCode } from '../model/errors.ts';
import { type CompiledCondition, type ConditionSubject, evaluateCondition, type LineMatch } from './conditions.ts';
import type { IsPrivileged } from './privileged.ts';
import { type CaptureSources, type EntitlementTemplate, fillTemplate } from './templates.ts';
import { isLongerThan, isUnclean, MAX_NAME_CHARACTERS } from './wellformed.ts';

/** How many entitlements one line of a grant may make out of the values that fit. */
const MAX_COMBINATIONS = 1_000;

export interface CompiledGrant {
  readonly target: string;
  readonly templates: readonly EntitlementTemplate[];
}

export interface CompiledRule {
  readonly name: string;
  readonly condition: CompiledCondition;
  readonly sources: CaptureSources;
  readonly grants: readonly CompiledGrant[];
  /** The sentence for the person. */
  readonly deny: string | undefined;
}

export interface RuleResult {
  readonly trace: RuleTrace;
  /** What was given by target; a target with an empty list is an account without entitlements. */
  readonly given: ReadonlyMap<string, readonly GrantedEntitlement[]>;
}

/** Holds one rule against one person as one origin describes them. */
export function applyRule(rule: CompiledRule, subject: ConditionSubject, isPrivileged: IsPrivileged): RuleResult {
  const { holds, because, matches } = evaluateCondition(rule.condition, subject);
  const giving = new Giving(rule.name, subject.origin, isPrivileged, whyNotPrivileged(matches.get('groups'), subject));
  if (holds) for (const grant of rule.grants) giving.give(grant, rule.sources, matches);
  const trace = {
    name: rule.name,
    origin: subject.origin,
    matched: holds,
    because,
    gave: giving.gave,
    refused: giving.refused,
    ...(holds && rule.deny !== undefined ? { denies: rule.deny } : {}),
  };
  return { trace, given: giving.given };
}

export const NO_EXACT_GROUP = 'the rule fits by no exact group name';

/**
 * A privileged entitlement is for those who are in a group that the rule spells out, and by which the origin may say so;
 * undefined: there is one.
 */
function whyNotPrivileged(
  matches: readonly LineMatch[] | undefined,
  { trustedGroups }: ConditionSubject,
): string | undefined {
  const exact = matches?.filter(({ pattern }) => pattern.kind === 'exact') ?? [];
  if (exact.length === 0) return NO_EXACT_GROUP;
  if (trustedGroups === undefined || exact.some(({ value }) => trustedGroups.includes(value))) return undefined;
  return 'the group is not in `privileged_groups` of the SCIM client, or was renamed';
}

/** Collects what one rule, or the default, gives to one person. */
export class Giving {
  readonly given = new Map<string, GrantedEntitlement[]>();
  readonly gave: string[] = [];
  readonly refused: { readonly entitlement: string; readonly code: ErrorCode; readonly why: string }[] = [];
  readonly #rule: string;
  readonly #origin: string;
  readonly #isPrivileged: IsPrivileged;
  /** Why privileged entitlements are refused, if they are. */
  readonly #whyNot: string | undefined;

  constructor(rule: string, origin: string, isPrivileged: IsPrivileged, whyNot: string | undefined) {
    this.#rule = rule;
    this.#origin = origin;
    this.#isPrivileged = isPrivileged;
    this.#whyNot = whyNot;
  }

  give(grant: CompiledGrant, sources: CaptureSources, matches: ReadonlyMap<string, readonly LineMatch[]>): void {
    const entitlements = new Map<string, GrantedEntitlement>();
    for (const template of grant.templates) {
      for (const entitlement of this.#instances(grant.target, template, sources, matches)) {
        const key = entitlementKey(entitlement);
        if (entitlements.has(key)) continue;
        entitlements.set(key, { ...entitlement, rule: this.#rule, origin: this.#origin });
        this.gave.push(`${grant.target}:${key}`);
      }
    }
    const isBareAccount = grant.templates.length === 0;
    if (isBareAccount) this.gave.push(`${grant.target}: an account`);
    if (isBareAccount || entitlements.size > 0) this.given.set(grant.target, [...entitlements.values()]);
  }

  #instances(
    target: string,
    template: EntitlementTemplate,
    sources: CaptureSources,
    matches: ReadonlyMap<string, readonly LineMatch[]>,
  ): readonly Entitlement[] {
    const lists = template.lines.map((line) => matches.get(line) ?? []);
    const combinations = lists.reduce((product, list) => product * list.length, 1);
    if (combinations > MAX_COMBINATIONS) {
      const why = `${combinations} combinations of values that fit; at most ${MAX_COMBINATIONS}`;
      this.#refuse(target, templateText(template), 'entitlements_too_many', why);
      return [];
    }
    return combine(template.lines, lists).flatMap((chosen) => this.#instance(target, template, sources, chosen) ?? []);
  }

  #instance(
    target: string,
    template: EntitlementTemplate,
    sources: CaptureSources,
    chosen: ReadonlyMap<string, LineMatch>,
  ): Entitlement | undefined {
    const name = fillTemplate(template.name, sources, chosen);
    const scope = template.scope === undefined ? undefined : fillTemplate(template.scope, sources, chosen);
    const fault = nameFault(name) ?? (template.scope === undefined ? undefined : nameFault(scope));
    if (fault !== undefined || name === undefined) {
      this.#refuse(target, templateText(template), 'entitlement_invalid', fault ?? '');
      return undefined;
    }
    const entitlement = { kind: template.kind, name, ...(scope === undefined ? {} : { scope }) };
    if (this.#isPrivileged(target, entitlement) && (!template.isLiteral || this.#whyNot !== undefined)) {
      const why = template.isLiteral ? (this.#whyNot ?? NO_EXACT_GROUP) : 'the name is made from a claim';
      this.#refuse(target, entitlementKey(entitlement), 'privileged_needs_exact', why);
      return undefined;
    }
    return entitlement;
  }

  #refuse(target: string, text: string, code: ErrorCode, why: string): void {
    const entitlement = `${target}:${text}`;
    if (this.refused.some((row) => row.entitlement === entitlement && row.code === code && row.why === why)) return;
    this.refused.push({ entitlement, code, why });
  }
}

function nameFault(name: string | undefined): string | undefined {
  if (name === undefined) return 'a capture took no part in the match';
  if (name.trim() === '') return 'the name would be empty';
  if (isUnclean(name)) return 'the name would hold a control character';
  return isLongerThan(name, MAX_NAME_CHARACTERS)
    ? `the name would have more than ${MAX_NAME_CHARACTERS} characters`
    : undefined;
}

function templateText(template: EntitlementTemplate): string {
  return entitlementKey({
    kind: template.kind,
    name: template.name.text,
    ...(template.scope === undefined ? {} : { scope: template.scope.text }),
  });
}

/** Every way to choose one match of each line. */
function combine(
  lines: readonly string[],
  lists: readonly (readonly LineMatch[])[],
): readonly ReadonlyMap<string, LineMatch>[] {
  let combinations: readonly ReadonlyMap<string, LineMatch>[] = [new Map()];
  for (const [index, line] of lines.entries()) {
    combinations = combinations.flatMap((chosen) =>
      (lists[index] ?? []).map((match) => new Map(chosen).set(line, match)),
    );
  }
  return combinations;
}
