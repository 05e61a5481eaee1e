/*
 * Queries of Superset's REST API are written in Rison (prison 0.2). Values come from claims, so every text is quoted:
 * unquoted, `12345` would be a number, `!t` a truth value, and `)` would end the query.
 */

export type RisonValue = string | number | readonly string[];

/** One condition of a list. An operator that Superset does not know is ignored there: only these may be used. */
export interface Filter {
  readonly col: 'username' | 'email' | 'name';
  /** `sw` and `ew` (starts with, ends with) are compared without case, and know the wildcards `%` and `_`. */
  readonly opr: 'sw' | 'ew' | 'in';
  readonly value: string | readonly string[];
}

export interface ListQuery {
  readonly filters: readonly Filter[];
  readonly columns: readonly string[];
  /** From 0. */
  readonly page: number;
  /** At most 100: Superset gives no more whatever is asked. */
  readonly pageSize: number;
}

/** The part of a URL behind `?`, percent-encoded. Throws URIError for half a surrogate pair. */
export function listQuery({ filters, columns, page, pageSize }: ListQuery): string {
  const conditions = filters.map(({ col, opr, value }) => `(col:${col},opr:${opr},value:${toRison(value)})`);
  const order = 'order_column:id,order_direction:asc';
  return `q=${encodeURIComponent(
    `(filters:!(${conditions.join(',')}),columns:${toRison(columns)},keys:!(none),${order},page:${page},page_size:${pageSize})`,
  )}`;
}

/** Which columns of one record are wanted, without the labels that describe them. */
export function recordQuery(columns: readonly string[]): string {
  return `q=${encodeURIComponent(`(columns:${toRison(columns)},keys:!(none))`)}`;
}

/** A text, a number or a list of texts. */
export function toRison(value: RisonValue): string {
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return `'${value.replace(/[!']/g, '!$&')}'`;
  return `!(${value.map(toRison).join(',')})`;
}
