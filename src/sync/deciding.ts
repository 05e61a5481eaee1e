import type { ListedSubject } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { Decision } from '../model/desired.ts';
import type { Assertion, PersonId } from '../model/person.ts';
import { type LeaverPolicy, personLeaves } from '../provisioning/leaver.ts';
import { type Goal, goalFor, isPolicy } from '../provisioning/outcome.ts';
import type { ListedPerson } from '../sources/source.ts';

/** The source of a sync as an origin. */
export interface SyncOrigin {
  readonly name: string;
  /** Issuer of the subjects that it lists. */
  readonly issuer: string;
  /** Who owns somebody whom this origin lists, who belongs to `owner` or to nobody until now. */
  ownerOf(owner: string | undefined): string;
}

/** What is to become of one person in the sync's target. */
export type Decided =
  | {
      readonly goal: Goal;
      /** The owner says that the person is gone: a leaver in every target. */
      readonly leaves: boolean;
      /** No session may go on. */
      readonly isOut: boolean;
    }
  /** What was said cannot be taken: nothing of theirs changes. */
  | { readonly refused: string; readonly message: string };

export interface DecidingParts {
  readonly origin: SyncOrigin;
  readonly target: string;
  readonly mapping: Mapping;
  readonly leaver: LeaverPolicy;
  /** What the other origins of the config said, by person. */
  readonly others: ReadonlyMap<PersonId, readonly RememberedAssertion[]>;
  readonly now: Date;
}

const NOTHING_SAID: readonly RememberedAssertion[] = [];

type Known = Omit<ListedSubject, 'subject' | 'person'>;

/** What the mapping makes of people, listed or missing. Pure. */
export class Deciding {
  readonly #parts: DecidingParts;

  constructor(parts: DecidingParts) {
    this.#parts = parts;
  }

  /**
   * Somebody whom the source lists, by one subject or several. `known` is absent for people who are new to the directory,
   * `account` is given when theirs is there, so that it need not be said what a new one would be.
   */
  listed(listed: readonly ListedPerson[], person: PersonId, known: Known | undefined, account?: string): Decided {
    const { origin, leaver, now, others } = this.#parts;
    const owner = origin.ownerOf(known?.owner);
    const isOwner = owner === origin.name;
    if (known?.disabled === true) return out(personLeaves(leaver, known, now.getTime()), false);
    if (!isOwner && known?.leftAt !== undefined) return out(personLeaves(leaver, known, now.getTime()), false);
    const assertions: RememberedAssertion[] = [];
    for (const one of listed) if (one.active) assertions.push(this.assertionOf(one, known));
    if (assertions.length === 0) return isOwner ? this.#leaves(known, owner) : this.#byOthers(person);
    assertions.unshift(...(others.get(person) ?? NOTHING_SAID));
    const { mapping, target } = this.#parts;
    const hasAccount = account !== undefined;
    return this.#goal(mapping.map({ person, assertions, current: origin.name, only: target, hasAccount }));
  }

  /** Somebody whom the source has listed before and lacks now. */
  gone(person: PersonId, known: Known): Decided {
    const { origin, leaver, now } = this.#parts;
    const owner = origin.ownerOf(known.owner);
    if (known.disabled || (owner !== origin.name && known.leftAt !== undefined)) {
      return out(personLeaves(leaver, known, now.getTime()), false);
    }
    return owner === origin.name ? this.#leaves(known, owner) : this.#byOthers(person);
  }

  assertionOf({ subject, active, claims }: ListedPerson, known: Known | undefined): RememberedAssertion {
    const { origin, now } = this.#parts;
    const { name, issuer } = origin;
    const rememberedGroups = known?.rememberedGroups;
    if (rememberedGroups === undefined) return { origin: name, issuer, subject, active, claims, at: now };
    return { origin: name, issuer, subject, active, claims, at: now, rememberedGroups };
  }

  /** For what the directory remembers of somebody: the names by which people find them. */
  decide(assertion: Assertion, person: PersonId): Decision {
    const assertions = [...(this.#parts.others.get(person) ?? []), assertion];
    return this.#parts.mapping.map({ person, assertions, current: assertion.origin });
  }

  #leaves(known: Known | undefined, owner: string): Decided {
    const { leaver, now } = this.#parts;
    const leftAt = known?.leftAt ?? now;
    return out(personLeaves(leaver, { leftAt, owner }, now.getTime()), true);
  }

  /** This origin gives nothing any more: what is left is what others give. */
  #byOthers(person: PersonId): Decided {
    const { mapping, others, origin } = this.#parts;
    const assertions = others.get(person) ?? [];
    const active = assertions.filter((assertion) => assertion.active);
    const latest = active.toSorted((a, b) => b.at.getTime() - a.at.getTime())[0];
    if (latest !== undefined)
      return this.#goal(mapping.map({ person, assertions, current: latest.origin, only: this.#parts.target }));
    const reason = `gone from ${origin.name}`;
    return {
      goal: { leaving: { policy: 'disable', reason, person: false, leaveAlone: [] } },
      leaves: false,
      isOut: false,
    };
  }

  #goal(decision: Decision): Decided {
    const isDenied = decision.decision === 'deny';
    if (isDenied && !isPolicy(decision.code)) {
      const message =
        decision.trace.notes.findLast((note) => note.startsWith('refused: ')) ?? 'what is said cannot be read';
      return { refused: decision.code ?? 'internal', message: message.replace(/^refused: /, '') };
    }
    return { goal: goalFor(decision, this.#parts.target), leaves: false, isOut: isDenied };
  }
}

function out(leaving: ReturnType<typeof personLeaves>, leaves: boolean): Decided {
  return { goal: { leaving }, leaves, isOut: true };
}
