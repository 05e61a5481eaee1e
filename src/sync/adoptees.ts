import type { RememberedAssertion } from '../mapping/reading.ts';
import type { PersonId } from '../model/person.ts';
import { standIn } from './draft.ts';
import { readKnown } from './known.ts';
import { type Listing, listsEverybody, readListing } from './listing.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';

/** Everything that origins say of one person now. */
export interface Somebody {
  readonly person: PersonId;
  readonly assertions: readonly RememberedAssertion[];
  /** What the sources said just now and is to be remembered; the rest was. */
  readonly listed: readonly { readonly assertion: RememberedAssertion; readonly owner: string }[];
}

interface Gathered {
  assertions: RememberedAssertion[];
  readonly listed: { readonly assertion: RememberedAssertion; readonly owner: string }[];
}

type People = Map<PersonId, Gathered>;

/**
 * Whom the syncs' sources list, and whom any origin has spoken of before, unless the source that did so does not any more.
 * `isPart`: a source said that it did not list everybody.
 */
export async function everybody(
  deps: SyncDeps,
  { syncs }: { readonly syncs: readonly SyncSetup[] },
  notes: string[],
  signal: AbortSignal,
): Promise<{ readonly people: readonly Somebody[]; readonly isPart: boolean }> {
  const people: People = new Map();
  let isPart = false;
  for await (const page of deps.directory.listings.others('')) {
    for (const { person, ...assertion } of page) {
      if (assertion.active && deps.origins.has(assertion.origin)) of(people, person).assertions.push(assertion);
    }
  }
  for (const sync of syncs) {
    const listing = await readListing(sync.source, signal);
    const { complete, why, notes: said } = listing.end;
    notes.push(...said);
    if (!complete)
      notes.push(`the listing of ${sync.origin.name} is not complete${why === undefined ? '' : `: ${why}`}`);
    isPart ||= !complete;
    forget(people, sync, listing);
    await hear(deps, people, sync, listing);
  }
  return { people: [...people].map(([person, somebody]) => ({ person, ...somebody })), isPart };
}

/** What the source said before of those whom it does not list any more, or lists as inactive. */
function forget(people: People, { origin }: SyncSetup, listing: Listing): void {
  const isWhole = listsEverybody(listing);
  const listed = new Map(listing.people.map(({ subject, active }) => [subject, active]));
  for (const somebody of people.values()) {
    somebody.assertions = somebody.assertions.filter((one) => {
      if (one.origin !== origin.name || one.issuer !== origin.issuer || listing.doubled.has(one.subject)) return true;
      return listed.get(one.subject) ?? !isWhole;
    });
  }
}

/** Of a part of a listing only those count whom the source has not spoken of before: of the others it may say half. */
async function hear(
  { directory, mapping, origins, clock }: SyncDeps,
  people: People,
  { origin, login }: SyncSetup,
  listing: Listing,
): Promise<void> {
  const isWhole = listsEverybody(listing);
  const known = await readKnown(directory, {
    origin: origin.name,
    issuer: origin.issuer,
    mapping,
    origins,
    ...(login === undefined ? {} : { login }),
  });
  for (const { subject, active, claims } of listing.people) {
    if (!active || listing.doubled.has(subject)) continue;
    const before = known.subjects.get(subject);
    if (before?.disabled === true || before?.leftAt !== undefined) continue;
    if (!isWhole && before?.active === true) continue;
    const somebody = of(people, before?.person ?? standIn(subject));
    const assertion = {
      origin: origin.name,
      issuer: origin.issuer,
      subject,
      active,
      claims,
      at: new Date(clock.now()),
    };
    somebody.assertions = [
      ...somebody.assertions.filter((one) => one.origin !== origin.name || one.subject !== subject),
      assertion,
    ];
    somebody.listed.push({ assertion, owner: origin.ownerOf(before?.owner) });
  }
}

function of(people: People, person: PersonId): Gathered {
  const found = people.get(person) ?? { assertions: [], listed: [] };
  people.set(person, found);
  return found;
}
