import { Readable } from 'node:stream';
import type { Connection, ConnectionConfiguration, Request } from 'tedious';
import { LatchgateError } from '../../model/errors.ts';
import { answered, BATCH_ROWS, batchesOf, databaseFailure, NO_ROWS, type ReadRows, type SqlRequest } from './rows.ts';

/**
 * SQL Server by tedious, whose rows hold back the connection when nobody takes them. SQL Server has no read-only
 * transaction: the query runs in one that is never committed, and the login says that it means to read
 * (ApplicationIntent), which is all that can be done from here.
 */
export const readMssql: ReadRows = async function* (request) {
  const tedious = await import('tedious');
  const connection = new tedious.Connection(connectionConfig(request));
  // Failures come to whoever asks; without a listener they would end the process.
  connection.on('error', () => {});
  try {
    await answered(connected(connection), request);
    await answered(begun(connection), request);
    const result = runQuery(connection, tedious.Request, request.query);
    for await (const batch of batchesOf(result.rows, result.columns, request)) {
      if (result.tables() === 0) throw new LatchgateError('source_refused', NO_ROWS);
      if (result.tables() > 1) throw new LatchgateError('source_refused', 'the query gives more than one table');
      yield batch;
    }
  } catch (thrown) {
    throw failure(thrown);
  } finally {
    // The server rolls back whatever the query did.
    connection.close();
  }
};

/** What tedious is asked for. */
export function connectionConfig({ place, timeoutMs }: SqlRequest): ConnectionConfiguration {
  const { host, port, instance, database, user = '', password = '', domain, encrypt, trustCertificate, ca } = place;
  return {
    server: host,
    authentication:
      domain === undefined
        ? { type: 'default', options: { userName: user, password } }
        : { type: 'ntlm', options: { userName: user, password, domain } },
    options: {
      // The browser service of the server knows the port of a named instance.
      ...(instance === undefined || port !== undefined ? { port: port ?? 1_433 } : { instanceName: instance }),
      ...(database === undefined ? {} : { database }),
      encrypt,
      trustServerCertificate: trustCertificate,
      ...(ca === undefined ? {} : { cryptoCredentialsDetails: { ca } }),
      connectTimeout: timeoutMs,
      requestTimeout: timeoutMs,
      readOnlyIntent: true,
      maxRetriesOnTransientErrors: 0,
      rowCollectionOnRequestCompletion: false,
      useColumnNames: false,
      lowerCaseGuids: true,
      appName: 'latchgate',
    },
  };
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
}

function begun(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.beginTransaction((error) => (error ? reject(error) : resolve()));
  });
}

interface Running {
  readonly rows: Readable;
  readonly columns: () => readonly string[];
  /** Results that have come so far. */
  readonly tables: () => number;
}

interface Cell {
  readonly value: unknown;
  readonly metadata: { readonly colName: string; readonly type: { readonly name: string } };
}

function runQuery(connection: Connection, RequestClass: typeof Request, sql: string): Running {
  let columns: readonly string[] = [];
  let tables = 0;
  const request = new RequestClass(sql, (error) => {
    if (error) rows.destroy(error);
    else rows.push(null);
  });
  const rows = new Readable({
    objectMode: true,
    highWaterMark: BATCH_ROWS,
    read: () => request.resume(),
  });
  request.on('columnMetadata', (metadata) => {
    tables += 1;
    if (tables === 1) columns = (metadata as readonly { readonly colName: string }[]).map(({ colName }) => colName);
  });
  request.on('row', (cells: readonly Cell[]) => {
    if (tables > 1) return;
    if (!rows.push(cells.map(cellValue))) request.pause();
  });
  connection.execSqlBatch(request);
  return { rows, columns: () => columns, tables: () => tables };
}

/** `char(n)` and `nchar(n)` are filled up with blanks, which are no part of the value. */
function cellValue({ value, metadata }: Cell): unknown {
  const isPadded = metadata.type.name === 'Char' || metadata.type.name === 'NChar';
  return isPadded && typeof value === 'string' ? value.replace(/ +$/, '') : value;
}

const SENTENCES: Readonly<Record<number, string>> = {
  102: 'the query has a syntax error',
  156: 'the query has a syntax error',
  207: 'the query names a column that is not there',
  208: 'the query names a table that is not there',
  229: 'our account may not read what the query asks for',
  230: 'our account may not read what the query asks for',
  4060: 'there is no database of that name, or our account may not use it',
  18456: 'the database does not let our account in',
};

/** Deadlock, lock timeout, shutdown, failover and throttling. */
const UNAVAILABLE: ReadonlySet<number> = new Set([-2, 1205, 1222, 6005, 10928, 10929, 40197, 40501, 40613, 49918]);

function failure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const { code, number } = (thrown ?? {}) as { readonly code?: unknown; readonly number?: unknown };
  const name = typeof code === 'string' ? code : undefined;
  if (name === 'ELOGIN') return databaseFailure('source_refused', 'the database does not let our account in', name);
  if (name !== 'EREQUEST' || typeof number !== 'number') {
    const isLate = name === 'ETIMEOUT';
    return databaseFailure(
      'source_unavailable',
      isLate ? 'no answer of the database in time' : 'no connection to the database',
      name,
    );
  }
  if (UNAVAILABLE.has(number)) return databaseFailure('source_unavailable', 'the database ended the query', number);
  return databaseFailure('source_refused', SENTENCES[number] ?? 'the database refused the query', number);
}
