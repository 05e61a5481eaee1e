import type { Source } from '../sources/source.ts';
import type { KnownPeople } from './known.ts';
import { type Listing, listsEverybody } from './listing.ts';

/** More are not asked for one by one: a person says whether they are gone. */
const MOST_ASKED = 1_000;

/**
 * The listing, with those whom it lacks and who are there all the same when they are asked for by their ids: the lists of
 * some services lag behind, and go back in time.
 */
export async function withOverlooked(
  source: Pick<Source, 'lookUp'>,
  listing: Listing,
  { subjects }: Pick<KnownPeople, 'subjects'>,
  signal: AbortSignal,
): Promise<Listing> {
  if (source.lookUp === undefined || !listsEverybody(listing) || listing.people.length === 0) return listing;
  const listed = new Set(listing.people.map(({ subject }) => subject));
  const missing = [...subjects.values()].filter(({ subject, active }) => active === true && !listed.has(subject));
  if (missing.length === 0) return listing;
  if (missing.length > MOST_ASKED) {
    return { ...listing, unasked: missing.length };
  }
  const found = await source.lookUp(
    missing.map(({ subject }) => subject),
    signal,
  );
  if (found.length === 0) return listing;
  const note = `not in the list and there all the same, so read one by one: ${found.length}`;
  const { people, end, doubled } = listing;
  return { people: [...people, ...found], end: { ...end, notes: [...end.notes, note] }, doubled };
}
