import type { Listings } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { PersonId } from '../model/person.ts';
import type { ListedPerson } from '../sources/source.ts';
import type { Draft } from './draft.ts';
import { SaidBefore } from './said-before.ts';
import type { SyncSetup } from './setup.ts';

export interface CarriedDeps {
  readonly directory: { readonly listings: Pick<Listings, 'claims'> };
  readonly mapping: Mapping;
  readonly targets: ReadonlyMap<string, unknown>;
}

/**
 * How many people would lose something in other targets by what the source says now: a run remembers that, and every
 * login and every other sync goes by what is remembered. Without this another sync of the source would carry past the
 * brake what it holds. Whom the source lacks is not among them: they are weighed as missing.
 */
export async function carriedElsewhere(
  { directory, mapping, targets }: CarriedDeps,
  { origin, planning }: Pick<SyncSetup, 'origin' | 'planning'>,
  draft: Pick<Draft, 'listing' | 'known' | 'deciding' | 'unheard'>,
): Promise<number> {
  if (targets.size < 2) return 0;
  const { listings } = directory;
  const { known, deciding } = draft;
  const parts = { listings, origin, known, mapping };
  const listed = new Map<string, ListedPerson>();
  for (const person of draft.listing.people) listed.set(person.subject, person);
  for (const subject of draft.unheard) listed.delete(subject);
  const changed = new Map<PersonId, ListedPerson[]>();
  for await (const page of listings.claims(origin.issuer, origin.name)) {
    for (const { subject, active, claims } of page) {
      const now = listed.get(subject);
      const person = known.subjects.get(subject)?.person;
      if (now === undefined || person === undefined || !active) continue;
      if (!now.active || JSON.stringify(now.claims) !== claims) changed.set(person, []);
    }
  }
  if (changed.size === 0) return 0;
  for (const person of listed.values()) {
    if (person.active) changed.get(known.subjects.get(person.subject)?.person ?? '')?.push(person);
  }
  const before = await SaidBefore.read(parts, changed);
  let count = 0;
  for (const [person, now] of changed) {
    const assertions = now.map((one) => deciding.assertionOf(one, known.subjects.get(one.subject)));
    if (before.wouldLoseElsewhere(person, assertions, planning.name)) count += 1;
  }
  return count;
}
