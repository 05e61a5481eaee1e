import { existsSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { LatchgateError } from '../../model/errors.ts';
import { givenUp } from '../failure.ts';
import { BATCH_ROWS, databaseFailure, NO_ROWS, type ReadRows, type RowBatch, type SqlRequest } from './rows.ts';

const BUSY_WAIT_MS = 20;

/**
 * SQLite on a connection that refuses to write. Rows come one by one, so that other work goes on between two batches;
 * what the query does before its first row (a sort) cannot be interrupted.
 */
export const readSqlite: ReadRows = async function* (request) {
  const { default: Libsql } = await import('libsql');
  const file = request.place.database ?? '';
  if (!existsSync(file)) throw new LatchgateError('source_unavailable', 'the database file is not there');
  let database: InstanceType<typeof Libsql> | undefined;
  let leave = (): void => {};
  try {
    database = new Libsql(file);
    database.exec('pragma query_only = on');
    const opened = database;
    const statement = await unlocked(() => opened.prepare(request.query), request);
    if (!statement.reader) throw new LatchgateError('source_refused', NO_ROWS);
    const columns = statement.columns().map(({ name }) => name);
    leave = () => void statement.get();
    const rows = statement.safeIntegers(true).raw(true).iterate() as Iterator<unknown[]>;
    let batch = await unlocked(() => nextBatch(rows), request);
    yield { columns, rows: batch };
    while (batch.length === BATCH_ROWS) {
      await nextTurn();
      if (request.signal.aborted) throw givenUp(request.signal);
      batch = nextBatch(rows);
      if (batch.length > 0) yield { columns, rows: batch };
    }
    leave = () => {};
  } catch (thrown) {
    throw failure(thrown);
  } finally {
    letGo(leave);
    database?.close();
  }
};

/**
 * A statement that was not read to its end holds its lock on the file until it is collected, even when its connection is
 * closed. libsql resets one only when it is asked for a single row.
 */
function letGo(leave: () => void): void {
  try {
    leave();
  } catch {
    // That the row cannot be made resets it as well.
  }
}

function nextBatch(rows: Iterator<unknown[]>): RowBatch['rows'] {
  const batch: unknown[][] = [];
  while (batch.length < BATCH_ROWS) {
    const { done, value } = rows.next();
    if (done === true) break;
    batch.push(value);
  }
  return batch;
}

/** Does it once no other connection holds the lock; from the first row on the lock is ours. */
async function unlocked<T>(work: () => T, { signal, timeoutMs }: SqlRequest): Promise<T> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    if (signal.aborted) throw givenUp(signal);
    try {
      return work();
    } catch (thrown) {
      if (!codeOf(thrown)?.startsWith('SQLITE_BUSY') || performance.now() > giveUpAt) throw thrown;
      await sleep(BUSY_WAIT_MS);
    }
  }
}

function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

function failure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const code = codeOf(thrown);
  if (code?.startsWith('SQLITE_BUSY') || code?.startsWith('SQLITE_LOCKED')) {
    return databaseFailure('source_unavailable', 'another connection holds the database', code);
  }
  if (code === 'SQLITE_READONLY') {
    return databaseFailure('source_refused', 'the query would write; only what reads is run', code);
  }
  if (code === 'SQLITE_ERROR') return databaseFailure('source_refused', 'the database refused the query', code);
  if (code === 'SQLITE_NOTADB' || code?.startsWith('SQLITE_CORRUPT')) {
    return databaseFailure('source_answer_invalid', 'the file is no SQLite database, or a broken one', code);
  }
  return databaseFailure('source_unavailable', 'the database file cannot be read', code);
}
