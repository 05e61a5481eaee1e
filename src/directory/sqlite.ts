import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import Libsql from 'libsql';
import { LatchgateError } from '../model/errors.ts';
import { isBusy } from './failure.ts';
import type { Tables } from './tables.ts';

/** What was committed survives a loss of power, which the audit and the ledger promise. */
const SYNCHRONOUS = 'synchronous=FULL';
const BUSY_LIMIT_MS = 5_000;
const BUSY_WAIT_MS = 15;
const STATEMENTS_KEPT = 200;

type Handle = InstanceType<typeof Libsql>;
interface Prepared {
  readonly statement: ReturnType<Handle['prepare']>;
  /** Whether it answers with rows. To ask the statement costs as much as a small row. */
  readonly isReader: boolean;
}

/**
 * Kysely's SQLite over libsql, on one connection. Unlike Kysely's own dialect, a transaction begins IMMEDIATE (a deferred
 * one that reads first cannot always write later), changes of the schema are transactional (SQLite can, and two instances
 * that start at once need it), and a lock of another connection is waited for without stopping the event loop.
 */
export function sqliteDialect(file: string, erases = false): Dialect {
  return {
    createDriver: () => new SqliteDriver(file, erases),
    createQueryCompiler: () => new SqliteQueryCompiler(),
    createAdapter: () => new TransactionalSqliteAdapter(),
    createIntrospector: (db) => new SqliteIntrospector(db),
  };
}

/** From here on nothing of this connection waits for the disk (https://sqlite.org/pragma.html#pragma_synchronous). */
export async function relax(db: Kysely<Tables>): Promise<void> {
  await db.executeQuery(RELAXED);
}

/** The other way round. */
export async function tighten(db: Kysely<Tables>): Promise<void> {
  await db.executeQuery(TIGHTENED);
}

const RELAXED = CompiledQuery.raw('pragma synchronous=NORMAL');
const TIGHTENED = CompiledQuery.raw(`pragma ${SYNCHRONOUS}`);

class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #file: string;
  readonly #erases: boolean;
  #connection: SqliteConnection | undefined;
  #last: Promise<void> = Promise.resolve();
  #release: () => void = () => {};

  constructor(file: string, erases: boolean) {
    this.#file = file;
    this.#erases = erases;
  }

  async init(): Promise<void> {
    const connection = new SqliteConnection(openFile(this.#file));
    try {
      const always = ['journal_mode=WAL', SYNCHRONOUS, 'foreign_keys=ON', 'busy_timeout=0'];
      for (const pragma of [...always, ...(this.#erases ? ['secure_delete=ON'] : [])]) {
        await connection.executeQuery(CompiledQuery.raw(`pragma ${pragma}`));
      }
    } catch (error) {
      connection.close();
      throw error;
    }
    this.#connection = connection;
  }

  /** First come, first served. */
  async acquireConnection(): Promise<DatabaseConnection> {
    const before = this.#last;
    let release: () => void = () => {};
    this.#last = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    this.#release = release;
    if (this.#connection === undefined) {
      release();
      throw new Error('the database is closed');
    }
    return this.#connection;
  }

  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(): Promise<void> {
    this.#connection?.rollback();
  }

  async releaseConnection(): Promise<void> {
    this.#connection?.rollback();
    this.#release();
  }

  async destroy(): Promise<void> {
    await this.#last;
    this.#connection?.close();
    this.#connection = undefined;
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #db: Handle;
  readonly #statements = new Map<string, Prepared>();

  constructor(db: Handle) {
    this.#db = db;
  }

  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const parameters = query.parameters.map(bindable);
    const giveUpAt = performance.now() + BUSY_LIMIT_MS;
    for (;;) {
      try {
        return this.#execute<R>(query.sql, parameters);
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
        await sleep(BUSY_WAIT_MS * (0.2 + Math.random()));
      }
    }
  }

  // biome-ignore lint/correctness/useYield: the interface has it, we do not stream
  async *streamQuery(): AsyncIterableIterator<QueryResult<never>> {
    throw new Error('streaming is not supported');
  }

  /** SQLite may have rolled back by itself already (full disk): then there is nothing to do. */
  rollback(): void {
    if (this.#db.inTransaction) this.#db.exec('rollback');
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  #execute<R>(sql: string, parameters: readonly Bindable[]): QueryResult<R> {
    const { statement, isReader } = this.#prepare(sql);
    if (isReader) return { rows: statement.all(parameters) as R[] };
    const { changes } = statement.run(parameters);
    return { rows: [], numAffectedRows: BigInt(changes) };
  }

  #prepare(sql: string): Prepared {
    const known = this.#statements.get(sql);
    if (known !== undefined) {
      this.#statements.delete(sql);
      this.#statements.set(sql, known);
      return known;
    }
    const statement = this.#db.prepare(sql);
    const prepared = { statement, isReader: statement.reader };
    this.#statements.set(sql, prepared);
    if (this.#statements.size > STATEMENTS_KEPT) {
      const oldest = this.#statements.keys().next().value;
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    return prepared;
  }
}

type Bindable = string | number | bigint | Buffer | null;

/**
 * libsql ends the whole process at a boolean and silently cuts a text at NUL, by which two subjects could become one:
 * neither gets that far.
 */
function bindable(value: unknown): Bindable {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'string') {
    if (value.includes('\0')) throw new LatchgateError('internal', 'a text with NUL cannot be stored');
    return value;
  }
  if (value === null || value === undefined) return null;
  if (typeof value === 'number' || typeof value === 'bigint' || Buffer.isBuffer(value)) return value;
  throw new LatchgateError('internal', `a ${typeof value} cannot be stored`);
}

/** Opens or makes the file; a new one, and new folders above it, are for this account's eyes only. */
function openFile(file: string): Handle {
  if (file === ':memory:') return new Libsql(file);
  // Absolute, because libsql takes a name with a scheme for an address of the network.
  const path = resolve(file);
  if (!existsSync(path)) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
  }
  return new Libsql(path);
}
