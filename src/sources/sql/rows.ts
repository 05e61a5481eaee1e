import type { Readable } from 'node:stream';
import { LatchgateError } from '../../model/errors.ts';
import { givenUp } from '../failure.ts';
import type { SqlPlace } from './place.ts';

/** One query to run. */
export interface SqlRequest {
  readonly place: SqlPlace;
  readonly query: string;
  /** For the connection, for the first rows and between two batches. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** Some rows, each a list of values in the order of the columns. */
export interface RowBatch {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * Runs the query on a connection of its own and gives its rows in batches of at most BATCH_ROWS, the first of them even
 * when it is empty. The next rows are asked for when the last ones were taken; ending the iteration ends the query and
 * the connection. Reads only, as far as the database lets itself be told so. Throws LatchgateError (`source_…`) without
 * the text of the driver, which may quote values.
 */
export type ReadRows = (request: SqlRequest) => AsyncGenerator<RowBatch, void, undefined>;

/** Rows that are asked for at once, and the most that are held between the database and whoever reads. */
export const BATCH_ROWS = 500;

/** Waits for one answer of a database. Throws `source_unavailable` after the request's timeout and at its signal. */
export async function answered<T>(work: Promise<T>, { signal, timeoutMs }: SqlRequest): Promise<T> {
  let finish = (): void => {};
  const ended = new Promise<never>((_, reject) => {
    const late = (): void =>
      reject(
        new LatchgateError('source_unavailable', `no answer of the database within ${timeoutMs} ms`, {
          detail: { timeout: true },
        }),
      );
    const timer = setTimeout(late, timeoutMs);
    const onAbort = (): void => reject(givenUp(signal));
    finish = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  // When the wait is over first, what comes of the work later is nobody's.
  work.catch(() => {});
  try {
    return await Promise.race([work, ended]);
  } finally {
    finish();
  }
}

/** The batches of a stream of rows that holds back its source when nobody takes them (object mode). */
export async function* batchesOf(
  stream: Readable,
  columns: () => readonly string[],
  request: SqlRequest,
): AsyncGenerator<RowBatch, void, undefined> {
  // What fails when nobody asks any more is nobody's.
  stream.on('error', () => {});
  const rows = stream[Symbol.asyncIterator]() as AsyncIterator<readonly unknown[]>;
  for (let isFirst = true; ; isFirst = false) {
    const batch = await answered(nextBatch(rows), request);
    if (batch.length > 0 || isFirst) yield { columns: columns(), rows: batch };
    if (batch.length < BATCH_ROWS) return;
  }
}

async function nextBatch(rows: AsyncIterator<readonly unknown[]>): Promise<readonly (readonly unknown[])[]> {
  const batch: (readonly unknown[])[] = [];
  while (batch.length < BATCH_ROWS) {
    const { done, value } = await rows.next();
    if (done === true) break;
    batch.push(value);
  }
  return batch;
}

/** A failure of a database by what its own code stands for; the code alone goes into logs. */
export function databaseFailure(
  code: 'source_unavailable' | 'source_refused' | 'source_answer_invalid',
  message: string,
  databaseCode: string | number | undefined,
): LatchgateError {
  return new LatchgateError(code, message, databaseCode === undefined ? {} : { detail: { databaseCode } });
}

export const MORE_TABLES = 'the query gives more than one table';
export const NO_ROWS = 'the query gives no table: it must be one that reads';
