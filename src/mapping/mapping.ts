import type { Decision } from '../model/desired.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import { type AccountIds, desiredAccount } from './accounts.ts';
import { type Authority, compileAuthority } from './authority.ts';
import { type CompiledRules, compileRules } from './compile.ts';
import { attributesOf, type ConditionSubject, looksAtGroups } from './conditions.ts';
import type { MappedTarget, MappingConfig } from './config.ts';
import { Draft } from './draft.ts';
import type { FilteredGroups } from './groups.ts';
import { type OriginReader, originReaders } from './origin-reader.ts';
import { compilePrivileged, type IsPrivileged, RENAMED_GROUPS } from './privileged.ts';
import { filled } from './profile.ts';
import type { RememberedAssertion } from './reading.ts';
import { applyRule, Giving, NO_EXACT_GROUP, type RuleResult } from './rules.ts';
import { NO_SOURCES } from './templates.ts';

export interface MappingInput {
  readonly person: PersonId;
  /** What every origin last said of this person, the one being made included. */
  readonly assertions: readonly RememberedAssertion[];
  /** The origin whose assertion is being made: names, ids and groups for headers are taken from it. */
  readonly current: string;
  /** Only the account in this target is wanted. Default: those in all. */
  readonly only?: string;
  /** True: the accounts are there, and what a new one would be is not worked out. Default false. */
  readonly hasAccount?: boolean;
}

/** Pure: the same input gives the same decision. */
export interface Mapping {
  /** Whether the config has an origin of this name: what others said gives nothing. */
  knows(origin: string): boolean;
  /**
   * Decides about one person. What an origin sent never makes it throw: it is a denial with a reason code.
   * Throws `internal` when `current` has no assertion or is no origin of the config: a caller's mistake.
   */
  map(input: MappingInput): Decision;
  /** The raw groups of an assertion, to be remembered; undefined when none were sent or they are refused. */
  sentGroups(assertion: Assertion): readonly string[] | undefined;
  /** The `external_id` of an assertion; undefined when none was sent or what was sent is refused. */
  externalId(assertion: Assertion): string | undefined;
  /** The e-mail of an assertion, when its origin may vouch for it and does. */
  trustedEmail(assertion: Assertion): string | undefined;
}

/** Of as many different people with the same groups the results of the rules are kept. */
const RESULTS_KEPT = 2_000;

/** Compiles the mapping once for all people. Throws `config_invalid`. */
export function compileMapping(config: MappingConfig): Mapping {
  const compiled = new CompiledMapping(config);
  return {
    knows: (origin) => Object.hasOwn(config.origins, origin),
    map: (input) => compiled.map(input),
    sentGroups: (assertion) => compiled.readerOf(assertion)?.sentGroups(assertion),
    externalId: (assertion) => compiled.readerOf(assertion)?.externalId(assertion),
    trustedEmail: (assertion) => compiled.readerOf(assertion)?.trustedEmail(assertion),
  };
}

class CompiledMapping {
  readonly #config: MappingConfig;
  readonly #origins: ReadonlyMap<string, OriginReader>;
  readonly #rules: CompiledRules;
  readonly #authority: Authority;
  readonly #isPrivileged: IsPrivileged;
  readonly #isOnlyOrigin: boolean;
  readonly #targets: readonly (readonly [string, MappedTarget])[];
  /** Attributes that some rule looks at. */
  readonly #looksAt: readonly string[];
  /** Names of rules that look at groups. */
  readonly #groupRules: readonly string[];
  readonly #results = new WeakMap<readonly string[], Map<string, readonly RuleResult[]>>();

