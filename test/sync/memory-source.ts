import type { ListedPerson, ListingEnd, Source } from '../../src/sources/source.ts';

/** A source in memory: people by subject, and how the listing ends. */
export class MemorySource implements Source {
  readonly name: string;
  readonly type = 'memory';
  readonly people = new Map<string, { active: boolean; claims: Record<string, unknown>; aliases?: string[] }>();
  end: ListingEnd = { complete: true, unreadable: 0, notes: [] };
  /** Fails after so many people. */
  failAfter: { readonly people: number; readonly error: Error } | undefined;
  /** Listed besides, as a source that breaks its promise would. */
  again: ListedPerson[] = [];
  /** Only this many are listed, whatever `end` says. */
  cutTo = Number.POSITIVE_INFINITY;

  constructor(name: string) {
    this.name = name;
  }

  add(subject: string, claims: Record<string, unknown> = {}, active = true): void {
    this.people.set(subject, {
      active,
      claims: { email: `${subject}@acme.test`, name: `${subject} Adams`, ...claims },
    });
  }

  async *list(): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
    let listed = 0;
    for (const [subject, person] of this.people) {
      if (this.failAfter?.people === listed) throw this.failAfter.error;
      if (listed === this.cutTo) break;
      yield { subject, ...person };
      listed += 1;
    }
    yield* this.again;
    return this.end;
  }

  /** As a source whose list lags behind has it. */
  lookUp?: NonNullable<Source['lookUp']>;

  async probe(): Promise<void> {}

  async close(): Promise<void> {}
}
