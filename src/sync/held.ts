import type { ListedSubject } from '../directory/directory.ts';
import type { Change } from '../model/change.ts';
import type { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Goal } from '../provisioning/outcome.ts';
import type { Planned } from '../provisioning/plan-one.ts';
import { whose } from './draft.ts';
import type { TargetMemory } from './memory.ts';
import type { HeldPlannedChange, PlannedChange } from './sync.ts';
import { whyHeld } from './taken.ts';

/** Of whom a plan leaves something undone, and why. */
export class Held {
  readonly rows: HeldPlannedChange[] = [];
  readonly #memory: TargetMemory;

  constructor(memory: TargetMemory) {
    this.#memory = memory;
  }

  add(person: PersonId, subject: string, change: PlannedChange, code: string): void {
    this.rows.push({ ...change, ...whose(person, subject), code });
  }

  /** What is said of them cannot be taken. */
  refused(person: PersonId, subject: string, code: string, reason: string): void {
    const { link } = this.#memory.of(person);
    const op = link === undefined ? 'create' : 'update';
    this.add(person, subject, { op, type: 'user', key: link?.userName ?? subject, reason }, code);
  }

  /** What they are to have cannot be planned. */
  failed(person: PersonId, subject: string, goal: Goal, error: LatchgateError): void {
    const { link } = this.#memory.of(person);
    const op = link === undefined ? 'create' : 'update';
    const names = 'desired' in goal ? goal.desired.userNames : [];
    const key = link?.userName ?? names[0] ?? subject;
    const reason = whyHeld(error, person, subject);
    this.add(person, subject, { op, type: 'user', key, reason }, error.code);
  }

  /** All that is planned for them waits until the source was read whole. */
  back(person: PersonId, subject: string, planned: Planned | undefined, known: ListedSubject | undefined): void {
    for (const { code, ...change } of planned?.plan.held ?? []) this.add(person, subject, change, code);
    const changes: readonly Change[] = planned?.plan.changes ?? [];
    for (const change of changes) this.add(person, subject, change, 'source_incomplete');
    if (changes.length > 0 || (known !== undefined && isOutBefore(known))) return;
    const reason = 'less is said of this person than before, or nothing';
    const key = this.#memory.of(person).link?.userName ?? subject;
    this.add(person, subject, { op: 'update', type: 'user', key, reason }, 'source_incomplete');
  }
}

export function isOutBefore({ disabled, leftAt }: ListedSubject): boolean {
  return disabled || leftAt !== undefined;
}
