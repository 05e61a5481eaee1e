import type { DecidedRules, Decision, DesiredAccount, OriginTrace, RuleTrace } from '../model/desired.ts';
import type { GrantedEntitlement } from '../model/entitlement.ts';
import type { Merged } from './authority.ts';
import type { Reading } from './reading.ts';
import type { Refusal } from './refusal.ts';

/** Most people are said the whole of: what is alike for them is made once. */
const NOBODY: readonly string[] = [];
const ALONE: Merged['from'] = new Map();

/** Rules that look at no groups. `areAll`: there are no others. */
export interface RulesWithoutGroups {
  readonly rules: readonly string[];
  readonly areAll: boolean;
}

/** A decision in the making. */
export class Draft {
  readonly current: Reading;
  /** Readings that count, the current one first. */
  readonly readings: Reading[];
  readonly rules: RuleTrace[] = [];
  readonly notes: string[];
  readonly given = new Map<string, readonly GrantedEntitlement[]>();
  readonly accounts = new Map<string, DesiredAccount>();
  readonly #spoiled = new Set<string>();
  readonly #withoutGroups: RulesWithoutGroups;
  merged: Merged;
  denial: { readonly code: string; readonly message: string | undefined } | undefined;

  constructor(current: Reading, withoutGroups: RulesWithoutGroups) {
    this.#withoutGroups = withoutGroups;
    this.current = current;
    this.readings = [current];
    const { attributes, emailTrusted } = current.read;
    this.merged = { attributes, emailTrusted, from: ALONE };
    this.notes = [...current.read.notes];
  }

  /** What another origin said earlier and is refused by now neither gives nor takes; it can still deny. */
  add(reading: Reading): void {
    this.readings.push(reading);
    if (reading.refusals.length === 0) return;
    this.#spoiled.add(reading.assertion.origin);
    const reasons = reading.refusals.map(({ code, note }) => `${note} (${code})`).join('; ');
    this.notes.push(`${reading.assertion.origin}: left as it is, because ${reasons}`);
  }

  /** Those that can be read and speak for the person; the current one when none does. */
  speaking(): readonly Reading[] {
    if (this.readings.length === 1) return this.readings;
    const sound = this.readings.filter(({ refusals, assertion }) => refusals.length === 0 && assertion.active);
    return sound.length > 0 ? sound : [this.current];
  }

  give(target: string, entitlements: readonly GrantedEntitlement[]): void {
    const before = this.given.get(target);
    this.given.set(target, before === undefined ? entitlements : [...before, ...entitlements]);
  }

  /** The first denial stands. */
  deny(code: string, message: string | undefined): void {
    this.denial ??= { code, message };
  }

  leaveAlone(): readonly string[] {
    const { areAll } = this.#withoutGroups;
    const kept = this.readings.filter((one) => one.groupsAbsent === 'unheard' || (one.isGroupless && !areAll));
    if (kept.length === 0 && this.#spoiled.size === 0) return NOBODY;
    return [...new Set([...kept.map(({ assertion }) => assertion.origin), ...this.#spoiled])].sort();
  }

  /** What is decided of origins that are left alone only because they sent no groups. */
  decidedRules(): DecidedRules | undefined {
    const { rules, areAll } = this.#withoutGroups;
    const groupless = this.readings.filter(
      ({ isGroupless, refusals }) => isGroupless && !areAll && refusals.length === 0,
    );
    if (groupless.length === 0) return undefined;
    const origins = groupless.map(({ assertion }) => assertion.origin).sort();
    return Object.fromEntries(origins.map((origin) => [origin, rules]));
  }

  refused(refusals: readonly Refusal[]): Decision {
    const [first] = refusals;
    this.notes.push(...refusals.map(({ code, note }) => `refused: ${note} (${code})`));
    this.deny(first?.code ?? 'internal', undefined);
    return { ...this.decision(), groups: [] };
  }

  decision(): Decision {
    const { denial, accounts, rules } = this;
    const from = this.merged.from;
    const trace = { origins: this.readings.map(originTrace), rules, notes: withoutRepeats(this.notes) };
    const decidedRules = this.decidedRules();
    const decision: Decision = {
      decision: denial === undefined ? 'allow' : 'deny',
      accounts,
      leaveAlone: this.leaveAlone(),
      ...(decidedRules === undefined ? {} : { decidedRules }),
      attributes: this.merged.attributes,
      groups: this.current.groups.names,
      trace: from.size === 0 ? trace : { ...trace, authority: [...from].map(([name, origin]) => ({ name, origin })) },
    };
    if (denial === undefined) return decision;
    const { code, message } = denial;
    return message === undefined ? { ...decision, code } : { ...decision, code, message };
  }
}

function withoutRepeats(notes: readonly string[]): readonly string[] {
  return notes.length < 2 ? notes : [...new Set(notes)];
}

function originTrace({ assertion, read, groups, groupsAbsent }: Reading): OriginTrace {
  const trace = { origin: assertion.origin, attributes: read.trace, groups: groups.trace };
  return groupsAbsent === undefined ? trace : { ...trace, groupsAbsent };
}
