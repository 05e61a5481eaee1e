import type { Audit } from '../audit/audit.ts';
import type { GoneSubject, Leases, ListedAssertion, Person } from '../directory/directory.ts';
import type { PersonId } from '../model/person.ts';
import { isForgotten } from '../model/recorded-claims.ts';
import { descriptionOf } from '../provisioning/outcome.ts';
import { type Draft, standIn } from './draft.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';

/** People whose assertions are written in one transaction. */
const PAGE = 250;

/** Says in the audit who has left, once, together with the word that they have. */
export class Leavings {
  readonly #expected: Set<PersonId>;
  readonly about: { readonly actor: string; readonly origin: string; readonly requestId: string };

  /** `leaving`: who leaves by this plan, and had not before. */
  constructor(leaving: Iterable<PersonId>, about: { actor: string; origin: string; requestId: string }) {
    this.#expected = new Set(leaving);
    this.about = about;
  }

  /** Of people as they were written just now, in the same transaction. */
  async record(audit: Pick<Audit, 'append'>, people: readonly Person[]): Promise<void> {
    const left = new Set(
      people.flatMap(({ id, leftAt }) => (leftAt !== undefined && this.#expected.has(id) ? id : [])),
    );
    if (left.size === 0) return;
    await audit.append([...left].map((person) => ({ event: 'person.left', person, ...this.about })));
  }

  /** The transaction stands. */
  written(people: readonly Person[]): void {
    for (const { id, leftAt } of people) if (leftAt !== undefined) this.#expected.delete(id);
  }
}

export interface Remembering {
  readonly leavings: Leavings;
  /** Asked in each transaction; what it throws ends the writing. */
  readonly keep: (leases: Leases) => Promise<void>;
}

/**
 * Writes down what the source says, before anything is done about it: whatever breaks off later, the next run and every
 * login go by the same. What was said before and is said again is not written. Returns who is now behind the ids that
 * only stood for somebody.
 */
export async function rememberListing(
  deps: SyncDeps,
  setup: SyncSetup,
  draft: Draft,
  { leavings, keep }: Remembering,
): Promise<ReadonlyMap<PersonId, PersonId>> {
  const { origin } = setup;
  const ids = new Map<PersonId, PersonId>();
  let page: ListedAssertion[] = [];
  const flush = async (): Promise<void> => {
    const rows = page;
    page = [];
    if (rows.length === 0) return;
    const people = await deps.together(async ({ directory, audit }) => {
      await keep(directory.leases);
      const saved = await directory.listings.save(rows);
      await recordJoins(audit, rows, draft, leavings.about);
      await leavings.record(audit, saved);
      return saved;
    });
    leavings.written(people);
    for (const [at, { assertion }] of rows.entries()) ids.set(standIn(assertion.subject), people[at]?.id ?? '');
  };
  const same = await unchanged(deps, setup, draft);
  for (const listed of draft.listing.people) {
    if (draft.unheard.has(listed.subject) || same.has(listed.subject)) continue;
    const known = draft.known.subjects.get(listed.subject);
    const assertion = draft.deciding.assertionOf(listed, known);
    const groups = deps.mapping.sentGroups(assertion);
    const decision = draft.deciding.decide(assertion, known?.person ?? 'new');
    page.push({
      ...(known === undefined ? {} : { person: known.person, joins: known.joinsBy !== undefined }),
      assertion,
      ...(groups === undefined ? {} : { groups }),
      description: descriptionOf(assertion, decision),
      owner: origin.ownerOf(known?.owner),
    });
    if (page.length === PAGE) await flush();
  }
  await flush();
  return ids;
}

/** Says in the audit who is known by one more door. */
async function recordJoins(
  audit: Pick<Audit, 'append'>,
  rows: readonly ListedAssertion[],
  { known }: Draft,
  about: Leavings['about'],
): Promise<void> {
  const joined = rows.flatMap(({ person, joins, assertion: { subject } }) => {
    if (joins !== true || person === undefined) return [];
    return [{ event: 'person.joined', person, after: { subject, by: known.subjects.get(subject)?.joinsBy }, ...about }];
  });
  if (joined.length > 0) await audit.append(joined);
}

/** Subjects of whom the source says what it said before. */
async function unchanged(
  { directory, mapping }: SyncDeps,
  { origin }: SyncSetup,
  { listing, known, deciding }: Draft,
): Promise<ReadonlySet<string>> {
  const listed = new Map(listing.people.map((person) => [person.subject, person]));
  const same = new Set<string>();
  for await (const page of directory.listings.claims(origin.issuer, origin.name)) {
    for (const { subject, active, claims } of page) {
      const now = listed.get(subject);
      const before = known.subjects.get(subject);
      if (now === undefined || before === undefined || now.active !== active) continue;
      const isOwned = before.owner === origin.ownerOf(before.owner);
      const isPlaced = before.owner !== origin.name || (before.leftAt === undefined) === active;
      const sent = mapping.sentGroups(deciding.assertionOf(now, before));
      const isHeard = sent === undefined || JSON.stringify(sent) === JSON.stringify(before.rememberedGroups ?? null);
      // Of whom the source goes on to say that they are out nothing is written anew that was forgotten.
      const isAsBefore = isForgotten(claims)
        ? !active
        : isHeard && directory.listings.asRecorded(origin.name, now.claims) === claims;
      if (isOwned && isPlaced && isAsBefore) same.add(subject);
    }
  }
  return same;
}

/** Writes down whom a complete listing lacks. */
export async function rememberGone(
  { together, clock }: SyncDeps,
  { origin }: SyncSetup,
  { gone }: Draft,
  { leavings, keep }: Remembering,
): Promise<void> {
  const at = new Date(clock.now());
  for (let from = 0; from < gone.length; from += PAGE) {
    const rows = gone.slice(from, from + PAGE).map(({ subject, person, owner }): GoneSubject => {
      return { issuer: origin.issuer, subject, person, owner: origin.ownerOf(owner) };
    });
    const people = await together(async ({ directory, audit }) => {
      await keep(directory.leases);
      const saved = await directory.listings.saveGone(origin.name, rows, at);
      await leavings.record(audit, saved);
      return saved;
    });
    leavings.written(people);
  }
}
