import type { ScimObject } from './protocol/attribute.ts';
import { ScimError } from './protocol/error.ts';
import { compileFilter } from './protocol/evaluate.ts';
import type { Filter } from './protocol/filter.ts';
import type { Page } from './protocol/list.ts';
import type { Query } from './protocol/query.ts';
import { resourceOrder, type Sort } from './protocol/sort.ts';
import type { Condition } from './store/conditions.ts';
import type { Order, Table } from './store/queries.ts';

export interface Listed {
  readonly total: number;
  readonly resources: readonly ScimObject[];
}

export interface ListParts<Row> {
  readonly table: Table<Row>;
  readonly condition: (filter: Filter) => Condition | undefined;
  /** Columns that the database can sort by, by attribute. */
  readonly columns: Readonly<Record<string, Order['column'] | undefined>>;
  readonly show: (rows: readonly Row[]) => Promise<readonly ScimObject[]>;
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

  async direct({ condition, order }: ListPlan, page: Page): Promise<Listed> {
    const { table, show } = this.#parts;
    const { total, rows } = await table.page(condition, page, order);
    return { total, resources: await show(rows) };
  }

  /** Throws `scim_too_many` for more to sort than is kept at once. */
  async scanned({ filter, condition, sort }: ListPlan, page: Page, signal: AbortSignal): Promise<Listed> {
    const { table, show } = this.#parts;
    const fits = filter === undefined ? () => true : compileFilter(filter);
    const found: ScimObject[] = [];
    let total = 0;
    for await (const rows of table.scan(condition)) {
      signal.throwIfAborted();
      for (const resource of await show(rows)) {
        if (!fits(resource)) continue;
        total += 1;
        const isWanted = sort !== undefined || (total > page.offset && found.length < page.count);
        if (isWanted) found.push(resource);
      }
      if (sort !== undefined && found.length > MOST_SORTED) {
        throw new ScimError('scim_too_many', `more than ${MOST_SORTED} resources to sort by ${sort.path.name}`);
      }
    }
    if (sort === undefined) return { total, resources: found };
    found.sort(resourceOrder(sort));
    return { total, resources: found.slice(page.offset, page.offset + page.count) };
  }
}
