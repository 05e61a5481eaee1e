import type { Decision, DesiredAccount, GroupRules, OriginTrace, RuleTrace } from '../model/desired.ts';
import type { GrantedEntitlement } from '../model/entitlement.ts';
import type { Merged } from './authority.ts';
import type { Reading } from './reading.ts';
import type { Refusal } from './refusal.ts';

/** Most people are said the whole of: what is alike for them is made once. */
const NOBODY: readonly string[] = [];
const ALONE: Merged['from'] = new Map();

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
  readonly #groupRules: readonly string[];
  merged: Merged;
  denial: { readonly code: string; readonly message: string | undefined } | undefined;

  /** `groupRules`: names of rules that look at groups. */
  constructor(current: Reading, groupRules: readonly string[]) {
    this.#groupRules = groupRules;
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
    const isKept = (one: Reading) => one.isGroupless && this.#groupRules.length > 0;
    const kept = this.readings.filter((one) => one.groupsAbsent === 'unheard' || isKept(one));
    if (kept.length === 0 && this.#spoiled.size === 0) return NOBODY;
    return [...new Set([...kept.map(({ assertion }) => assertion.origin), ...this.#spoiled])].sort();
  }

  /**
   * Of origins that are left alone only because they sent no groups. `given` in a target: where only rules that look at groups
   * give something, by the groups of last time, what is there by default stays too.
   */
  groupRules(given: readonly GrantedEntitlement[]): GroupRules | undefined {
    const rules = this.#groupRules;
    const isWhole = ({ isGroupless, refusals }: Reading) => isGroupless && refusals.length === 0;
    const others = this.readings.filter(
      (one) => !isWhole(one) && (one.groupsAbsent === 'unheard' || one.refusals.length > 0),
    );
    const without = new Set(others.map(({ assertion }) => assertion.origin));
    const groupless = new Set(this.readings.filter(isWhole).map(({ assertion }) => assertion.origin));
    const origins = [...groupless].filter((origin) => !without.has(origin)).sort();
    if (origins.length === 0 || rules.length === 0) return undefined;
    const isByGroups = given.every(({ origin, rule }) => origins.includes(origin) && rules.includes(rule));
    const kept = given.length > 0 && isByGroups ? [...rules, 'default'] : rules;
    return Object.fromEntries(origins.map((origin) => [origin, kept]));
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
    const groupRules = this.groupRules([]);
    const decision: Decision = {
      decision: denial === undefined ? 'allow' : 'deny',
      accounts,
      leaveAlone: this.leaveAlone(),
      ...(groupRules === undefined ? {} : { groupRules }),
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
