import type { Kysely } from 'kysely';
import type { Tables } from '../../directory/tables.ts';

/** Below the number of parameters that PostgreSQL takes. */
const IDS_AT_ONCE = 500;

/**
 * Locks these users until the end of the transaction, in one order. A statement that changes several rows locks them in
 * the order in which it comes by them, and two at once lock each other out. Needed where transactions run beside each other,
 * once for all whom a transaction is going to change.
 */
export async function lockUsers(db: Kysely<Tables>, client: string, ids: Iterable<string>): Promise<void> {
  const sorted = [...new Set(ids)].sort();
  if (sorted.length < 2) return;
  for (let from = 0; from < sorted.length; from += IDS_AT_ONCE) {
    await db
      .selectFrom('scim_users')
      .select('id')
      .where('client', '=', client)
      .where('id', 'in', sorted.slice(from, from + IDS_AT_ONCE))
      .orderBy('id')
      .forUpdate()
      .execute();
  }
}
