import type { AuditRecord } from '../audit/audit.ts';
import type { PersonId } from '../model/person.ts';

/** Somebody who was one with another, and was made a person of their own. */
export interface Apart {
  /** Who that is by now. */
  readonly person: PersonId;
  /** By which that one was known. */
  readonly subject: string;
  /** Until when they were one. */
  readonly until: Date;
}

/**
 * Who people are by now that were linked to another (`person.linked`), and who was made of them (`person.unlinked`), as far as
 * the audit still has it.
 */
export class Links {
  readonly #became = new Map<PersonId, { readonly person: PersonId; readonly seq: number }>();
  readonly #splits: (Apart & { readonly from: PersonId; readonly seq: number })[] = [];

  /** Takes the records oldest first. */
  hear({ event, person, before, after, seq, at }: AuditRecord): void {
    if (person === undefined) return;
    if (event === 'person.linked') {
      const gone = textOf(before, 'person');
      if (gone !== undefined && this.now(person) !== gone) this.#became.set(gone, { person, seq });
    } else if (event === 'person.unlinked') {
      const other = textOf(after, 'person');
      const subject = textOf(after, 'subject') ?? '';
      if (other !== undefined) this.#splits.push({ from: person, person: other, subject, until: at, seq });
    }
  }

  /** The same id for whom nobody linked. */
  now(person: PersonId): PersonId {
    let now = person;
    for (let next = this.#became.get(now); next !== undefined; next = this.#became.get(now)) now = next.person;
    return now;
  }

  /** Who may have been this person at that time, and is another by now. */
  apart(person: PersonId, at: Date): readonly Apart[] {
    return [...this.#madeOf(person, -1)].flatMap(({ person: other, subject, until }) => {
      const now = this.now(other);
      return until <= at || now === this.now(person) ? [] : [{ person: now, subject, until }];
    });
  }

  /** By whomever the person became, and of whoever was made of them, each after that record. */
  *#madeOf(person: PersonId, after: number): Generator<Apart> {
    for (const split of this.#splits) {
      if (split.from !== person || split.seq <= after) continue;
      yield split;
      yield* this.#madeOf(split.person, split.seq);
    }
    const became = this.#became.get(person);
    if (became !== undefined) yield* this.#madeOf(became.person, became.seq);
  }
}

function textOf(value: unknown, name: string): string | undefined {
  const member = typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined;
  return typeof member === 'string' ? member : undefined;
}
