import { LatchgateError } from '../model/errors.ts';

const UNIQUE_CODES = new Set(['SQLITE_CONSTRAINT_UNIQUE', 'SQLITE_CONSTRAINT_PRIMARYKEY', '23505']);
const TRY_AGAIN_CODES = new Set(['40001', '40P01']);

/** True when a driver (or the error made of it) says that a unique key is taken. */
export function isUniqueViolation(thrown: unknown): boolean {
  const code = driverCode(thrown);
  return code !== undefined && UNIQUE_CODES.has(code);
}

/** Whether it is this key that is taken: PostgreSQL names the index, SQLite the columns. */
export function isTakenKey(thrown: unknown, table: string, index: string, columns: readonly string[]): boolean {
  if (!isUniqueViolation(thrown)) return false;
  const { constraint, message } = driverError(thrown);
  if (constraint !== undefined) return constraint === index;
  return message.endsWith(`: ${columns.map((column) => `${table}.${column}`).join(', ')}`);
}

function driverError(thrown: unknown): { readonly constraint?: string; readonly message: string } {
  if (thrown instanceof LatchgateError && thrown.cause !== undefined) return driverError(thrown.cause);
  const { constraint, message } = thrown as { readonly constraint?: unknown; readonly message?: unknown };
  return {
    ...(typeof constraint === 'string' ? { constraint } : {}),
    message: typeof message === 'string' ? message : '',
  };
}

/** True when the database itself broke off a transaction in favour of another: it may simply be run again. */
export function isConcurrencyAbort(thrown: unknown): boolean {
  const code = driverCode(thrown);
  return code !== undefined && TRY_AGAIN_CODES.has(code);
}

/** True when SQLite says that another connection holds the lock. */
export function isBusy(thrown: unknown): boolean {
  return driverCode(thrown)?.startsWith('SQLITE_BUSY') ?? false;
}

/**
 * What a driver threw, as our own: `internal` when the statement or its values are at fault, else `state_unavailable`
 * (no connection, timeout, full disk, file that is no database, …).
 */
export function stateFailure(thrown: unknown): LatchgateError {
  if (thrown instanceof LatchgateError) return thrown;
  const code = driverCode(thrown);
  const detail = code === undefined ? {} : { databaseCode: code };
  if (code === undefined ? isMistake(thrown) : isOurFault(code)) {
    return new LatchgateError('internal', 'the state database refused a statement', { cause: thrown, detail });
  }
  return new LatchgateError('state_unavailable', 'the state database does not answer', { cause: thrown, detail });
}

/** SQLSTATE classes 22 (data), 23 (constraint), 42 (syntax, missing table); SQLite's counterparts. */
function isOurFault(code: string): boolean {
  return /^(22|23|42)[0-9A-Z]{3}$/.test(code) || /^SQLITE_(CONSTRAINT|ERROR|MISMATCH|RANGE|MISUSE)/.test(code);
}

/** A driver throws these for values that it cannot take, and our own code for its mistakes; never for a lost database. */
function isMistake(thrown: unknown): boolean {
  return [TypeError, RangeError, SyntaxError, ReferenceError].some((kind) => thrown instanceof kind);
}

function driverCode(thrown: unknown): string | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined;
  if (thrown instanceof LatchgateError) return driverCode(thrown.cause);
  return 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : undefined;
}
