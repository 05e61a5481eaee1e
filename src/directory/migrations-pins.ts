import type { Kysely } from 'kysely';

/** What operators have decided about single grants, and the reviews by which they did. */
export async function createPins(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('pins')
    .addColumn('person_id', 'text', (column) => column.notNull().references('people.id'))
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('key', 'text', (column) => column.notNull())
    .addColumn('kind', 'text', (column) => column.notNull())
    .addColumn('name', 'text', (column) => column.notNull())
    .addColumn('scope', 'text')
    .addColumn('effect', 'text', (column) => column.notNull())
    .addColumn('by', 'text', (column) => column.notNull())
    .addColumn('reason', 'text')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addPrimaryKeyConstraint('pins_pk', ['person_id', 'target', 'key'])
    .execute();
  await db.schema.createIndex('pins_target').on('pins').columns(['target', 'person_id', 'key']).execute();
  await db.schema
    .createTable('reviews')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('target', 'text', (column) => column.notNull())
    .addColumn('entitlement', 'text')
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('rows', 'integer', (column) => column.notNull())
    .addColumn('seal', 'text', (column) => column.notNull())
    .execute();
}
