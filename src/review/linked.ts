import type { AuditRecord } from '../audit/audit.ts';
import type { PersonId } from '../model/person.ts';

/** Who people are by now that were linked to another (`person.linked`), as far as the audit still has it. */
export class Links {
  readonly #became = new Map<PersonId, PersonId>();

  /** Takes the records oldest first. */
  hear({ event, person, before }: Pick<AuditRecord, 'event' | 'person' | 'before'>): void {
    if (event !== 'person.linked' || person === undefined) return;
    const gone = typeof before === 'object' && before !== null ? (before as { person?: unknown }).person : undefined;
    if (typeof gone === 'string' && this.now(person) !== gone) this.#became.set(gone, person);
  }

  /** The same id for whom nobody linked. */
  now(person: PersonId): PersonId {
    let now = person;
    for (let next = this.#became.get(now); next !== undefined; next = this.#became.get(now)) now = next;
    return now;
  }
}
