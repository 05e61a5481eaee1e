import type { Directory, ListedSubject } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { PersonId } from '../model/person.ts';

/** Whom the directory knows among those whom a source can list, and what others say of them. */
export interface KnownPeople {
  readonly subjects: ReadonlyMap<string, ListedSubject>;
  /** People with several subjects among these. */
  readonly twins: ReadonlySet<PersonId>;
  readonly others: ReadonlyMap<PersonId, readonly RememberedAssertion[]>;
}

export interface KnownOptions {
  readonly origin: string;
  readonly issuer: string;
  /** The login whose people these are: the source lists them by their `external_id`. */
  readonly login?: string;
  readonly mapping: Mapping;
  /** Names of all origins of the config. */
  readonly origins: ReadonlySet<string>;
}

export async function readKnown(
  { listings, people }: Pick<Directory, 'listings' | 'people'>,
  { origin, issuer, login, mapping, origins }: KnownOptions,
): Promise<KnownPeople> {
  const subjects = new Map<string, ListedSubject>();
  const ids = new Set<PersonId>();
  const twins = new Set<PersonId>();
  for await (const page of listings.subjects(issuer, origin)) {
    for (const row of page) {
      subjects.set(row.subject, row);
      if (ids.has(row.person)) twins.add(row.person);
      else ids.add(row.person);
    }
  }
  const others = new Map<PersonId, RememberedAssertion[]>();
  const byId = new Map<string, PersonId | undefined>();
  for await (const page of listings.others(origin)) {
    for (const { person, ...assertion } of page) {
      if (!origins.has(assertion.origin)) continue;
      const rows = others.get(person);
      if (rows === undefined) others.set(person, [assertion]);
      else rows.push(assertion);
      if (assertion.origin !== login) continue;
      // Of those who logged in before the source was there, nobody has written the id down yet.
      const id = mapping.externalId(assertion);
      if (id === undefined || subjects.has(id)) continue;
      // Of two who say the same of themselves nobody is known by it.
      byId.set(id, byId.has(id) && byId.get(id) !== person ? undefined : person);
    }
  }
  for (const [subject, person] of byId) {
    const who = person === undefined ? undefined : await people.get(person);
    if (person === undefined || who === undefined) continue;
    const { disabled, disabledAt, owner, leftAt } = who;
    subjects.set(subject, {
      subject,
      person,
      disabled,
      joinsBy: 'external_id',
      ...(disabledAt === undefined ? {} : { disabledAt }),
      ...(owner === undefined ? {} : { owner }),
      ...(leftAt === undefined ? {} : { leftAt }),
    });
    if (ids.has(person)) twins.add(person);
    else ids.add(person);
  }
  for (const person of others.keys()) if (!ids.has(person)) others.delete(person);
  return { subjects, twins, others };
}
