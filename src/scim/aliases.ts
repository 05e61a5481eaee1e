import type { Database } from '../directory/database.ts';
import type { Directory } from '../directory/directory.ts';
import { toAssertion } from '../directory/person-rows.ts';
import type { Mapping } from '../mapping/mapping.ts';
import { aliasIssuer } from '../model/origin.ts';
import type { PersonId } from '../model/person.ts';

const PAGE = 1_000;

/**
 * Writes down by which `external_id` the people of a login are pushed, of those who logged in before anybody pushed them.
 * Whoever logs in afterwards is written down then. Of two who say the same of themselves nobody is known by it.
 */
export async function rememberAliases(
  {
    people,
    database,
    mapping,
  }: { readonly people: Directory['people']; readonly database: Database; readonly mapping: Mapping },
  login: string,
): Promise<void> {
  const issuer = aliasIssuer(login);
  const byId = new Map<string, PersonId | undefined>();
  for (let after = ''; ; ) {
    const from = after;
    const rows = await database.run((db) =>
      db
        .selectFrom('assertions')
        .selectAll()
        .where('origin', '=', login)
        .where('unverified', '=', 0)
        .where('person_id', '>', from)
        .where('person_id', 'not in', (inner) =>
          inner.selectFrom('subjects').select('person_id').where('issuer', '=', issuer),
        )
        .orderBy('person_id')
        .limit(PAGE)
        .execute(),
    );
    for (const row of rows) {
      const id = mapping.externalId(toAssertion(row));
      if (id !== undefined) byId.set(id, byId.has(id) && byId.get(id) !== row.person_id ? undefined : row.person_id);
    }
    after = rows.at(-1)?.person_id ?? '';
    if (rows.length < PAGE) break;
  }
  for (const [subject, person] of byId) {
    if (person !== undefined) await people.addSubject(person, { issuer, subject }, login);
  }
}
