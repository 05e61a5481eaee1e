import type { ListedSubject } from '../directory/directory.ts';
import type { ListedPerson, Source } from '../sources/source.ts';
import type { KnownPeople } from './known.ts';
import { type Listing, listsEverybody } from './listing.ts';

/** More are not asked for one by one: a person says whether they are gone. */
const MOST_ASKED = 1_000;

export interface OverlookedParts extends Pick<KnownPeople, 'subjects'> {
  /** The raw groups that the source says of somebody. */
  readonly groupsOf: (person: ListedPerson) => readonly string[] | undefined;
}

/**
 * The listing, with those who are asked for by their ids because it lacks them, or says that they are not active any more
 * or in fewer groups: the lists of some services lag behind, and go back in time, and whoever changes from one group to
 * another while the groups are read one after the other is found in neither. What is said of the one counts.
 */
export async function withOverlooked(
  source: Pick<Source, 'lookUp'>,
  whole: Listing,
  { subjects, groupsOf }: OverlookedParts,
  signal: AbortSignal,
): Promise<Listing> {
  if (!listsEverybody(whole) || whole.people.length === 0) return whole;
  const listing = withAliases(whole, subjects);
  if (source.lookUp === undefined) return listing;
  const listed = new Map(listing.people.map(({ subject, active }) => [subject, active]));
  const doubtful = [...subjects.values()].filter(({ subject, active }) => active === true && !listed.get(subject));
  if (doubtful.length > MOST_ASKED) return { ...listing, unasked: doubtful.length };
  const lesser = lessThanBefore(listing, subjects, groupsOf);
  // Whether somebody is there at all comes first; who is there and has less is no more than that.
  const asked = [...doubtful.map(({ subject }) => subject), ...lesser.slice(0, MOST_ASKED - doubtful.length)];
  if (asked.length === 0) return listing;
  const found = await source.lookUp(asked, signal);
  const blocked = found.filter(({ subject, active }) => active && listed.get(subject) === false);
  const missing = found.filter(({ subject }) => !listed.has(subject));
  const isLesser = new Set(lesser);
  const changed = found.filter(({ subject }) => isLesser.has(subject));
  const better = new Map([...blocked, ...missing, ...changed].map((person) => [person.subject, person]));
  if (better.size === 0) return listing;
  const { people, end, doubled } = listing;
  const restored = changed.filter((person) => !hasLess(person, subjects.get(person.subject), groupsOf));
  const notes = [
    ...numbered('not in the list and there all the same, so read one by one', missing),
    ...numbered('blocked in the list and active all the same, so read one by one', blocked),
    ...numbered('in fewer groups by the list and in them all the same, so read one by one', restored),
  ];
  return {
    people: [...people.filter(({ subject }) => !better.has(subject)), ...better.values()],
    end: { ...end, notes: [...end.notes, ...notes] },
    doubled,
  };
}

function lessThanBefore(
  { people }: Listing,
  subjects: KnownPeople['subjects'],
  groupsOf: OverlookedParts['groupsOf'],
): readonly string[] {
  const lesser = people.filter((person) => person.active && hasLess(person, subjects.get(person.subject), groupsOf));
  return lesser.map(({ subject }) => subject);
}

function hasLess(
  person: ListedPerson,
  known: ListedSubject | undefined,
  groupsOf: OverlookedParts['groupsOf'],
): boolean {
  const before = known?.active === true ? (known.rememberedGroups ?? []) : [];
  if (before.length === 0) return false;
  const now = new Set(groupsOf(person));
  return before.some((group) => !now.has(group));
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

function numbered(text: string, people: readonly ListedPerson[]): readonly string[] {
  return people.length === 0 ? [] : [`${text}: ${people.length}`];
}
