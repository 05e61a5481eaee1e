import { LatchgateError } from '../../model/errors.ts';
import { givenUp } from '../failure.ts';
import type { ListedPerson, ListingEnd, Source } from '../source.ts';
import { Table } from '../table.ts';
import { readMssql } from './mssql.ts';
import { readMysql } from './mysql.ts';
import { sqlPlace } from './place.ts';
import { readPostgres } from './postgres.ts';
import type { ReadRows, RowBatch, SqlRequest } from './rows.ts';
import type { SqlDriver, SqlSourceConfig } from './schema.ts';
import { readSqlite } from './sqlite.ts';

const READERS: Readonly<Record<SqlDriver, ReadRows>> = {
  mssql: readMssql,
  mysql: readMysql,
  postgres: readPostgres,
  sqlite: readSqlite,
};

export interface SqlSourceOptions {
  readonly name: string;
  readonly config: SqlSourceConfig;
}

/**
 * People out of the rows of one query. Each listing is a connection of its own, which is closed before the first person
 * is given; what is held is one record a person and at most one batch of rows.
 */
export function createSqlSource({ name, config }: SqlSourceOptions): Source {
  const place = sqlPlace(config);
  const rows = (signal: AbortSignal): AsyncGenerator<RowBatch, void, undefined> => {
    const request: SqlRequest = { place, query: config.query, timeoutMs: config.timeout, signal };
    return READERS[place.driver](request);
  };
  const newTable = (): Table =>
    new Table({ key: config.key, claims: config.claims, separator: config.groups_separator });

  return {
    name,
    type: 'sql',
    list: async function* (signal): AsyncGenerator<ListedPerson, ListingEnd, undefined> {
      const table = newTable();
      const end = await fill(table, rows(signal), config);
      for (const person of table.people()) {
        if (signal.aborted) throw givenUp(signal);
        yield person;
      }
      return end;
    },
    probe: async (signal) => {
      for await (const { columns } of rows(signal)) {
        columnsOf(newTable(), columns);
        break;
      }
    },
    // Nothing is kept between two listings.
    close: async () => {},
  };
}

async function fill(table: Table, batches: AsyncIterable<RowBatch>, config: SqlSourceConfig): Promise<ListingEnd> {
  const { max_rows: maxRows, groups_absent: groupsAbsent } = config;
  let read = 0;
  let columns: ReturnType<typeof columnsOf> | undefined;
  let isCut = false;
  for await (const batch of batches) {
    columns ??= columnsOf(table, batch.columns);
    const rows = batch.rows.slice(0, maxRows - read);
    for (const row of rows) table.add(columns, row);
    read += rows.length;
    isCut = rows.length < batch.rows.length;
    if (isCut) break;
  }
  const end = { unreadable: table.unreadable, notes: table.notes() };
  const lacksGroups = groupsAbsent === 'keep' ? undefined : columns?.lacksGroups;
  const why = isCut ? `reading stopped after ${maxRows} rows (max_rows)` : lacksGroups;
  return why === undefined ? { complete: true, ...end } : { complete: false, why, ...end };
}

function columnsOf(table: Table, names: readonly string[]): ReturnType<Table['columns']> {
  const columns = table.columns(names);
  if (columns.key !== undefined) return columns;
  throw new LatchgateError(
    'source_refused',
    'the query gives no column with the key: neither `key`, nor subject, nor the e-mail',
  );
}
