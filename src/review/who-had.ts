import type { Audit, AuditRecord } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import { type Apart, Links } from './linked.ts';

/** Somebody who had an entitlement at a time. */
export interface Holder {
  /** Who it was then. */
  readonly person: PersonId;
  /** Who that is by now: another where the two were linked since. */
  readonly now: PersonId;
  /** Who was, or may have been, the same person at that time, and was made a person of their own since: it was theirs as well. */
  readonly apart: readonly Apart[];
  readonly target: string;
  /** `role:Admin`, `permission:VIEW@sales`. */
  readonly entitlement: string;
  /** Absent: before the first record that the audit still has. */
  readonly since?: Date;
  /** Absent: until now. */
  readonly until?: Date;
  /** By which rules, because of which origins, at that time. */
  readonly because: readonly { readonly rule: string; readonly origin: string }[];
  /** Who did it: a person, `login:staff`, `operator`, … Absent: it is not in the audit any more. */
  readonly actor?: string;
  /** The record that says so. */
  readonly seq?: number;
  /** The account was switched off at that time: it had the entitlement, and nobody could use it. */
  readonly isOff: boolean;
}

export interface WhoHad {
  readonly holders: readonly Holder[];
  /** When the first record was written that the audit still has. */
  readonly from?: Date;
}

export interface WhoHadDeps {
  readonly audit: Pick<Audit, 'list'>;
  readonly directory: Pick<Directory, 'ledger'>;
  /** Names of the config, for what the ledger has from before the audit. */
  readonly targets: readonly string[];
}

export interface WhoHadQuery {
  /** `role:Admin`, or its name alone. */
  readonly entitlement: string;
  readonly at: Date;
  readonly target?: string;
}

/** One time of having, while the audit is walked. */
interface Spell {
  readonly person: PersonId;
  readonly target: string;
  readonly entitlement: string;
  readonly since?: Date;
  readonly actor?: string;
  readonly seq?: number;
  /** As of `at`, once that is past. */
  because: Map<string, { readonly rule: string; readonly origin: string }>;
}

/**
 * Who had an entitlement at a time, from the audit: what was given by then and not taken before. Of what was given before
 * the first record that there still is, the record that took it says so, or the ledger. Pure but for what it reads.
 */
export async function whoHad(deps: WhoHadDeps, query: WhoHadQuery): Promise<WhoHad> {
  const walk = new Walk(query);
  for await (const record of deps.audit.list({})) walk.hear(record);
  for (const target of deps.targets) {
    if (query.target !== undefined && query.target !== target) continue;
    for await (const page of deps.directory.ledger.dated(target)) {
      for (const grant of page) walk.remember(grant.person, target, entitlementKey(grant), grant);
    }
  }
  return walk.end();
}

class Walk {
  readonly #query: WhoHadQuery;
  readonly #now = new Map<string, Spell>();
  /** Accounts that are switched off. */
  readonly #off = new Set<string>();
  /** The same, at the time that is asked for. */
  #offThen: ReadonlySet<string> | undefined;
  readonly #seen = new Set<string>();
  readonly #links = new Links();
  readonly #found: Omit<Holder, 'now' | 'apart'>[] = [];
  #from: Date | undefined;

  constructor(query: WhoHadQuery) {
    this.#query = query;
  }

