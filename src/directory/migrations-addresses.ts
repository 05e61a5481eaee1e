import type { Kysely } from 'kysely';

/** Somebody may be known by several addresses, one by each word of an origin: whoever looks for them finds them by each. */
export async function addAddresses(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable('assertions').addColumn('address', 'text').execute();
  await db.schema.createIndex('assertions_address').on('assertions').column('address').execute();
}
