import type { ListedSubject } from '../directory/directory.ts';
import type { PersonId } from '../model/person.ts';
import type { Memory } from '../provisioning/job.ts';
import type { Goal } from '../provisioning/outcome.ts';
import type { Planned } from '../provisioning/plan-one.ts';
import type { Deciding } from './deciding.ts';
import type { KnownPeople } from './known.ts';
import type { Lately } from './lately.ts';
import type { Listing } from './listing.ts';
import type { TargetMemory } from './memory.ts';
import type { TargetSnapshot } from './snapshot.ts';
import type { HeldPlannedChange } from './sync.ts';

/** One person's part of a plan, as it will be applied. */
export interface PlannedRow {
  /** For people who are new to the directory an id that stands for them until they are in it. */
  readonly person: PersonId;
  readonly subject: string;
  readonly goal: Goal;
  readonly memory: Memory;
  readonly planned: Planned;
}

/** Somebody whose sessions end, and, when the owner says that they are gone, who leaves everywhere. */
export interface Leaver {
  readonly person: PersonId;
  readonly subject: string;
  readonly leaves: boolean;
}

/** What was read and what follows from it, person by person. */
export interface Draft {
  readonly listing: Listing;
  readonly known: KnownPeople;
  readonly memory: TargetMemory;
  readonly snapshot: TargetSnapshot;
  readonly deciding: Deciding;
  readonly lately: Lately;
  readonly rows: readonly PlannedRow[];
  readonly held: readonly HeldPlannedChange[];
  readonly out: readonly Leaver[];
  /** Subjects that a complete listing lacks. */
  readonly gone: readonly ListedSubject[];
  /** Subjects that were listed and of whom nothing is remembered: what was said of them is refused, or may be half of it. */
  readonly unheard: ReadonlySet<string>;
  /** Whom the source listed before. */
  readonly before: number;
  /** Of these, whom it lacks, be the listing complete or not. */
  readonly missing: number;
}

const STAND_IN = 'new ';

/** An id for somebody who is not in the directory yet. */
export function standIn(subject: string): PersonId {
  return `${STAND_IN}${subject}`;
}

/** Whether the id only stands for somebody who is not in the directory yet. */
export function isStandIn(person: PersonId): boolean {
  return person.startsWith(STAND_IN);
}

/** For a row of a plan: who is meant, as far as the directory knows them. */
export function whose(person: PersonId, subject: string): { readonly person?: PersonId; readonly subject: string } {
  return isStandIn(person) ? { subject } : { person, subject };
}
