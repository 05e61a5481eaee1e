import type { Kysely } from 'kysely';

/** What is signed of the audit chain, up to where it was removed, and how far each receiver has it. */
export async function createAuditCheckpoints(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('audit_checkpoints')
    .addColumn('seq', 'bigint', (column) => column.primaryKey())
    .addColumn('at', 'bigint', (column) => column.notNull())
    .addColumn('token', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('audit_removed')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('seq', 'bigint', (column) => column.notNull())
    .addColumn('token', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('audit_deliveries')
    .addColumn('name', 'text', (column) => column.primaryKey())
    .addColumn('seq', 'bigint', (column) => column.notNull())
    .addColumn('attempts', 'integer', (column) => column.notNull())
    .addColumn('due_at', 'bigint', (column) => column.notNull())
    .addColumn('code', 'text')
    .execute();
}
