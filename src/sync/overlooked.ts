import type { ListedPerson, Source } from '../sources/source.ts';
import type { KnownPeople } from './known.ts';
import { type Listing, listsEverybody } from './listing.ts';

/** More are not asked for one by one: a person says whether they are gone. */
const MOST_ASKED = 1_000;

/**
 * The listing, with those who are asked for by their ids because it lacks them, or says that they are not active any more:
 * the lists of some services lag behind, and go back in time. What is said of the one counts.
 */
export async function withOverlooked(
  source: Pick<Source, 'lookUp'>,
  whole: Listing,
  { subjects }: Pick<KnownPeople, 'subjects'>,
  signal: AbortSignal,
): Promise<Listing> {
  if (!listsEverybody(whole) || whole.people.length === 0) return whole;
  const listing = withAliases(whole, subjects);
  if (source.lookUp === undefined) return listing;
  const listed = new Map(listing.people.map(({ subject, active }) => [subject, active]));
  const doubtful = [...subjects.values()].filter(({ subject, active }) => active === true && !listed.get(subject));
  if (doubtful.length === 0) return listing;
  if (doubtful.length > MOST_ASKED) return { ...listing, unasked: doubtful.length };
  const found = await source.lookUp(
    doubtful.map(({ subject }) => subject),
    signal,
  );
  const better = new Map(
    found.flatMap((person) =>
      person.active || !listed.has(person.subject) ? [[person.subject, person] as const] : [],
    ),
  );
  if (better.size === 0) return listing;
  const { people, end, doubled } = listing;
  const notes = [
    ...numbered('not in the list and there all the same, so read one by one', found, (id) => !listed.has(id)),
    ...numbered('blocked in the list and active all the same, so read one by one', [...better.values()], (id) =>
      listed.has(id),
    ),
  ];
  return {
    people: [...people.filter(({ subject }) => !better.has(subject)), ...better.values()],
    end: { ...end, notes: [...end.notes, ...notes] },
    doubled,
  };
}

/** Somebody whose id is one of another's by now is not gone: of them is said what is said of the other. */
function withAliases(listing: Listing, subjects: KnownPeople['subjects']): Listing {
  const listed = new Set(listing.people.map(({ subject }) => subject));
  const found = new Map<string, ListedPerson>();
  for (const { aliases = [], active, claims } of listing.people) {
    for (const subject of aliases) {
      if (subjects.get(subject)?.active === true && !listed.has(subject))
        found.set(subject, { subject, active, claims });
    }
  }
  if (found.size === 0) return listing;
  const { people, end, doubled } = listing;
  const note = `linked to another user of the source by now, and as that one until users link makes them one: ${found.size}`;
  return { people: [...people, ...found.values()], end: { ...end, notes: [...end.notes, note] }, doubled };
}

function numbered(
  text: string,
  people: readonly ListedPerson[],
  counts: (subject: string) => boolean,
): readonly string[] {
  const count = people.filter(({ subject }) => counts(subject)).length;
  return count === 0 ? [] : [`${text}: ${count}`];
}
