import { type Kysely, sql } from 'kysely';
import type { PersonId } from '../model/person.ts';
import type { Person } from './directory.ts';
import { toPerson } from './person-rows.ts';
import { prepared } from './prepared.ts';
import type { Tables } from './tables.ts';

// Not one condition for both: PostgreSQL would look at everybody.
const rowsByEmail = prepared((db, email: string, address: string) =>
  db
    .selectFrom('people')
    .selectAll()
    .where(sql<boolean>`lower(email) = lower(${email})`)
    .union(
      db
        .selectFrom('people')
        .selectAll()
        .where('id', 'in', (inner) =>
          inner.selectFrom('assertions').select('person_id').where('address', '=', address),
        ),
    )
    .orderBy('id'),
);

/** As `People.byEmail` says. */
export async function byEmail(db: Kysely<Tables>, email: string): Promise<readonly Person[]> {
  // Which is what stands there of whom nobody is to find.
  if (email === '') return [];
  return (await rowsByEmail(db, email, email.toLowerCase())).rows.map(toPerson);
}

/** As `People.goneBefore` says. */
export async function goneBefore(
  db: Kysely<Tables>,
  before: number,
  limit: number,
  after: PersonId,
): Promise<readonly Person[]> {
  const rows = await db
    .selectFrom('people')
    .selectAll()
    .where((where) =>
      where.or([
        where('left_at', '<=', before),
        where.and([where('disabled', '=', 1), where('disabled_at', '<=', before)]),
      ]),
    )
    .where('id', '>', after)
    .where('id', 'in', (inner) => inner.selectFrom('accounts').select('person_id'))
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(toPerson);
}

/** As `People.search` says. */
export async function search(db: Kysely<Tables>, text: string, limit: number): Promise<readonly Person[]> {
  if (text === '') return [];
  const lower = text.toLowerCase();
  const containing = (part: string) => `%${part.replace(/[\\%_]/g, '\\$&')}%`;
  const rows = await db
    .selectFrom('people')
    .selectAll()
    .where((where) =>
      where.or([
        where('id', '=', text),
        where(sql`lower(email)`, '=', lower),
        sql<boolean>`lower(display_name) like ${containing(lower)} escape '\\'`,
        // SQLite folds ASCII only: other letters are found as they are written.
        sql<boolean>`display_name like ${containing(text)} escape '\\'`,
        where('id', 'in', where.selectFrom('subjects').select('person_id').where('subject', '=', text)),
        where('id', 'in', where.selectFrom('accounts').select('person_id').where(sql`lower(user_name)`, '=', lower)),
      ]),
    )
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map(toPerson);
}
