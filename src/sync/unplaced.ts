import type { Directory } from '../directory/directory.ts';
import type { Mapping } from '../mapping/mapping.ts';
import type { RememberedAssertion } from '../mapping/reading.ts';
import type { PersonId } from '../model/person.ts';
import { isPolicy } from '../provisioning/outcome.ts';
import type { Draft } from './draft.ts';

export interface UnplacedDeps {
  readonly directory: Pick<Directory, 'people' | 'listings'>;
  readonly mapping: Mapping;
  /** Names of all origins of the config. */
  readonly origins: ReadonlySet<string>;
}

/**
 * By what accounts may be known that are of people of other origins, who are to have one here and have none: a login, a
 * client or another source speaks for them, and the target could not place them (two accounts fit, say). Lower-case.
 */
export async function unplacedAmong(
  { directory, mapping, origins }: UnplacedDeps,
  origin: string,
  { memory, snapshot }: Pick<Draft, 'memory' | 'snapshot'>,
): Promise<ReadonlySet<string>> {
  const said = new Map<PersonId, RememberedAssertion[]>();
  for await (const page of directory.listings.others(origin)) {
    for (const { person, ...assertion } of page) {
      if (!assertion.active || !origins.has(assertion.origin) || memory.of(person).link !== undefined) continue;
      const rows = said.get(person);
      if (rows === undefined) said.set(person, [assertion]);
      else rows.push(assertion);
    }
  }
  const marks = new Set<string>();
  for (const [person, assertions] of said) {
    const current = assertions[0]?.origin ?? '';
    const decision = mapping.map({ person, assertions, current, only: snapshot.name });
    const account = decision.accounts.get(snapshot.name);
    // Of whom nothing can be read nobody can say that they are to have nothing.
    const isUnread = decision.decision === 'deny' && !isPolicy(decision.code);
    if (!isUnread && (decision.decision === 'deny' || account?.active !== true)) continue;
    const who = await directory.people.get(person);
    if (who === undefined || who.disabled || who.leftAt !== undefined) continue;
    const ids = assertions.flatMap(({ subject, origin: from }) => [subject, `${from}|${subject}`]);
    const adapted = account === undefined ? undefined : snapshot.adapted(account);
    const names = [account, adapted].flatMap((one) => [one?.externalId, one?.profile.email, ...(one?.userNames ?? [])]);
    for (const mark of [who.email, ...names, ...ids]) if (mark) marks.add(mark.toLowerCase());
  }
  return marks;
}