  constructor(config: MappingConfig) {
    this.#config = config;
    this.#targets = Object.entries(config.targets);
    this.#rules = compileRules(config);
    this.#authority = compileAuthority(config);
    this.#looksAt = [...new Set(this.#rules.rules.flatMap(({ condition }) => attributesOf(condition)))];
    const byGroups = this.#rules.rules.filter(({ condition }) => looksAtGroups(condition));
    this.#groupRules = byGroups.map(({ name }) => name);
    this.#isPrivileged = compilePrivileged(config.privileged);
    this.#origins = originReaders(config);
    this.#isOnlyOrigin = new Set(Object.keys(config.origins).map((name) => this.#speaksFor(name))).size === 1;
  }

  /** Whose ids these are: a source that lists a login's people speaks of them by that login's ids. */
  #speaksFor(origin: string): string {
    return this.#config.origins[origin]?.speaks_for ?? origin;
  }

  readerOf({ origin }: Assertion): OriginReader | undefined {
    return this.#origins.get(origin);
  }

  map({ person, assertions, current, only, hasAccount = false }: MappingInput): Decision {
    const mine = latestOf(current, assertions);
    const origin = this.#origins.get(current);
    if (mine === undefined || origin === undefined) {
      throw new LatchgateError('internal', 'the mapping was asked about an origin without an assertion', {
        detail: { origin: current },
      });
    }
    const reading = origin.read(mine);
    const draft = new Draft(reading, this.#groupRules);
    if (reading.refusals.length > 0) return draft.refused(reading.refusals);
    this.#readOthers(draft, assertions, mine);
    if (draft.readings.length > 1) draft.merged = this.#authority.merge(draft.speaking());
    this.#applyRules(draft);
    if (draft.denial === undefined) this.#applyDefault(draft);
    if (draft.denial === undefined) this.#makeAccounts(draft, person, only, hasAccount);
    return draft.decision();
  }

  #readOthers(draft: Draft, assertions: readonly RememberedAssertion[], mine: RememberedAssertion): void {
    for (const assertion of assertions) {
      if (assertion === mine) continue;
      const origin = this.#origins.get(assertion.origin);
      if (origin === undefined) {
        draft.notes.push(`${assertion.origin}: not an origin of this config, so what it said gives nothing`);
      } else if (!assertion.active) {
        draft.notes.push(`${assertion.origin}: says that this person is not to have access, and gives nothing`);
      } else draft.add(origin.read(assertion));
    }
  }

  #applyRules(draft: Draft): void {
    for (const { assertion, read, groups, refusals } of draft.readings) {
      const trustedGroups = this.#trusted(assertion, groups);
      const attributes = this.#authority.seenByRules(read.attributes, draft.merged);
      const subject = { groups: groups.names, trustedGroups, attributes, origin: assertion.origin };
      // Of somebody of whom something is not known, a rule with `not` would deny what nobody has said.
      if (refusals.some(({ code }) => code === 'claim_not_recorded')) continue;
      const isSound = refusals.length === 0;
      const results = this.#resultsFor(subject);
      for (const [at, rule] of this.#rules.rules.entries()) {
        const result = results[at];
        if (result === undefined || (!isSound && rule.deny === undefined)) continue;
        const { trace, given } = result;
        draft.rules.push(trace);
        if (trace.matched && rule.deny !== undefined) draft.deny('denied_by_rule', rule.deny);
        for (const [target, entitlements] of given) draft.give(target, entitlements);
      }
    }
  }

  /** Under the names that rules know them by: those that the config lists and the origin has not renamed. */
  #trusted(assertion: Assertion, groups: FilteredGroups): readonly string[] | undefined {
    const listed = this.#config.origins[assertion.origin]?.privileged_groups;
    if (listed === undefined) return undefined;
    const renamed = assertion.claims[RENAMED_GROUPS];
    const isTrusted = (value: string): boolean =>
      listed.includes(value) && !(Array.isArray(renamed) && renamed.includes(value));
    return groups.trace.filter(({ kept, value }) => kept && isTrusted(value)).map(({ name }) => name);
  }

  /** Most people are in the same few groups, and a rule looks at little else: what it came to is kept for the next one. */
  #resultsFor(subject: ConditionSubject): readonly RuleResult[] {
    const key = this.#resultsKey(subject);
    const byKey = this.#results.get(subject.groups) ?? new Map<string, readonly RuleResult[]>();
    const known = byKey.get(key);
    if (known !== undefined) return known;
    const results = this.#rules.rules.map((rule) => applyRule(rule, subject, this.#isPrivileged));
    if (byKey.size >= RESULTS_KEPT) byKey.clear();
    byKey.set(key, results);
    // The filter gives the same list for the same groups as long as it keeps it.
    this.#results.set(subject.groups, byKey);
    return results;
  }

  /** What besides the groups results depend on. */
  #resultsKey({ origin, trustedGroups, attributes }: ConditionSubject): string {
    if (trustedGroups === undefined && this.#looksAt.length === 0) return origin;
    return JSON.stringify([origin, trustedGroups ?? null, this.#looksAt.map((name) => attributes[name] ?? null)]);
  }

  /** The default belongs to every origin that speaks for the person now, so that no single login moves it. */
  #applyDefault(draft: Draft): void {
    const byDefault = this.#config.default;
    if (byDefault.deny !== undefined && draft.given.size === 0) draft.deny('denied_by_default', byDefault.deny);
    const wanting = this.#rules.byDefault.filter(({ target }) => !draft.given.has(target));
    if (wanting.length === 0) return;
    const because = wanting.map(({ target }) => `${target}: no rule gave anything`);
    const sound = draft.readings.filter(({ refusals }) => refusals.length === 0);
    for (const origin of new Set(sound.map(({ assertion }) => assertion.origin))) {
      const giving = new Giving('default', origin, this.#isPrivileged, NO_EXACT_GROUP);
      for (const grant of wanting) giving.give(grant, NO_SOURCES, new Map());
      draft.rules.push({ name: 'default', origin, matched: true, because, gave: giving.gave, refused: giving.refused });
      for (const [target, entitlements] of giving.given) draft.give(target, entitlements);
    }
  }

  #makeAccounts(draft: Draft, person: PersonId, only: string | undefined, hasAccount: boolean): void {
    const { assertion } = draft.current;
    const { attributes, emailTrusted } = draft.merged;
    const owner = {
      person,
      active: assertion.active,
      attributes,
      emailTrusted,
      leaveAlone: draft.leaveAlone(),
      isOnlyOrigin: this.#isOnlyOrigin,
      hasAccount,
    };
    for (const [name, target] of this.#targets) {
      const given = only === undefined || only === name ? draft.given.get(name) : undefined;
      if (given === undefined) continue;
      const mine = { ...owner, groupRules: draft.groupRules(given) };
      const { account, notes } = desiredAccount(mine, this.#idsFor(draft, target), name, target, given);
      draft.accounts.set(name, account);
      draft.notes.push(...notes);
    }
    if (!assertion.active) draft.notes.push(`${assertion.origin}: says that this person is not to have access`);
  }

  /** By which ids a target knows the person: those of the login whose ids it keeps, when that speaks. */
  #idsFor(draft: Draft, { external_ids: keeps }: MappedTarget): AccountIds {
    const speaking = draft.speaking();
    const kept =
      speaking.length === 1 ? speaking : speaking.filter((one) => this.#speaksFor(one.assertion.origin) === keeps);
    const { assertion, read } = this.#authority.identified(kept.length > 0 ? kept : speaking);
    const externalId = filled(read.attributes['external_id']);
    const ids = { origin: this.#speaksFor(assertion.origin), subject: assertion.subject };
    return externalId === undefined ? ids : { ...ids, externalId };
  }
}

function latestOf(origin: string, assertions: readonly RememberedAssertion[]): RememberedAssertion | undefined {
  let found: RememberedAssertion | undefined;
  for (const assertion of assertions) {
    if (assertion.origin === origin && (found === undefined || assertion.at >= found.at)) found = assertion;
  }
  return found;
}
