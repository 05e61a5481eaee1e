import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../directory/database.ts';
import type { ScimGroupRow, ScimUserRow, Tables } from '../../directory/tables.ts';
import type { Page } from '../protocol/list.ts';
import type { Condition } from './conditions.ts';

/** A column that the database can put resources in order by. */
export interface Order {
  readonly column: 'id' | 'user_name' | 'external_id' | 'name_key' | 'created_at' | 'modified_at';
  readonly isDescending: boolean;
}

export interface Found<Row> {
  readonly total: number;
  readonly rows: readonly Row[];
}

/** Resources of one kind of one client. */
export interface Table<Row> {
  /** One page of what a condition says exactly: the database counts and pages. */
  page(condition: Condition | undefined, page: Page, order?: Order): Promise<Found<Row>>;
  /** What a condition lets through, a part at a time, in the order of the ids. Others get their turn in between. */
  scan(condition: Condition | undefined): AsyncIterable<readonly Row[]>;
}

/** Rows that are looked at between two turns of the event loop. */
const SCAN_PAGE = 500;

export function userTable(database: Database, client: string): Table<ScimUserRow> {
  const from = (db: Kysely<Tables>, condition: Condition | undefined) =>
    db
      .selectFrom('scim_users')
      .where('client', '=', client)
      .where('body', 'is not', null)
      .$if(condition !== undefined, (query) => query.where((condition as Condition).where));
  return {
    page: (condition, { offset, count }, order) =>
      database.run(async (db) => {
        // A column that only those have who are there, and that stands in an index.
        const { count: total } = await db
          .selectFrom('scim_users')
          .select(sql<number>`count(user_name)`.as('count'))
          .where('client', '=', client)
          .$if(condition !== undefined, (query) => query.where((condition as Condition).where))
          .executeTakeFirstOrThrow();
        if (count === 0 || offset >= total) return { total, rows: [] };
        // The ids alone stand in an index: whoever is left out is not read.
        const ids = db
          .selectFrom('scim_users')
          .select('id')
          .where('client', '=', client)
          .where('user_name', 'is not', null)
          .$if(condition !== undefined, (query) => query.where((condition as Condition).where))
          .$if(order !== undefined, (query) => query.orderBy(inOrder(order as Order)))
          .orderBy('id')
          .limit(count)
          .offset(offset);
        const rows = await db
          .selectFrom('scim_users')
          .selectAll()
          .where('client', '=', client)
          .where('id', 'in', ids)
          .where('body', 'is not', null)
          .$if(order !== undefined, (query) => query.orderBy(inOrder(order as Order)))
          .orderBy('id')
          .execute();
        return { total, rows };
      }),
    scan: (condition) =>
      scan(database, (db, after) =>
        from(db, condition).selectAll().where('id', '>', after).orderBy('id').limit(SCAN_PAGE).execute(),
      ),
  };
}

export function groupTable(database: Database, client: string): Table<ScimGroupRow> {
  const from = (db: Kysely<Tables>, condition: Condition | undefined) =>
    db
      .selectFrom('scim_groups')
      .where('client', '=', client)
      .$if(condition !== undefined, (query) => query.where((condition as Condition).where));
  return {
    page: (condition, { offset, count }, order) =>
      database.run(async (db) => {
        const counted = sql<number>`count(*)`.as('count');
        const { count: total } = await from(db, condition).select(counted).executeTakeFirstOrThrow();
        if (count === 0 || offset >= total) return { total, rows: [] };
        const rows = await from(db, condition)
          .selectAll()
          .$if(order !== undefined, (query) => query.orderBy(inOrder(order as Order)))
          .orderBy('id')
          .limit(count)
          .offset(offset)
          .execute();
        return { total, rows };
      }),
    scan: (condition) =>
      scan(database, (db, after) =>
        from(db, condition).selectAll().where('id', '>', after).orderBy('id').limit(SCAN_PAGE).execute(),
      ),
  };
}

/** What has no value comes last, and first the other way round (RFC 7644 §3.4.2.3). */
function inOrder({ column, isDescending }: Order) {
  return isDescending ? sql`${sql.ref(column)} desc nulls first` : sql`${sql.ref(column)} asc nulls last`;
}

async function* scan<Row extends { readonly id: string }>(
  database: Database,
  read: (db: Kysely<Tables>, after: string) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[], void> {
  for (let after = ''; ; ) {
    const from = after;
    const rows = await database.run((db) => read(db, from));
    if (rows.length > 0) yield rows;
    if (rows.length < SCAN_PAGE) return;
    after = rows.at(-1)?.id ?? '';
    await nextTurn();
  }
}
