import type { ScimObject } from './protocol/attribute.ts';
import { ScimError } from './protocol/error.ts';
import { compileFilter } from './protocol/evaluate.ts';
import type { Filter } from './protocol/filter.ts';
import type { Page } from './protocol/list.ts';
import type { Query } from './protocol/query.ts';
import { resourceOrder, type Sort, sortedPart } from './protocol/sort.ts';
import type { Condition } from './store/conditions.ts';
import type { Found, Order, Table } from './store/queries.ts';

export interface ListParts<Row> {
  readonly table: Table<Row>;
  readonly condition: (filter: Filter) => Condition | undefined;
  /** Columns that the database can sort by, by attribute. */
  readonly columns: Readonly<Record<string, Order['column'] | undefined>>;
  /** A resource for each row, in their order, as far as the filter and the sorting look at it; some at a time. */
  readonly look: (rows: readonly Row[]) => AsyncIterable<readonly ScimObject[]>;
}

export interface ListPlan {
  readonly filter: Filter | undefined;
  readonly condition: Condition | undefined;
  readonly order: Order | undefined;
  readonly sort: Sort | undefined;
  /** The database does all of it. */
  readonly isDirect: boolean;
}

/** Resources that can be put in order by an attribute that no column has. */
const MOST_SORTED = 10_000;

/** How one list is read: by the database as far as it can, and else by looking at what is left. */
export class List<Row extends { readonly id: string }> {
  readonly #parts: ListParts<Row>;

  constructor(parts: ListParts<Row>) {
    this.#parts = parts;
  }

  plan({ filter, sort }: Query): ListPlan {
    const { condition: conditionOf, columns } = this.#parts;
    const condition = filter === undefined ? undefined : conditionOf(filter);
    const column = sort === undefined ? undefined : columns[sort.path.name];
    const order = sort === undefined || column === undefined ? undefined : { column, isDescending: sort.descending };
    const isExact = filter === undefined || condition?.isExact === true;
    return { filter, condition, order, sort, isDirect: isExact && (sort === undefined || order !== undefined) };
  }

  direct({ condition, order }: ListPlan, page: Page): Promise<Found<Row>> {
    return this.#parts.table.page(condition, page, order);
  }

  /** Throws `scim_too_many` for more to sort than is kept at once. */
  async scanned({ filter, condition, sort }: ListPlan, page: Page, signal: AbortSignal): Promise<Found<Row>> {
    const { table, look } = this.#parts;
    const fits = filter === undefined ? () => true : compileFilter(filter);
    const found: Row[] = [];
    const toSort: { readonly row: Row; readonly by: ScimObject }[] = [];
    let total = 0;
    for await (const rows of table.scan(condition)) {
      let at = 0;
      for await (const some of look(rows)) {
        signal.throwIfAborted();
        for (const resource of some) {
          const row = rows[at++] as Row;
          if (!fits(resource)) continue;
          total += 1;
          if (sort !== undefined) toSort.push({ row, by: sortedPart(sort, resource) });
          else if (total > page.offset && found.length < page.count) found.push(row);
        }
      }
      if (sort !== undefined && toSort.length > MOST_SORTED) {
        throw new ScimError('scim_too_many', `more than ${MOST_SORTED} resources to sort by ${sort.path.name}`);
      }
    }
    if (sort === undefined) return { total, rows: found };
    const order = resourceOrder(sort);
    toSort.sort((one, other) => order(one.by, other.by));
    return { total, rows: toSort.slice(page.offset, page.offset + page.count).map(({ row }) => row) };
  }
}
