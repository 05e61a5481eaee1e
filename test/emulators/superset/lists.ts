import { fatal, type Reply, refuse } from './exchange.ts';
import { parseRison, RisonError } from './rison.ts';

/** How one kind of record is listed. */
export interface Listing<T> {
  readonly records: ReadonlyMap<number, T>;
  /** All columns of a record, relations as lists of objects. */
  readonly show: (record: T) => Readonly<Record<string, unknown>>;
  /** Columns that filters may name. */
  readonly searchable: readonly string[];
  readonly orderable: readonly string[];
}

type Query = Readonly<Record<string, unknown>>;

const MAX_PAGE = 100;
const DEFAULT_PAGE = 20;

const TEXT_OPERATORS: Readonly<Record<string, (cell: string, value: unknown) => boolean>> = {
  eq: (cell, value) => cell === String(value),
  neq: (cell, value) => cell !== String(value),
  // `ilike`: without case as far as SQLite knows letters, and with its wildcards.
  sw: (cell, value) => like(cell, `${String(value)}%`),
  ew: (cell, value) => like(cell, `%${String(value)}`),
  ct: (cell, value) => like(cell, `%${String(value)}%`),
  in: (cell, value) => Array.isArray(value) && value.some((one) => cell === String(one)),
};

/** The query that a request has, in Rison or, as Superset takes it too, in JSON. */
export function queryOf(url: URL): Query {
  const text = url.searchParams.get('q');
  if (!text) return {};
  try {
    return (parseRison(text) ?? {}) as Query;
  } catch (error) {
    if (!(error instanceof RisonError)) throw error;
  }
  try {
    return JSON.parse(text) as Query;
  } catch {
    throw fatal();
  }
}

/** A page of records (GET of a collection). */
export function list<T extends { readonly id: number }>(listing: Listing<T>, query: Query): Reply {
  const fits = filtersOf(listing, query);
  const order = String(query['order_column'] ?? 'id');
  if (!listing.orderable.includes(order)) throw refuse(400, `Invalid order by column: ${order}`);
  const direction = query['order_direction'] === 'desc' ? -1 : 1;
  const rows = [...listing.records.values()].map((record) => ({ id: record.id, row: listing.show(record) }));
  const found = rows.filter(({ row }) => fits(row)).sort((a, b) => direction * compare(a.row[order], b.row[order]));
  const asked = Number(query['page_size'] ?? DEFAULT_PAGE);
  const size = asked > MAX_PAGE || asked < 1 ? MAX_PAGE : asked;
  const from = Number(query['page'] ?? 0) * size;
  const page = found.slice(from, from + size);
  const result = page.map(({ row }) => pick(row, query['columns']));
  return { status: 200, json: { count: found.length, ids: page.map(({ id }) => id), result } };
}

/** One record (GET of a member). @throws Refusal 404 */
export function show<T>(listing: Listing<T>, id: number, query: Query): Reply {
  const record = listing.records.get(id);
  if (record === undefined) throw refuse(404, 'Not found');
  return { status: 200, json: { id, result: pick(listing.show(record), query['columns']) } };
}

function filtersOf<T>(listing: Listing<T>, query: Query): (row: Readonly<Record<string, unknown>>) => boolean {
  const filters = (query['filters'] ?? []) as readonly Readonly<Record<string, unknown>>[];
  if (!Array.isArray(filters)) throw refuse(400, 'Not a valid rison schema');
  const tests = filters.map((filter) => {
    const { col, opr, value } = filter;
    if (typeof col !== 'string' || typeof opr !== 'string' || value === undefined) {
      throw refuse(400, 'Not a valid rison schema');
    }
    if (!listing.searchable.includes(col)) throw refuse(400, `Filter column: ${col} not allowed to filter`);
    return (row: Readonly<Record<string, unknown>>) => matches(row[col], opr, value);
  });
  return (row) => tests.every((test) => test(row));
}

function matches(cell: unknown, opr: string, value: unknown): boolean {
  if (typeof cell === 'string') {
    const operator = TEXT_OPERATORS[opr];
    // As the real one: an operator that it does not know lets everything through.
    return operator === undefined || operator(cell, value);
  }
  if (Array.isArray(cell)) return opr !== 'rel_m_m' || cell.some((one: { id: number }) => one.id === Number(value));
  return opr !== 'eq' || cell === value;
}

function like(cell: string, pattern: string): boolean {
  const source = [...asciiLower(pattern)].map((letter) => {
    if (letter === '%') return '[\\s\\S]*';
    return letter === '_' ? '[\\s\\S]' : letter.replace(/[\\^$.*+?()[\]{}|]/, '\\$&');
  });
  return new RegExp(`^${source.join('')}$`, 'u').test(asciiLower(cell));
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function pick(row: Readonly<Record<string, unknown>>, columns: unknown): Readonly<Record<string, unknown>> {
  if (!Array.isArray(columns) || columns.length === 0) return row;
  // `roles.id` names the relation; what is not there is left out without a word.
  const names = new Set(columns.map((column) => String(column).replace(/\.(id|name)$/, '')));
  return Object.fromEntries(Object.entries(row).filter(([name]) => names.has(name)));
}

function compare(a: unknown, b: unknown): number {
  if (a === b) return 0;
  return (a as number) < (b as number) ? -1 : 1;
}
