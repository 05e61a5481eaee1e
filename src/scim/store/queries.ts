import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../../directory/database.ts';
import type { ScimGroupRow, ScimUserRow, Tables } from '../../directory/tables.ts';
import type { Page } from '../protocol/list.ts';
import type { Condition } from './conditions.ts';
import type { Milestone, Milestones } from './milestones.ts';
import { countUsers } from './users.ts';

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

/** Rows that are looked at between two turns of the event loop; below the number of parameters that any SQLite takes. */
const SCAN_PAGE = 500;

/** Reading of one table, for the two ways that lists are read by. */
interface Reads<Row> {
  count(db: Kysely<Tables>): Promise<Count>;
  /** Ids of what fits, in this order, those from `offset` on. Absent: all of them, in no order. */
  ids(db: Kysely<Tables>, condition: Condition | undefined, part?: Part): Promise<readonly string[]>;
  rows(db: Kysely<Tables>, ids: readonly string[]): Promise<readonly Row[]>;
  after(db: Kysely<Tables>, id: string): Promise<readonly Row[]>;
}

interface Count {
  readonly total: number;
  /** Absent where milestones are not kept. */
  readonly changes?: number;
}

interface Part extends Page {
  readonly order: Order | undefined;
  /** Where to begin to count, instead of at the first. */
  readonly from?: Milestone | undefined;
}

/** `milestones`: of this client. */
export function userTable(database: Database, client: string, milestones: Milestones): Table<ScimUserRow> {
  const own = (db: Kysely<Tables>) => db.selectFrom('scim_users').where('client', '=', client);
  const there = (db: Kysely<Tables>) => own(db).where('body', 'is not', null);
  // Of all, by a column that stands in the index with the id; of a few, by one that leads away from their own index.
  const fitting = (db: Kysely<Tables>, condition: Condition | undefined) =>
    condition === undefined ? own(db).where('user_name', 'is not', null) : there(db).where(condition.where);
  const reads: Reads<ScimUserRow> = {
    count: (db) => countUsers(db, client),
    ids: async (db, condition, part) => {
      const from = part?.from;
      const rows = await fitting(db, condition)
        .select('id')
        .$if(from !== undefined, (query) => query.where('id', '>=', (from as Milestone).id))
        .$if(part?.order !== undefined, (query) => query.orderBy(inOrder(part?.order as Order)))
        .$if(part !== undefined, (query) =>
          query
            .orderBy('id')
            .limit((part as Part).count)
            .offset((part as Part).offset - (from?.offset ?? 0)),
        )
        .execute();
      return rows.map(({ id }) => id);
    },
    rows: (db, ids) => there(db).selectAll().where('id', 'in', ids).execute(),
    after: (db, id) => there(db).selectAll().where('id', '>', id).orderBy('id').limit(SCAN_PAGE).execute(),
  };
  return tableOf(database, reads, milestones);
}

export function groupTable(database: Database, client: string): Table<ScimGroupRow> {
  const there = (db: Kysely<Tables>) => db.selectFrom('scim_groups').where('client', '=', client);
  return tableOf<ScimGroupRow>(database, {
    count: async (db) => {
      const row = await there(db)
        .select((select) => select.fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return { total: row.count };
    },
    ids: async (db, condition, part) => {
      const rows = await there(db)
        .select('id')
        .$if(condition !== undefined, (query) => query.where((condition as Condition).where))
        .$if(part?.order !== undefined, (query) => query.orderBy(inOrder(part?.order as Order)))
        .$if(part !== undefined, (query) =>
          query
            .orderBy('id')
            .limit((part as Part).count)
            .offset((part as Part).offset),
        )
        .execute();
      return rows.map(({ id }) => id);
    },
    rows: (db, ids) => there(db).selectAll().where('id', 'in', ids).execute(),
    after: (db, id) => there(db).selectAll().where('id', '>', id).orderBy('id').limit(SCAN_PAGE).execute(),
  });
}

function tableOf<Row extends { readonly id: string }>(
  database: Database,
  reads: Reads<Row>,
  milestones?: Milestones,
): Table<Row> {
  return {
    page: (condition, page, order) =>
      database.run(async (db) => {
        // Few fit a condition that an index knows: in what order it finds them is for the database to say.
        const fitting = condition === undefined ? undefined : await reads.ids(db, condition);
        const { total, changes }: Count = fitting === undefined ? await reads.count(db) : { total: fitting.length };
        if (page.count === 0 || page.offset >= total) return { total, rows: [] };
        if (fitting !== undefined && order === undefined) {
          const wanted = [...fitting].sort(byText).slice(page.offset, page.offset + page.count);
          return { total, rows: await inTurn(db, reads, wanted) };
        }
        const isOfAll = changes !== undefined && order === undefined;
        const from = isOfAll ? milestones?.before(changes, page.offset) : undefined;
        const wanted = await reads.ids(db, condition, { ...page, order, from });
        const [id] = wanted;
        if (isOfAll && id !== undefined) milestones?.learn(changes, { offset: page.offset, id });
        return { total, rows: await inTurn(db, reads, wanted) };
      }),
    scan: (condition) => (condition === undefined ? scanAll(database, reads) : scan(database, reads, condition)),
  };
}

async function inTurn<Row extends { readonly id: string }>(
  db: Kysely<Tables>,
  { rows: read }: Reads<Row>,
  ids: readonly string[],
): Promise<readonly Row[]> {
  const found = new Map<string, Row>();
  for (let from = 0; from < ids.length; from += SCAN_PAGE) {
    for (const row of await read(db, ids.slice(from, from + SCAN_PAGE))) found.set(row.id, row);
  }
  return ids.flatMap((id) => found.get(id) ?? []);
}

async function* scanAll<Row extends { readonly id: string }>(
  database: Database,
  reads: Reads<Row>,
): AsyncGenerator<readonly Row[], void> {
  for (let after = ''; ; ) {
    const from = after;
    const rows = await database.run((db) => reads.after(db, from));
    if (rows.length > 0) yield rows;
    if (rows.length < SCAN_PAGE) return;
    after = rows.at(-1)?.id ?? '';
    await nextTurn();
  }
}

async function* scan<Row extends { readonly id: string }>(
  database: Database,
  reads: Reads<Row>,
  condition: Condition,
): AsyncGenerator<readonly Row[], void> {
  const ids = [...(await database.run((db) => reads.ids(db, condition)))].sort(byText);
  for (let from = 0; from < ids.length; from += SCAN_PAGE) {
    if (from > 0) await nextTurn();
    yield await database.run((db) => inTurn(db, reads, ids.slice(from, from + SCAN_PAGE)));
  }
}

function byText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

/** What has no value comes last, and first the other way round (RFC 7644 §3.4.2.3). */
function inOrder({ column, isDescending }: Order) {
  return isDescending ? sql`${sql.ref(column)} desc nulls first` : sql`${sql.ref(column)} asc nulls last`;
}