  hear(record: AuditRecord): void {
    this.#from ??= record.at;
    if (record.at > this.#query.at) this.#offThen ??= new Set(this.#off);
    this.#links.hear(record);
    const { person, target, event, key = '' } = record;
    if (person === undefined || target === undefined) return;
    if (this.#query.target !== undefined && target !== this.#query.target) return;
    const account = `${target} ${person}`;
    if (event === 'account.disabled') this.#off.add(account);
    else if (event === 'account.updated' && isOn(record)) this.#off.delete(account);
    else if (event === 'account.deleted' || event === 'account.released') {
      this.#off.delete(account);
      for (const [at, spell] of [...this.#now]) if (at.startsWith(`${account} `)) this.#over(at, spell, record);
    }
    if (!isAsked(key, this.#query.entitlement)) return;
    const at = `${account} ${key}`;
    if (GIVEN.has(event)) this.#given(at, record, { person, target, entitlement: key });
    else if (event === 'grant.taken') this.#over(at, this.#now.get(at) ?? this.#before(at, record), record);
    else this.#reason(at, record);
  }

  /** What the ledger has and no record says: given before the audit began, or before its first record was removed. */
  remember(person: PersonId, target: string, key: string, grant: { since: Date; rule: string; origin: string }): void {
    const at = `${target} ${person} ${key}`;
    if (!isAsked(key, this.#query.entitlement) || this.#seen.has(at) || grant.since > this.#query.at) return;
    const before = this.#now.get(at);
    const because = before?.because ?? new Map();
    because.set(`${grant.rule} ${grant.origin}`, { rule: grant.rule, origin: grant.origin });
    const since = before?.since !== undefined && before.since < grant.since ? before.since : grant.since;
    this.#now.set(at, { person, target, entitlement: key, since, because });
  }

  end(): WhoHad {
    for (const spell of this.#now.values()) this.#add(spell, undefined);
    const holders = this.#found.map((one) => {
      const { person } = one;
      return { ...one, now: this.#links.now(person), apart: this.#links.apart(person, this.#query.at) };
    });
    return { holders, ...(this.#from === undefined ? {} : { from: this.#from }) };
  }

  #given(at: string, record: AuditRecord, who: Pick<Spell, 'person' | 'target' | 'entitlement'>): void {
    this.#seen.add(at);
    const before = this.#now.get(at);
    if (before === undefined) {
      const { at: since, actor, seq } = record;
      this.#now.set(at, { ...who, since, actor, seq, because: new Map() });
    }
    this.#reason(at, record);
  }

  #reason(at: string, { at: when, event, rule, origin }: AuditRecord): void {
    const spell = this.#now.get(at);
    if (spell === undefined || rule === undefined || origin === undefined || when > this.#query.at) return;
    if (event === 'grant.reason_gone') spell.because.delete(`${rule} ${origin}`);
    else if (GIVEN.has(event) || event === 'grant.reason_added') {
      spell.because.set(`${rule} ${origin}`, { rule, origin });
    }
  }

  /** Somebody from whom it is taken had it, though nothing says since when. */
  #before(at: string, { person = '', target = '', key = '', rule, origin }: AuditRecord): Spell | undefined {
    if (this.#seen.has(at)) return undefined;
    const because = new Map(
      rule === undefined || origin === undefined ? [] : [[`${rule} ${origin}`, { rule, origin }]],
    );
    return { person, target, entitlement: key, because };
  }

  #over(at: string, spell: Spell | undefined, { at: until }: AuditRecord): void {
    this.#seen.add(at);
    this.#now.delete(at);
    if (spell !== undefined) this.#add(spell, until);
  }

  #add({ because, ...spell }: Spell, until: Date | undefined): void {
    const { at } = this.#query;
    if ((spell.since !== undefined && spell.since > at) || (until !== undefined && until <= at)) return;
    const off = this.#offThen ?? this.#off;
    this.#found.push({
      ...spell,
      ...(until === undefined ? {} : { until }),
      because: [...because.values()],
      isOff: off.has(`${spell.target} ${spell.person}`),
    });
  }
}

const GIVEN: ReadonlySet<string> = new Set(['grant.given', 'grant.adopted']);

function isOn({ after }: AuditRecord): boolean {
  return typeof after === 'object' && after !== null && (after as { active?: unknown }).active === true;
}

/** `role:Admin` by itself or by its name; a permission with its workspace or without. */
function isAsked(key: string, text: string): boolean {
  if (key === text) return true;
  const name = key.slice(key.indexOf(':') + 1);
  if (name === text) return true;
  const isPermission = key.startsWith('permission:');
  return isPermission && (name.slice(0, name.lastIndexOf('@')) === text || key.slice(0, key.lastIndexOf('@')) === text);
}
