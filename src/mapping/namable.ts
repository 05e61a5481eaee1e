import { type Entitlement, entitlementKey } from '../model/entitlement.ts';
import { type CompiledRules, compileRules } from './compile.ts';
import type { ConditionLine } from './conditions.ts';
import type { MappingConfig } from './config.ts';
import { compilePattern, type Pattern } from './patterns.ts';
import { compilePrivileged } from './privileged.ts';
import type { CaptureSources, EntitlementTemplate, NameTemplate } from './templates.ts';

type IsNamable = (target: string, entitlement: Entitlement) => boolean;

/**
 * Whether some rule, or the default, can give an entitlement of this name in this target: what `safety.manage: mapped`
 * counts as ours. A name that a rule makes from what fits is compared with all that could fit. Names are compared as
 * people read them (`label`), and as the target has them.
 */
export function compileNamable(config: MappingConfig): IsNamable {
  const byTarget = new Map<string, ((entitlement: Entitlement) => boolean)[]>();
  const isPrivileged = compilePrivileged(config.privileged);
  for (const { target, template, sources, lines } of templatesOf(compileRules(config))) {
    const fits = compileTemplate(template, sources, lines);
    // A privileged one is only ever given by its exact name.
    const isGivable = (one: Entitlement) => fits(one) && (template.isLiteral || !isPrivileged(target, one));
    byTarget.set(target, [...(byTarget.get(target) ?? []), isGivable]);
  }
  return (target, entitlement) => byTarget.get(target)?.some((fits) => fits(entitlement)) ?? false;
}

/** What rules and the default give in a target by its very name, once each, with the first rule that does. */
export function literalEntitlements(
  config: MappingConfig,
  target: string,
): readonly (Entitlement & { readonly rule: string })[] {
  const { rules, byDefault } = compileRules(config);
  const given = [...rules.map(({ name, grants }) => ({ rule: name, grants })), { rule: 'default', grants: byDefault }];
  const found = new Map<string, Entitlement & { readonly rule: string }>();
  for (const { rule, grants } of given) {
    for (const { kind, name, scope, isLiteral } of grants.flatMap((one) =>
      one.target === target ? one.templates : [],
    )) {
      if (!isLiteral) continue;
      const one = { kind, name: name.text, ...(scope === undefined ? {} : { scope: scope.text }), rule };
      const key = entitlementKey(one);
      if (!found.has(key)) found.set(key, one);
    }
  }
  return [...found.values()];
}

interface PlacedTemplate {
  readonly target: string;
  readonly template: EntitlementTemplate;
  readonly sources: CaptureSources | undefined;
  readonly lines: readonly ConditionLine[];
}

function templatesOf({ rules, byDefault }: CompiledRules): readonly PlacedTemplate[] {
  const ofRules = rules.flatMap(({ grants, sources, condition }) =>
    grants.flatMap(({ target, templates }) =>
      templates.map((template) => ({ target, template, sources, lines: condition.lines })),
    ),
  );
  const others = byDefault.flatMap(({ target, templates }) =>
    templates.map((template) => ({ target, template, sources: undefined, lines: [] })),
  );
  return [...ofRules, ...others];
}

function compileTemplate(
  { kind, name, scope }: EntitlementTemplate,
  sources: CaptureSources | undefined,
  lines: readonly ConditionLine[],
): (entitlement: Entitlement) => boolean {
  const ofName = compileName(name, sources, lines);
  const ofScope = scope === undefined ? undefined : compileName(scope, sources, lines);
  return (entitlement) => {
    if (entitlement.kind !== kind) return false;
    const isScope =
      ofScope === undefined
        ? entitlement.scope === undefined
        : entitlement.scope !== undefined && ofScope.match(entitlement.scope) !== undefined;
    const names = [entitlement.name, ...(entitlement.label === undefined ? [] : [entitlement.label])];
    return isScope && names.some((text) => ofName.match(text) !== undefined);
  };
}

function compileName(
  { parts }: NameTemplate,
  sources: CaptureSources | undefined,
  lines: readonly ConditionLine[],
): Pattern {
  const pieces = parts.map((part, index) => (index % 2 === 0 ? literal(part) : possible(part, sources, lines)));
  return compilePattern(`~${pieces.join('')}`);
}

/** An expression for everything that a capture can hold. */
function possible(capture: string, sources: CaptureSources | undefined, lines: readonly ConditionLine[]): string {
  const line = lines.find(({ attribute }) => attribute === sources?.lineOf.get(capture));
  const expressions = (line?.patterns ?? []).flatMap((pattern) => {
    if (capture === 'match') return [expressionOf(pattern)];
    return pattern.captureNames.includes(capture) ? [groupOf(pattern.text.slice(1), capture)] : [];
  });
  return `(?:${expressions.join('|')})`;
}

function expressionOf({ kind, text }: Pattern): string {
  if (kind === 'exact') return literal(text);
  if (kind === 'glob') return text.split('*').map(literal).join('(?s:.*)');
  return `(?:${unnamed(text.slice(1))})`;
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

/** The same expression without names, of which each may stand once only. */
function unnamed(expression: string): string {
  return expression.replace(/\(\?P?<[A-Za-z_][A-Za-z0-9_]*>/g, '(?:');
}

/** What stands between the parentheses of one named group, with the flags of the whole expression. */
function groupOf(expression: string, name: string): string {
  const begin = new RegExp(`\\(\\?P?<${name}>`).exec(expression);
  if (begin === null) return '(?s:.*)';
  const flags = /^\(\?([a-zA-Z]+)\)/.exec(expression)?.[1];
  let depth = 1;
  let inClass = false;
  const from = begin.index + begin[0].length;
  for (let at = from; at < expression.length; at += 1) {
    const character = expression[at];
    if (character === '\\') at += 1;
    else if (inClass) inClass = character !== ']';
    else if (character === '[') {
      inClass = true;
      // A bracket right after the opening one is a member of the class.
      if (expression[at + 1] === '^') at += 1;
      if (expression[at + 1] === ']') at += 1;
    } else if (character === '(') depth += 1;
    else if (character === ')') depth -= 1;
    if (depth === 0) return `(?${flags ?? ''}:${unnamed(expression.slice(from, at))})`;
  }
  return '(?s:.*)';
}
