import type { Change, HeldChange } from '../model/change.ts';
import type { Attributes, Decision, DesiredAccount, OriginTrace, RuleTrace } from '../model/desired.ts';
import type { GrantedEntitlement } from '../model/entitlement.ts';

/** The difference between a target and what the mapping wants there, for one person. */
export interface TargetPlan {
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  /** What an operator has decided about single entitlements there, a line each. */
  readonly pinned?: readonly string[];
}

export function isHeld(plans: ReadonlyMap<string, TargetPlan>): boolean {
  return [...plans.values()].some((plan) => plan.held.length > 0);
}

/** `explain --json`. Members are stable; more may be added. */
export interface ExplainJson {
  readonly decision: 'allow' | 'deny' | 'held';
  /** Reason code of a denial, of the first held change, or null. */
  readonly code: string | null;
  /** The sentence that the person reads, or null. */
  readonly message: string | null;
  readonly attributes: Attributes;
  readonly groups: readonly (OriginTrace['groups'][number] & { readonly origin: string })[];
  readonly rules: readonly RuleTrace[];
  readonly targets: Readonly<Record<string, ExplainTarget>>;
  readonly origins: readonly Omit<OriginTrace, 'groups'>[];
  /** Which origin gave each attribute. Absent: one origin speaks alone. */
  readonly authority?: readonly { readonly name: string; readonly origin: string }[];
  readonly notes: readonly string[];
}

export interface ExplainTarget {
  /** First candidate for a new account; null when none of its claims was sent. */
  readonly userName: string | null;
  readonly userNames: readonly string[];
  /** Null when nothing is given here, and the target was asked all the same. */
  readonly externalId: string | null;
  /** Whether an account that is there may be found by external id, by e-mail. */
  readonly matchExternalId: boolean;
  readonly emailTrusted: boolean;
  readonly active: boolean;
  /** RFC 7643 spelling, before adaptation to the target, with the names that a new account would get. */
  readonly profile: Readonly<Record<string, string | null>>;
  readonly entitlements: readonly GrantedEntitlement[];
  readonly leaveAlone: readonly string[];
  /** Against what is there; empty when the target was not asked. */
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  /** Whether the target was asked. */
  readonly compared: boolean;
  /** What an operator has decided about single entitlements there, a line each; absent: nothing. */
  readonly pinned?: readonly string[];
}

export function explainJson(decision: Decision, plans: ReadonlyMap<string, TargetPlan> = new Map()): ExplainJson {
  const held = decision.decision === 'allow' && isHeld(plans);
  const firstHeld = [...plans.values()].flatMap((plan) => plan.held)[0];
  const names = [...new Set([...decision.accounts.keys(), ...plans.keys()])];
  const targets = names.map((name) => [name, explainTarget(decision.accounts.get(name), plans.get(name))] as const);
  return {
    decision: held ? 'held' : decision.decision,
    code: decision.code ?? (held ? (firstHeld?.code ?? null) : null),
    message: decision.message ?? null,
    attributes: decision.attributes,
    groups: decision.trace.origins.flatMap(({ origin, groups }) => groups.map((group) => ({ ...group, origin }))),
    rules: decision.trace.rules,
    targets: Object.fromEntries(targets),
    origins: decision.trace.origins.map(({ groups: _, ...origin }) => origin),
    ...(decision.trace.authority === undefined ? {} : { authority: decision.trace.authority }),
    notes: decision.trace.notes,
  };
}

function explainTarget(account: DesiredAccount | undefined, plan: TargetPlan | undefined): ExplainTarget {
  const userName = account?.userNames[0] ?? null;
  return {
    userName,
    userNames: account?.userNames ?? [],
    externalId: account?.externalId ?? null,
    matchExternalId: account?.matchExternalId ?? false,
    emailTrusted: account?.emailTrusted ?? false,
    active: account?.active ?? false,
    profile: account === undefined ? {} : { userName, ...account.profileIfNew },
    entitlements: account?.entitlements ?? [],
    leaveAlone: account?.leaveAlone ?? [],
    changes: plan?.changes ?? [],
    held: plan?.held ?? [],
    compared: plan !== undefined,
    ...(plan?.pinned === undefined ? {} : { pinned: plan.pinned }),
  };
}
