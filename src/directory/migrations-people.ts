import { type Kysely, sql } from 'kysely';

/** People are looked up by their address, without its case, whenever somebody new comes. */
export async function indexEmails(db: Kysely<unknown>): Promise<void> {
  await sql`create index people_email on people (lower(email))`.execute(db);
}

/** Claims that were taken in shadow mode without anybody's having verified them do not count as what the origin said. */
export async function addUnverified(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable('assertions')
    .addColumn('unverified', 'integer', (column) => column.notNull().defaultTo(0))
    .execute();
}
