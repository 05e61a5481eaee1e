import type { ClientConfig, CustomTypesConfig, FieldDef } from 'pg';
import { LatchgateError } from '../../model/errors.ts';
import { answered, BATCH_ROWS, databaseFailure, NO_ROWS, type ReadRows, type SqlRequest } from './rows.ts';

const END_MS = 2_000;
const BOOL = 16;
const INTEGERS: ReadonlySet<number> = new Set([20, 21, 23]);
const JSON_TYPES: ReadonlySet<number> = new Set([114, 3802]);
/** `char(n)` is filled up with blanks, which are no part of the value. */
const BPCHAR = 1042;
/** Arrays of text, varchar, char(n), name, bool and integers: what roles come in. */
const ARRAYS: ReadonlySet<number> = new Set([1000, 1002, 1003, 1005, 1007, 1009, 1014, 1015, 1016]);
const BYTEA = 17;

/** PostgreSQL by a cursor in a read-only transaction; `statement_timeout` holds for each batch. */
export const readPostgres: ReadRows = async function* (request) {
  const [{ default: pg }, { default: Cursor }] = await Promise.all([import('pg'), import('pg-cursor')]);
  const client = new pg.Client(clientConfig(request));
  // What breaks while nothing is asked shows at the next question.
  client.on('error', () => {});
  try {
    await answered(client.connect(), request);
    await answered(client.query('begin transaction read only'), request);
    const types: CustomTypesConfig = {
      getTypeParser: ((oid: number) => parserOf(oid, pg.types.getTypeParser)) as CustomTypesConfig['getTypeParser'],
    };
    const cursor = client.query(new Cursor<unknown[]>(request.query, [], { rowMode: 'array', types }));
    for (let isFirst = true; ; isFirst = false) {
      const { rows, fields } = await answered(nextRows(cursor), request);
      if (isFirst && fields.length === 0) throw new LatchgateError('source_refused', NO_ROWS);
      if (rows.length > 0 || isFirst) yield { columns: fields.map(({ name }) => name), rows };
      if (rows.length < BATCH_ROWS) return;
    }
  } catch (thrown) {
    throw failure(thrown);
  } finally {
    // Ends the transaction too; with a query under way it breaks the connection.
    await answered(client.end(), { ...request, signal: new AbortController().signal, timeoutMs: END_MS }).catch(
      () => {},
    );
  }
};

interface CursorRows {
  readonly rows: readonly unknown[][];
  readonly fields: readonly FieldDef[];
}

type ReadingCursor = {
  read(
    rows: number,
    callback: (error: Error | undefined, rows: unknown[][], result: { fields?: FieldDef[] }) => void,
  ): unknown;
};

function nextRows(cursor: ReadingCursor): Promise<CursorRows> {
  return new Promise((resolve, reject) => {
    cursor.read(BATCH_ROWS, (error, rows, result) => {
      if (error) reject(error);
      else resolve({ rows, fields: result.fields ?? [] });
    });
  });
}

function clientConfig({ place, timeoutMs }: SqlRequest): ClientConfig {
  const { host, port, database, user, password, encrypt, trustCertificate, ca } = place;
  return {
    host,
    port: port ?? 5_432,
    ...(database === undefined ? {} : { database }),
    ...(user === undefined ? {} : { user }),
    ...(password === undefined ? {} : { password }),
    ssl: encrypt && { rejectUnauthorized: !trustCertificate, ...(ca === undefined ? {} : { ca }) },
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    idle_in_transaction_session_timeout: 2 * timeoutMs,
    keepAlive: true,
    application_name: 'latchgate',
  };
}

type Parser = (text: string) => unknown;

/** Whatever is not plainly a number, a truth, JSON or a list stays the text that the server writes. */
function parserOf(oid: number, builtIn: (oid: number) => Parser): Parser {
  if (oid === BOOL || oid === BYTEA || JSON_TYPES.has(oid) || ARRAYS.has(oid)) return builtIn(oid);
  if (INTEGERS.has(oid)) return BigInt;
  if (oid === BPCHAR) return (text) => text.replace(/ +$/, '');
  return (text) => text;
}

/** SQLSTATE classes of a server that is not there, is shutting down or has no room; 40 is a conflict, 57 an operator. */
const UNAVAILABLE = /^(08|53|57|58|40)/;

const SENTENCES: Readonly<Record<string, string>> = {
  '28000': 'the database does not let our account in',
  '28P01': 'the database does not take the password of our account',
  '3D000': 'there is no database of that name',
  '25006': 'the query would write; only what reads is run',
  '42501': 'our account may not read what the query asks for',
  '42601': 'the query has a syntax error',
  '42703': 'the query names a column that is not there',
  '42P01': 'the query names a table that is not there',
  '57014': 'the query took longer than its limit',
};

function failure(thrown: unknown): unknown {
  if (thrown instanceof LatchgateError) return thrown;
  const code = (thrown as { code?: unknown } | null)?.code;
  const state = typeof code === 'string' ? code : undefined;
  const isAnswer = state !== undefined && /^[0-9A-Z]{5}$/.test(state) && 'severity' in (thrown as object);
  if (!isAnswer) return databaseFailure('source_unavailable', 'no connection to the database', state);
  const kind = UNAVAILABLE.test(state) ? 'source_unavailable' : 'source_refused';
  const sentence =
    SENTENCES[state] ?? (kind === 'source_refused' ? 'the database refused the query' : 'the database ended the query');
  return databaseFailure(kind, sentence, state);
}
