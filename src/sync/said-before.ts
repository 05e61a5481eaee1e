import type { Listings } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { Decision } from '../model/desired.ts';
import { entitlementKey, type GrantedEntitlement } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { SyncOrigin } from './deciding.ts';
import type { KnownPeople } from './known.ts';

export interface SaidBeforeParts {
  readonly listings: Pick<Listings, 'claims'>;
  readonly origin: SyncOrigin;
  readonly known: KnownPeople;
  readonly mapping: Mapping;
}

/** One thing that a target would take of somebody. */
export interface LossElsewhere {
  readonly target: string;
  /** What the account is likely to be called. */
  readonly userNames: readonly string[];
  /** Absent: the account. */
  readonly entitlement?: GrantedEntitlement;
}

/**
 * What a source said of people when it was read before: what it says now is held against it when a part of its listing
 * may be missing, and with it a part of what it says of somebody.
 */
export class SaidBefore {
  readonly #parts: SaidBeforeParts;
  readonly #people = new Map<PersonId, RememberedAssertion[]>();

  constructor(parts: SaidBeforeParts) {
    this.#parts = parts;
  }

  /** Of everybody, or of these people. */
  static async read(parts: SaidBeforeParts, of?: Pick<ReadonlySet<PersonId>, 'has'>): Promise<SaidBefore> {
    const before = new SaidBefore(parts);
    const { listings, origin, known } = parts;
    for await (const page of listings.claims(origin.issuer, origin.name)) {
      for (const { subject, active, claims } of page) {
        const row = known.subjects.get(subject);
        if (row === undefined || !active || of?.has(row.person) === false) continue;
        before.#add(row.person, subject, claims, row.rememberedGroups);
      }
    }
    return before;
  }

  /**
   * Whether somebody would have less in any target, by what is said of these subjects now: by a login or another sync, which
   * go by what is remembered.
   */
  wouldLose(person: PersonId, now: readonly RememberedAssertion[]): boolean {
    const said = this.#people.get(person);
    if (said === undefined) return false;
    const { mapping, known, origin } = this.#parts;
    const subjects = new Set(now.map(({ subject }) => subject));
    const changed = now.filter((one) => !said.some((before) => isSame(before, one)));
    if (changed.length === 0) return false;
    const others = known.others.get(person) ?? [];
    const decide = (own: readonly RememberedAssertion[]): Decision =>
      mapping.map({ person, assertions: [...others, ...own], current: origin.name });
    const before = decide(said);
    // Of whom it is not known by now what was said, nobody can say that nothing of it is missing.
    if (before.code === 'claim_not_recorded') return true;
    return isLess(before, decide([...said.filter(({ subject }) => !subjects.has(subject)), ...now]));
  }

  /**
   * What somebody would have no longer in other targets than `except`, when this is all that the source says of them: once
   * it is remembered, the next login or sync there takes it.
   */
  lossesElsewhere(person: PersonId, now: readonly RememberedAssertion[], except: string): readonly LossElsewhere[] {
    const said = this.#people.get(person);
    if (said === undefined) return [];
    const { mapping, known, origin } = this.#parts;
    const others = known.others.get(person) ?? [];
    const left = now.length > 0 ? origin.name : latestOf(others)?.origin;
    const before = mapping.map({ person, assertions: [...others, ...said], current: origin.name });
    const after =
      left === undefined ? undefined : mapping.map({ person, assertions: [...others, ...now], current: left });
    return lossesOf(before, after).filter(({ target }) => target !== except);
  }

  #add(person: PersonId, subject: string, claims: string, rememberedGroups: readonly string[] | undefined): void {
    const { name, issuer } = this.#parts.origin;
    const said = this.#people.get(person) ?? [];
    this.#people.set(person, said);
    said.push({
      origin: name,
      issuer,
      subject,
      active: true,
      claims: JSON.parse(claims) as Record<string, unknown>,
      at: new Date(0),
      ...(rememberedGroups === undefined ? {} : { rememberedGroups }),
    });
  }
}

function isSame(before: RememberedAssertion, now: RememberedAssertion): boolean {
  if (before.subject !== now.subject || before.active !== now.active) return false;
  return JSON.stringify(before.claims) === JSON.stringify(now.claims);
}

function latestOf(assertions: readonly RememberedAssertion[]): RememberedAssertion | undefined {
  return assertions.filter(({ active }) => active).toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
}

/** Something that was given by the one is not given by the other. */
function isLess(before: Decision, now: Decision): boolean {
  return before.decision !== 'deny' && (now.decision === 'deny' || lossesOf(before, now).length > 0);
}

/** What was given by the one and is not by the other; undefined: that gives nothing. */
function lossesOf(before: Decision, now: Decision | undefined): readonly LossElsewhere[] {
  if (before.decision === 'deny') return [];
  return [...before.accounts].flatMap(([target, { active, entitlements, userNames }]) => {
    const left = now?.decision === 'allow' ? now.accounts.get(target) : undefined;
    if (left === undefined || (active && !left.active)) return [{ target, userNames }];
    const given = new Set(left.entitlements.map((entitlement) => entitlementKey(entitlement)));
    const lost = entitlements.filter((entitlement) => !given.has(entitlementKey(entitlement)));
    return lost.map((entitlement) => ({ target, userNames, entitlement }));
  });
}
