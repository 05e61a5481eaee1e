import type { Directory } from '../directory/directory.ts';
import { type JoiningDeps, personByEmail } from '../provisioning/joining.ts';
import type { Deciding } from './deciding.ts';
import type { KnownPeople } from './known.ts';
import type { Listing } from './listing.ts';

/**
 * Whom the directory knows, with those whom the source lists for the first time and who are somebody by their address
 * (`identity.join`). What they are to have is planned as theirs; it is written down with the listing.
 */
export async function withJoined(
  known: KnownPeople,
  { people }: Listing,
  deciding: Pick<Deciding, 'assertionOf'>,
  deps: JoiningDeps & {
    readonly directory: Pick<Directory, 'people' | 'ledger'>;
    readonly origins: ReadonlySet<string>;
  },
): Promise<KnownPeople> {
  if (deps.join === undefined) return known;
  const subjects = new Map(known.subjects);
  const others = new Map(known.others);
  const taken = new Set<string>();
  for (const listed of people) {
    if (subjects.has(listed.subject)) continue;
    const person = await personByEmail(deps, deciding.assertionOf(listed, undefined));
    // Of two who are listed with one address nobody can say which one it is.
    if (person === undefined || taken.has(person.id)) continue;
    taken.add(person.id);
    const { id, disabled, disabledAt, owner, leftAt } = person;
    subjects.set(listed.subject, {
      subject: listed.subject,
      person: id,
      disabled,
      joinsBy: 'verified_email',
      ...(disabledAt === undefined ? {} : { disabledAt }),
      ...(owner === undefined ? {} : { owner }),
      ...(leftAt === undefined ? {} : { leftAt }),
    });
    const said = await deps.directory.people.assertions(id);
    others.set(
      id,
      said.filter(({ origin }) => deps.origins.has(origin)),
    );
  }
  return { ...known, subjects, others };
}
