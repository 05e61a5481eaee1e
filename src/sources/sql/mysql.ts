import type { Readable } from 'node:stream';
import type { Connection, ConnectionOptions } from 'mysql2';
import { LatchgateError } from '../../model/errors.ts';
import {
  answered,
  BATCH_ROWS,
  batchesOf,
  databaseFailure,
  MORE_TABLES,
  NO_ROWS,
  type ReadRows,
  type SqlRequest,
} from './rows.ts';

/** MySQL and MariaDB by a stream of rows in a read-only transaction; the time limit holds for the whole statement. */
export const readMysql: ReadRows = async function* (request) {
  const { createConnection } = await import('mysql2');
  const connection = createConnection(connectionOptions(request));
  let stream: Readable | undefined;
  // Failures come to whoever asks, but for a stream, which is not told that its connection broke.
  connection.on('error', (error) => void stream?.destroy(error));
  try {
    await answered(connected(connection), request);
    const [version] = await ask(connection, 'select version()', request);
    for (const statement of readOnlySession(String(version?.[0]), request.timeoutMs)) {
      await ask(connection, statement, request);
    }
    let columns: readonly string[] | undefined;
    let results = 0;
    const query = connection.query({ sql: request.query, rowsAsArray: true });
    query.on('fields', (fields: readonly { readonly name: string }[] | undefined) => {
      if (fields === undefined) return;
      results += 1;
      columns ??= fields.map(({ name }) => name);
    });
    stream = query.stream({ highWaterMark: BATCH_ROWS });
    for await (const batch of batchesOf(stream, () => columns ?? [], request)) {
      if (columns === undefined) throw new LatchgateError('source_refused', NO_ROWS);
      if (results > 1) throw new LatchgateError('source_refused', MORE_TABLES);
      yield batch;
    }
    // After a whole batch nothing more may have come of the first.
    if (results > 1) throw new LatchgateError('source_refused', MORE_TABLES);
  } catch (thrown) {
    throw failure(thrown);
  } finally {
    // Breaks off whatever runs; nothing was written that could be lost.
    connection.destroy();
  }
};

function connectionOptions({ place, timeoutMs }: SqlRequest): ConnectionOptions {
  const { host, port, database, user, password, encrypt, trustCertificate, ca } = place;
  return {
    host,
    port: port ?? 3_306,
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ...(encrypt ? { ssl: { rejectUnauthorized: !trustCertificate, ...(ca === undefined ? {} : { ca }) } } : {}),
    connectTimeout: timeoutMs,
    charset: 'utf8mb4',
    dateStrings: true,
    supportBigNumbers: true,
    bigNumberStrings: true,
    multipleStatements: false,
    // A server may ask its client for a file.
    flags: ['-LOCAL_FILES'],
    // BIT(1) is how some schemas spell a truth.
    typeCast: (field, next) => (field.type === 'BIT' && field.length === 1 ? field.buffer()?.[0] === 1 : next()),
  };
}

function connected(connection: Connection): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
}

function ask(connection: Connection, sql: string, request: SqlRequest): Promise<readonly (readonly unknown[])[]> {
  const rows = new Promise<readonly (readonly unknown[])[]>((resolve, reject) => {
    connection.query({ sql, rowsAsArray: true }, (error, result) => {
      if (error) reject(error);
      else resolve(Array.isArray(result) ? (result as unknown as unknown[][]) : []);
    });
  });
  return answered(rows, request);
}

function readOnlySession(version: string, timeoutMs: number): readonly string[] {
  const limit = /mariadb/i.test(version)
    ? `set session max_statement_time = ${timeoutMs / 1_000}`
    : `set session max_execution_time = ${timeoutMs}`;
  return [limit, 'set session transaction read only', 'start transaction read only'];
}

const SENTENCES: Readonly<Record<string, string>> = {
  ER_ACCESS_DENIED_ERROR: 'the database does not let our account in',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'the database does not let our account in',
  ER_DBACCESS_DENIED_ERROR: 'our account may not use that database',
  ER_BAD_DB_ERROR: 'there is no database of that name',
  ER_TABLEACCESS_DENIED_ERROR: 'our account may not read what the query asks for',
  ER_COLUMNACCESS_DENIED_ERROR: 'our account may not read what the query asks for',
  ER_PARSE_ERROR: 'the query has a syntax error',
  ER_BAD_FIELD_ERROR: 'the query names a column that is not there',
  ER_NO_SUCH_TABLE: 'the query names a table that is not there',
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: 'the query would write; only what reads is run',
};

/** Too many connections, shutdown, lock waits, deadlock, a query that was killed or took too long. */
const UNAVAILABLE: ReadonlySet<number> = new Set([1040, 1053, 1203, 1205, 1213, 1226, 1317, 1927, 1969, 3024]);

function failure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const { code, errno } = (thrown ?? {}) as { readonly code?: unknown; readonly errno?: unknown };
  const name = typeof code === 'string' ? code : undefined;
  if (name === undefined || typeof errno !== 'number' || errno < 1_000 || !name.startsWith('ER_')) {
    return databaseFailure('source_unavailable', 'no connection to the database', name);
  }
  if (UNAVAILABLE.has(errno)) return databaseFailure('source_unavailable', 'the database ended the query', name);
  return databaseFailure('source_refused', SENTENCES[name] ?? 'the database refused the query', name);
}
