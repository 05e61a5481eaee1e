import type { Directory } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { PersonId } from '../model/person.ts';
import type { ListedPerson } from '../sources/source.ts';
import { type Draft, whose } from './draft.ts';
import { isOutBefore } from './held.ts';
import { TargetMemory } from './memory.ts';
import { type LossElsewhere, SaidBefore } from './said-before.ts';
import type { SyncSetup } from './setup.ts';
import type { PlannedChange } from './sync.ts';

export interface CarriedDeps {
  readonly directory: Pick<Directory, 'listings' | 'accounts' | 'ledger' | 'pins'>;
  readonly mapping: Mapping;
  readonly targets: ReadonlyMap<string, unknown>;
}

type CarriedSetup = Pick<SyncSetup, 'origin' | 'planning'>;

/**
 * What people would lose in other targets by what the source says now: a run remembers that, and every login and every
 * other sync goes by what is remembered. Without this another sync of the source would carry past the brake what it
 * holds. Who leaves is not among them: they do so in this run.
 */
export async function carriedElsewhere(
  { directory, mapping, targets }: CarriedDeps,
  setup: CarriedSetup,
  draft: Pick<Draft, 'listing' | 'known' | 'deciding' | 'unheard' | 'gone' | 'out'>,
): Promise<readonly PlannedChange[]> {
  if (targets.size < 2) return [];
  const { known, deciding } = draft;
  const changed = await changedPeople(directory, setup, draft);
  if (changed.size === 0) return [];
  const before = await SaidBefore.read({ ...directory, origin: setup.origin, known, mapping }, changed);
  const losses = new Map<PersonId, readonly LossElsewhere[]>();
  for (const [person, now] of changed) {
    const assertions = now.map((one) => deciding.assertionOf(one, known.subjects.get(one.subject)));
    const lost = before.lossesElsewhere(person, assertions, setup.planning.name);
    if (lost.length > 0) losses.set(person, lost);
  }
  return rowsOf(directory, setup, draft, losses);
}

/** Of whom the source says something else than before, or nothing any more, and what it says now. */
async function changedPeople(
  { listings }: Pick<Directory, 'listings'>,
  { origin }: CarriedSetup,
  { listing, known, unheard, gone, out }: Pick<Draft, 'listing' | 'known' | 'unheard' | 'gone' | 'out'>,
): Promise<ReadonlyMap<PersonId, readonly ListedPerson[]>> {
  const leaving = new Set(out.flatMap(({ person, leaves }) => (leaves ? person : [])));
  const listed = new Map<string, ListedPerson>();
  for (const person of listing.people) listed.set(person.subject, person);
  for (const subject of unheard) listed.delete(subject);
  const missing = new Set(gone.map(({ subject }) => subject));
  const changed = new Map<PersonId, ListedPerson[]>();
  for await (const page of listings.claims(origin.issuer, origin.name)) {
    for (const { subject, active, claims } of page) {
      const now = listed.get(subject);
      const before = known.subjects.get(subject);
      if ((now === undefined && !missing.has(subject)) || before === undefined || !active) continue;
      if (leaving.has(before.person) || isOutBefore(before)) continue;
      if (now?.active !== true || listings.asRecorded(origin.name, now.claims) !== claims)
        changed.set(before.person, []);
    }
  }
  if (changed.size === 0) return changed;
  for (const person of listed.values()) {
    if (person.active) changed.get(known.subjects.get(person.subject)?.person ?? '')?.push(person);
  }
  return changed;
}

async function rowsOf(
  directory: CarriedDeps['directory'],
  { origin }: CarriedSetup,
  { known }: Pick<Draft, 'known'>,
  losses: ReadonlyMap<PersonId, readonly LossElsewhere[]>,
): Promise<readonly PlannedChange[]> {
  if (losses.size === 0) return [];
  const people = [...losses.keys()];
  const subjects = new Map<PersonId, string>();
  for (const { person, subject } of known.subjects.values()) {
    if (losses.has(person) && !subjects.has(person)) subjects.set(person, subject);
  }
  const rows: PlannedChange[] = [];
  for (const target of new Set([...losses.values()].flat().map((loss) => loss.target))) {
    const memory = await TargetMemory.read(directory, target, people);
    for (const person of people) {
      const subject = subjects.get(person) ?? '';
      for (const { entitlement, userNames, target: where } of losses.get(person) ?? []) {
        if (where !== target) continue;
        const key = memory.of(person).link?.userName ?? userNames[0] ?? subject;
        const row = { type: 'user', key, target, reason: `${origin.name} gives it no longer` } as const;
        if (entitlement === undefined) rows.push({ ...row, op: 'disable', ...whose(person, subject) });
        else {
          const { rule, origin: from, ...lost } = entitlement;
          rows.push({ ...row, op: 'revoke', entitlement: lost, rule, origin: from, ...whose(person, subject) });
        }
      }
    }
  }
  return rows;
}
