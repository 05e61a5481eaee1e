import { Readable } from 'node:stream';
import type { Connection, ConnectionConfiguration, Request } from 'tedious';
import { LatchgateError } from '../../model/errors.ts';
import {
  answered,
  BATCH_ROWS,
  batchesOf,
  databaseFailure,
  MORE_TABLES,
  NO_ROWS,
  type ReadRows,
  type RowBatch,
  type SqlRequest,
} from './rows.ts';

type Tedious = typeof import('tedious');

/** Whether the database keeps versions of rows for whoever asks for them: 1, else not, or not yet. */
export const ALLOWS_SNAPSHOT = 'select snapshot_isolation_state from sys.databases where database_id = db_id()';
/** Isolation levels of [MS-TDS] 2.2.7.17 TM_BEGIN_XACT. */
const LEVELS = { serializable: 4, snapshot: 5 } as const;
/** The query reads another database, which does not. */
const NO_SNAPSHOT_THERE = 3_952;
/** For the server to say that it has broken a query off; then the driver gives the connection up. */
const CANCEL_MS = 1_000;

/**
 * SQL Server by tedious, whose rows hold back the connection when nobody takes them. SQL Server has no read-only
 * transaction: the query runs in one that is never committed, and the login says that it means to read
 * (ApplicationIntent), which is all that can be done from here. Everything is read as it was at one moment: a row that
 * moves while its table is scanned would be missed otherwise, and look like somebody who is gone. That is a snapshot where
 * the database allows it, and locks (SERIALIZABLE) where it does not.
 */
export const readMssql: ReadRows = async function* (request) {
  const tedious = await import('tedious');
  let hasRows = false;
  for (const mode of ['snapshot', 'locks'] as const) {
    try {
      for await (const batch of readIn(mode, tedious, request)) {
        hasRows = true;
        yield batch;
      }
      return;
    } catch (thrown) {
      const isElsewhere = mode === 'snapshot' && !hasRows && numberOf(thrown) === NO_SNAPSHOT_THERE;
      if (!isElsewhere) throw failure(thrown);
    }
  }
};

/** `snapshot` falls back on locks by itself where the database says that it has none. */
async function* readIn(
  mode: 'snapshot' | 'locks',
  tedious: Tedious,
  request: SqlRequest,
): AsyncGenerator<RowBatch, void, undefined> {
  const connection = new tedious.Connection(connectionConfig(request));
  // Failures come to whoever asks; without a listener they would end the process.
  connection.on('error', () => {});
  let ended = async (): Promise<void> => {};
  try {
    await answered(connected(connection), request);
    let isSnapshot = false;
    if (mode === 'snapshot') {
      const asked = runQuery(connection, tedious.Request, ALLOWS_SNAPSHOT);
      ended = asked.end;
      isSnapshot = await answered(allowsSnapshot(asked), request);
    }
    const beginning = begun(connection, isSnapshot ? LEVELS.snapshot : LEVELS.serializable);
    ended = () => withinReason(beginning);
    await answered(beginning, request);
    const result = runQuery(connection, tedious.Request, request.query);
    ended = result.end;
    for await (const batch of batchesOf(result.rows, result.columns, request)) {
      if (result.tables() === 0) throw new LatchgateError('source_refused', NO_ROWS);
      if (result.tables() > 1) throw new LatchgateError('source_refused', MORE_TABLES);
      yield batch;
    }
    // After a whole batch nothing more may have come of the first.
    if (result.tables() > 1) throw new LatchgateError('source_refused', MORE_TABLES);
  } finally {
    await ended();
    // The server rolls back whatever the query did.
    connection.close();
  }
}

async function allowsSnapshot({ rows }: Running): Promise<boolean> {
  try {
    let isAllowed = false;
    // To its end: the driver takes the next request only then.
    for await (const [state] of rows) isAllowed = Number(state) === 1;
    return isAllowed;
  } catch (thrown) {
    if (numberOf(thrown) === undefined) throw thrown;
    return false;
  }
}

/** Waits until the driver has done with it, however it ends; a driver that never has does not keep us. */
async function withinReason(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 2 * CANCEL_MS);
  });
  await Promise.race([work.catch(() => undefined), late]);
  clearTimeout(timer);
}

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
      cancelTimeout: CANCEL_MS,
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

function begun(connection: Connection, level: number): Promise<void> {
  return new Promise((resolve, reject) => {
    connection.beginTransaction((error) => (error ? reject(error) : resolve()), '', level);
  });
}

interface Running {
  readonly rows: Readable;
  readonly columns: () => readonly string[];
  /** Results that have come so far. */
  readonly tables: () => number;
  /** Breaks the query off where it still runs, and waits until the driver has done with it. */
  readonly end: () => Promise<void>;
}

interface Cell {
  readonly value: unknown;
  readonly metadata: { readonly colName: string; readonly type: { readonly name: string } };
}

function runQuery(connection: Connection, RequestClass: typeof Request, sql: string): Running {
  let columns: readonly string[] = [];
  let tables = 0;
  let isBroken = false;
  let isDone = false;
  let done = (): void => {};
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  const request = new RequestClass(sql, (error) => {
    isDone = true;
    done();
    if (isBroken) return;
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
    if (tables > 1 || isBroken) return;
    if (!rows.push(cells.map(cellValue))) request.pause();
  });
  connection.execSqlBatch(request);
  const end = async (): Promise<void> => {
    isBroken = true;
    // To a driver that still holds the end of the answer, a connection that is closed is a failure that nobody catches.
    if (!isDone) {
      request.cancel();
      request.resume();
    }
    await withinReason(over);
  };
  return { rows, columns: () => columns, tables: () => tables, end };
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

/** Of an error of the server's own. */
function numberOf(thrown: unknown): number | undefined {
  const { code, number } = (thrown ?? {}) as { readonly code?: unknown; readonly number?: unknown };
  return code === 'EREQUEST' && typeof number === 'number' ? number : undefined;
}

function failure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const { code } = (thrown ?? {}) as { readonly code?: unknown };
  const number = numberOf(thrown);
  const name = typeof code === 'string' ? code : undefined;
  if (name === 'ELOGIN') return databaseFailure('source_refused', 'the database does not let our account in', name);
  if (number === undefined) {
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
