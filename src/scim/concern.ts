import type { Kysely } from 'kysely';
import type { AuditEntry } from '../audit/audit.ts';
import type { Directory, Person } from '../directory/directory.ts';
import type { Tables } from '../directory/tables.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { whyOut } from '../provisioning/outcome.ts';
import { forgetDeletion, noteDeletion, type Removals } from './store/held.ts';

export interface ConcernDeps {
  readonly clock: Clock;
  /** Names of the targets, which are all looked at again. */
  readonly targets: readonly string[];
  /** Present: accounts of leavers are deleted, at once or later, and this is how many may go in a day. */
  readonly deletions?: Removals;
}

/** Somebody whose accounts are to be looked at, because of what the directory has been told. */
export interface Concerned {
  readonly person: PersonId;
  /** Ids of the users by whom they are concerned. */
  readonly users: readonly string[];
  /** No session may go on: they have left, or were disabled. */
  readonly isOut: boolean;
  /** A rule refuses them: no session may go on either. */
  readonly isDenied: boolean;
  /** Where they have something, or are to have something. */
  readonly targets: readonly string[];
}

/** What was said of somebody. */
export interface Told {
  /** Id of the user. */
  readonly user: string;
  readonly before: Person | undefined;
  readonly after: Person;
  readonly isDenied: boolean;
  /** Targets where they are to have something. */
  readonly wanted: readonly string[];
}

/** How long whoever settles has for the targets before the scheduler looks. */
const FOLLOW_UP_MS = 15_000;

/** Gathers whom it concerns what one client says, and sees to it that nobody of them is forgotten. */
export class Concern {
  readonly #deps: ConcernDeps;
  readonly #client: string;
  readonly #directory: Directory;
  readonly #audit: (entry: Omit<AuditEntry, 'actor'>) => void;
  readonly #concerned = new Map<PersonId, Concerned>();

  constructor(
    deps: ConcernDeps,
    client: string,
    directory: Directory,
    audit: (entry: Omit<AuditEntry, 'actor'>) => void,
  ) {
    this.#deps = deps;
    this.#client = client;
    this.#directory = directory;
    this.#audit = audit;
  }

  /** Once for each thing that is said of a person: what counts is the last, and wherever one of them leads. */
  async note(db: Kysely<Tables>, told: Told): Promise<void> {
    const { before, after, wanted } = told;
    const isOut = whyOut(after) !== undefined;
    // Of somebody who is out in every target, linked or not: a login that is under way may be making an account there.
    const targets = isOut ? this.#deps.targets : await this.#targetsOf(before, wanted);
    const known = this.#concerned.get(after.id);
    this.#concerned.set(after.id, {
      person: after.id,
      users: [...new Set([...(known?.users ?? []), told.user])],
      isOut,
      isDenied: told.isDenied || known?.isDenied === true,
      targets: [...new Set([...(known?.targets ?? []), ...targets])],
    });
    await this.#left(db, before, after);
  }

  async #left(db: Kysely<Tables>, before: Person | undefined, after: Person): Promise<void> {
    const { deletions, clock } = this.#deps;
    if (after.leftAt === undefined) {
      if (before?.leftAt !== undefined) await forgetDeletion(db, after.id);
      return;
    }
    if (before?.leftAt !== undefined) return;
    this.#audit({ event: 'person.left', person: after.id });
    if (deletions === undefined) return;
    const deletion = { person: after.id, client: this.#client, at: new Date(clock.now()) };
    const isHeld = await noteDeletion(db, deletion, deletions);
    if (isHeld) this.#audit({ event: 'scim.deletion_held', person: after.id, code: 'too_many_removals' });
  }

  async #targetsOf(known: Person | undefined, wanted: readonly string[]): Promise<readonly string[]> {
    const there = new Set(wanted);
    if (known !== undefined) {
      const { accounts, ledger } = this.#directory;
      for (const { target } of await accounts.ofPerson(known.id)) there.add(target);
      for (const { target } of await ledger.ofPerson(known.id)) there.add(target);
    }
    return this.#deps.targets.filter((target) => there.has(target));
  }

  /** Ahead of the targets: whoever dies before these are done is followed up by the scheduler. */
  async followUp(): Promise<void> {
    const due = new Date(this.#deps.clock.now() + FOLLOW_UP_MS);
    // In one order, so that two clients who speak of the same people at once wait for each other.
    const inOrder = [...this.#concerned.values()].sort((one, other) => (one.person < other.person ? -1 : 1));
    for (const { person, targets } of inOrder) {
      for (const target of targets) await this.#directory.retries.put(person, target, 'target_pending', due);
    }
  }

  result(): readonly Concerned[] {
    return [...this.#concerned.values()];
  }
}
