import { type AliasedRawBuilder, type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import type { PersonId } from '../model/person.ts';
import type { Database } from './database.ts';
import type { Tables } from './tables.ts';

/** Rows of one page. */
export const PAGE = 2_000;
/** People whose rows are asked for at once: below the number of parameters that any SQLite takes. */
const PEOPLE = 500;

/**
 * Page by page what `read` finds after the last row of the page before: of everybody, or of these people only. The page
 * that is not full is the last.
 */
export async function* byPeople<Row>(
  people: readonly PersonId[] | undefined,
  read: (after: Row | undefined, people: readonly PersonId[] | undefined) => Promise<readonly Row[]>,
): AsyncGenerator<readonly Row[], void> {
  const parts: (readonly PersonId[] | undefined)[] = [];
  if (people === undefined) parts.push(undefined);
  else for (let from = 0; from < people.length; from += PEOPLE) parts.push(people.slice(from, from + PEOPLE));
  for (const part of parts) {
    for (let after: Row | undefined; ; ) {
      const rows = await read(after, part);
      yield rows;
      after = rows.at(-1);
      if (rows.length < PAGE) break;
    }
  }
}

type Value = string | number | null;

/**
 * A page of a query as lists of values in the order of `columns`. Both databases write the page as one JSON text, which
 * takes half of what it takes to hand over each row by itself. The query has an order and a limit.
 */
export async function pageOf<Columns extends readonly string[]>(
  database: Database,
  columns: Columns,
  query: (db: Parameters<Parameters<Database['run']>[0]>[0]) => SelectQueryBuilder<Tables, never, unknown>,
): Promise<readonly { readonly [At in keyof Columns]: Value }[]> {
  const refs = sql.join(columns.map((column) => sql.ref(`page.${column}`)));
  const list: RawBuilder<string | null> =
    database.engine === 'postgres'
      ? sql`json_agg(json_build_array(${refs}))::text`
      : sql`json_group_array(json_array(${refs}))`;
  const text = await database.run(async (db) => {
    const rows = list.as('rows') as AliasedRawBuilder<string | null, 'rows'>;
    const page = await db.selectFrom(query(db).as('page')).select(rows).executeTakeFirst();
    return page?.rows ?? '[]';
  });
  return JSON.parse(text) as { readonly [At in keyof Columns]: Value }[];
}

/** Texts and times that are in many rows, once each: of everybody's rows nearly all are. */
export class Same {
  readonly #texts = new Map<string, string>();
  readonly #lists = new Map<string, readonly string[]>();
  #last = '';
  #lastDate = new Date(0);

  text(text: string): string {
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return known ?? text;
  }

  /** One that is like the one before it, or is never seen again. */
  next(text: string): string {
    if (text !== this.#last) this.#last = text;
    return this.#last;
  }

  /** Likewise: whoever was written down together was so at one time. */
  date(at: number): Date {
    if (this.#lastDate.getTime() !== at) this.#lastDate = new Date(at);
    return this.#lastDate;
  }

  /** A JSON list of texts. */
  list(json: string): readonly string[] {
    const known = this.#lists.get(json) ?? (JSON.parse(json) as readonly string[]);
    this.#lists.set(json, known);
    return known;
  }
}
