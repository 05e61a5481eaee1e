import type { People } from '../directory/directory.ts';
import type { PersonId } from '../model/person.ts';

const PERSON = /^p_[0-9a-z]{26}$/i;

/** Display names of those of these texts that are ids of people whom we know. */
export async function namesOf(
  people: Pick<People, 'get'>,
  ids: Iterable<string | undefined>,
): Promise<ReadonlyMap<PersonId, string>> {
  const names = new Map<PersonId, string>();
  for (const id of new Set(ids)) {
    if (id === undefined || !PERSON.test(id)) continue;
    const known = await people.get(id);
    if (known !== undefined) names.set(id, known.displayName);
  }
  return names;
}
