import { type Kysely, sql } from 'kysely';

/** People are looked up by their address, without its case, whenever somebody new comes. */
export async function indexEmails(db: Kysely<unknown>): Promise<void> {
  await sql`create index people_email on people (lower(email))`.execute(db);
}
