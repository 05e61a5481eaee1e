import { badQuery, type Call, Refusal, type Reply } from './exchange.ts';

/** Rows that can be reached by page number in any list. */
const REACH = 1_000;

/** A whole number from the query. @throws Refusal 400 for anything else and beyond its limits. */
export function numberFrom(url: URL, name: string, fallback: number, min: number, max: number): number {
  const raw = url.searchParams.get(name);
  if (raw === null) return fallback;
  if (!/^\d{1,9}$/.test(raw)) throw badQuery(`Expected type integer but found type string on property ${name}`);
  const value = Number(raw);
  if (value < min) throw badQuery(`Value ${value} is less than minimum ${min} on property ${name}`);
  if (value > max) throw badQuery(`Value ${value} is greater than maximum ${max} on property ${name}`);
  return value;
}

/** @throws Refusal 400 for anything but `true` and `false`. */
function flagFrom(url: URL, name: string, fallback: boolean): boolean {
  const raw = url.searchParams.get(name);
  if (raw === null) return fallback;
  if (raw !== 'true' && raw !== 'false')
    throw badQuery(`Expected type boolean but found type string on property ${name}`);
  return raw === 'true';
}

export interface PageOptions<T> {
  /** The member of the answer that holds the rows when totals are asked for. */
  readonly name: string;
  /** True: the answer with totals has `length` too, as that of users has. */
  readonly withLength?: boolean;
  readonly minPerPage?: number;
  readonly show?: (row: T) => unknown;
  /** Rows that are counted and not shown. */
  readonly lost?: (row: T) => boolean;
}

/**
 * One page by number: a bare list, or with `include_totals` the list and its counts.
 * @throws Refusal 400 beyond the first 1,000 rows
 */
export function paged<T>(call: Call, rows: readonly T[], options: PageOptions<T>): Reply {
  const { name, withLength = false, minPerPage = 1, show = (row) => row, lost = () => false } = options;
  const page = numberFrom(call.url, 'page', 0, 0, 1_000_000);
  const limit = numberFrom(call.url, 'per_page', 50, minPerPage, 100);
  const start = page * limit;
  if (start >= REACH) {
    throw new Refusal(
      400,
      `You can only page through the first ${REACH} records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation`,
      'invalid_paging',
    );
  }
  const shown = rows
    .slice(start, start + limit)
    .filter((row) => !lost(row))
    .map(show);
  if (!flagFrom(call.url, 'include_totals', false)) return { status: 200, json: shown };
  const length = withLength ? { length: shown.length } : {};
  return { status: 200, json: { [name]: shown, start, limit, total: rows.length, ...length } };
}

/** A view that keeps or drops the members that `fields` names. */
export function fieldsView(call: Call): (row: Readonly<Record<string, unknown>>) => Record<string, unknown> {
  const fields = call.url.searchParams.get('fields')?.split(',');
  if (!fields) return (row) => ({ ...row });
  const included = flagFrom(call.url, 'include_fields', true);
  return (row) => Object.fromEntries(Object.entries(row).filter(([name]) => fields.includes(name) === included));
}
