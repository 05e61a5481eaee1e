import type { Kysely } from 'kysely';

/** Sessions of the operators' page. */
export async function createConsoleSessions(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .createTable('console_sessions')
    .addColumn('handle', 'text', (column) => column.primaryKey())
    .addColumn('sealed', 'text', (column) => column.notNull())
    .addColumn('idle_until', 'bigint', (column) => column.notNull())
    .addColumn('ends_at', 'bigint', (column) => column.notNull())
    .execute();
  await db.schema.createIndex('console_sessions_idle').on('console_sessions').column('idle_until').execute();
}
