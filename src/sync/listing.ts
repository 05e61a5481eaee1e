import type { ListedPerson, ListingEnd, Source } from '../sources/source.ts';

/** Everybody whom a source lists. */
export interface Listing {
  readonly people: readonly ListedPerson[];
  readonly end: ListingEnd;
  /** Subjects that were listed more than once, against the source's promise: nobody can say which of them is right. */
  readonly doubled: ReadonlySet<string>;
  /** So many are missing or not active any more that they were not asked for one by one, though the list may lag behind. */
  readonly unasked?: number;
}

/** Reads a source to its end. Throws what the source throws: a part of a listing is none. */
export async function readListing(source: Source, signal: AbortSignal): Promise<Listing> {
  const people: ListedPerson[] = [];
  const subjects = new Set<string>();
  const doubled = new Set<string>();
  const listing = source.list(signal);
  for (;;) {
    const next = await listing.next();
    if (next.done === true) return { people, end: next.value, doubled };
    const { subject } = next.value;
    if (subjects.has(subject)) doubled.add(subject);
    else {
      subjects.add(subject);
      people.push(next.value);
    }
  }
}

/** Whether it can be said of somebody that they are not in the source. */
export function listsEverybody({ end, doubled }: Listing): boolean {
  return end.complete && end.unreadable === 0 && doubled.size === 0;
}
