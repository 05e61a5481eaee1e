import { type Kysely, sql } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

/** Rows read and written at once: below the number of parameters that either database takes in a statement. */
const PAGE = 500;
/** Others refer to its rows. */
const FIRST = 'people';
/** Has a row from the start, which says that there is no record yet. */
const HEAD = 'audit_head';
const PLACE = 'place_of_row';

export interface CopiedTable {
  readonly table: string;
  readonly rows: number;
}

/**
 * Copies everything that a SQLite state database holds into another one that holds nothing, of either kind; all or
 * nothing, and of one moment: nobody else writes to `from` meanwhile, whoever tries waits and then reads
 * `state_unavailable`. Both are of this version, as `openDatabase` leaves them. Throws `state_not_empty`; `usage` when `from` is no
 * SQLite; `internal` when something is missing afterwards.
 */
export async function copyState(from: Database, to: Database): Promise<readonly CopiedTable[]> {
  if (from.engine !== 'sqlite') {
    throw new LatchgateError('usage', 'only a SQLite state is copied: for PostgreSQL there are pg_dump and pg_restore');
  }
  return from.transaction(async (db) => {
    const tables = await tablesOf(db);
    return to.transaction(async (trx) => {
      await assertEmpty(trx, tables);
      const copied: CopiedTable[] = [];
      for (const table of tables) copied.push({ table, rows: await copyTable(db, trx, table) });
      if (to.engine === 'postgres') await goOnCounting(trx);
      return copied;
    });
  });
}

async function tablesOf(db: Kysely<Tables>): Promise<readonly string[]> {
  const all = (await db.introspection.getTables()).map(({ name }) => name).filter((name) => name !== FIRST);
  return [FIRST, ...all.sort()];
}

async function assertEmpty(trx: Kysely<Tables>, tables: readonly string[]): Promise<void> {
  for (const table of tables) {
    const found =
      await sql`select 1 from ${sql.table(table)} ${table === HEAD ? sql`where seq > 0` : sql``} limit 1`.execute(trx);
    if (found.rows.length > 0) {
      throw new LatchgateError('state_not_empty', 'the database to copy to holds something already', {
        detail: { table },
      });
    }
  }
  await sql`delete from ${sql.table(HEAD)}`.execute(trx);
}

async function copyTable(from: Kysely<Tables>, trx: Kysely<Tables>, table: string): Promise<number> {
  let copied = 0;
  for (let place = 0; ; ) {
    const rows = await pageOf(from, table, place);
    if (rows.length === 0) break;
    place = Number(rows.at(-1)?.[PLACE]);
    const values = rows.map(({ [PLACE]: _, ...row }) => row);
    await trx
      .insertInto(table as keyof Tables)
      .values(values as never)
      .execute();
    copied += rows.length;
  }
  const counted = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(trx);
  if (Number(counted.rows[0]?.count) !== copied) {
    throw new LatchgateError('internal', 'rows are missing after they were copied', { detail: { table } });
  }
  return copied;
}

async function pageOf(db: Kysely<Tables>, table: string, place: number): Promise<readonly Record<string, unknown>[]> {
  const page = sql<Record<string, unknown>>`select *, rowid as ${sql.ref(PLACE)} from ${sql.table(table)}
    where rowid > ${place} order by rowid limit ${PAGE}`;
  return (await page.execute(db)).rows;
}

/** What the database numbers by itself goes on after what was copied. */
async function goOnCounting(trx: Kysely<Tables>): Promise<void> {
  await sql`select setval(pg_get_serial_sequence('ended_sessions', 'seq'), coalesce(max(seq), 1), max(seq) is not null)
    from ended_sessions`.execute(trx);
}
