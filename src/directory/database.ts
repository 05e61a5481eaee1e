import { Kysely, Migrator, sql, type Transaction } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import { isConcurrencyAbort, stateFailure } from './failure.ts';
import { type Engine, migrations } from './migrations.ts';
import { postgresDialect } from './postgres.ts';
import { relax, sqliteDialect, tighten } from './sqlite.ts';
import type { Tables } from './tables.ts';

const TRANSACTION_ATTEMPTS = 4;
const MIGRATION_TABLE = 'kysely_migration';

/** Names of what only one instance may do at a time, as PostgreSQL's advisory lock numbers. */
const LOCKS = { audit: 1, ended_sessions: 2 } as const;
/** Sets our advisory locks apart from those of others in the same database. */
const LOCK_CLASS = 0x6c617463;

/** The state database. Every method throws LatchgateError: `state_unavailable`, or `internal` for a mistake of ours. */
export interface Database {
  readonly engine: Engine;
  /** Statements that need no transaction. */
  run<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /**
   * As `run`, for what does no harm when a loss of power undoes it: a SQLite file is not waited for. The end of the process
   * undoes nothing, and what is committed before or after is as safe as ever.
   */
  runRelaxed<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T>;
  /**
   * All or nothing; may run `work` again when the database broke off. With a lock: one instance after the other, and the
   * order of the commits is the order of the locks. On SQLite every transaction is. Keep it short, call nothing slow in
   * it, and use only the `trx` that is passed in.
   */
  transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>, lock?: keyof typeof LOCKS): Promise<T>;
  /** For readiness. */
  probe(): Promise<void>;
  /** Ends what is under way, then closes. More than once is once. */
  close(): Promise<void>;
}

/**
 * Opens `sqlite:FILE`, `sqlite::memory:` or `postgres://…` and brings its tables to this version. Two instances may do so
 * at once. `erases`: what is deleted or replaced in a SQLite file is overwritten. Throws `state_unavailable`, or `state_too_new` when a newer version has been here.
 */
export async function openDatabase(
  url: string,
  options: { readonly log?: Pick<Log, 'warn'>; readonly erases?: boolean } = {},
): Promise<Database> {
  const engine: Engine = /^postgres(ql)?:/.test(url) ? 'postgres' : 'sqlite';
  if (engine === 'sqlite' && !url.startsWith('sqlite:')) {
    throw new LatchgateError('config_invalid', 'the state database must be sqlite:FILE or postgres://…');
  }
  const onIdleError = (error: Error) =>
    options.log?.warn('a connection to the state database was lost', { error: error.message });
  try {
    if (engine === 'sqlite') {
      const db = new Kysely<Tables>({ dialect: sqliteDialect(url.slice('sqlite:'.length), options.erases) });
      await closingOnError(db, () => migrate(db, engine));
      return new KyselyDatabase(db, engine);
    }
    // Migrations wait for those of another instance, longer than any other statement may take.
    const patient = new Kysely<Tables>({ dialect: await postgresDialect(url, { statementMs: 0, onIdleError }) });
    await closingOnError(patient, () => migrate(patient, engine));
    await patient.destroy();
    return new KyselyDatabase(new Kysely<Tables>({ dialect: await postgresDialect(url, { onIdleError }) }), engine);
  } catch (error) {
    throw stateFailure(error);
  }
}

class KyselyDatabase implements Database {
  readonly engine: Engine;
  readonly #db: Kysely<Tables>;
  #closing: Promise<void> | undefined;

  constructor(db: Kysely<Tables>, engine: Engine) {
    this.#db = db;
    this.engine = engine;
  }

  async run<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    this.#assertOpen();
    try {
      return await work(this.#db);
    } catch (error) {
      throw stateFailure(error);
    }
  }

  async runRelaxed<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    if (this.engine !== 'sqlite') return this.run(work);
    return this.run((db) =>
      db.connection().execute(async (alone) => {
        await relax(alone);
        try {
          return await work(alone);
        } finally {
          await tighten(alone);
        }
      }),
    );
  }

  async transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>, lock?: keyof typeof LOCKS): Promise<T> {
    this.#assertOpen();
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#db.transaction().execute(async (trx) => {
          await takeLock(trx, this.engine, lock);
          return work(trx);
        });
      } catch (error) {
        if (!isConcurrencyAbort(error) || attempt === TRANSACTION_ATTEMPTS) throw stateFailure(error);
      }
    }
  }

  async probe(): Promise<void> {
    await this.run((db) => sql`select 1`.execute(db));
  }

  close(): Promise<void> {
    this.#closing ??= this.#db.destroy();
    return this.#closing;
  }

  /** Kysely connects at its first statement, and would do so after `destroy` too. */
  #assertOpen(): void {
    if (this.#closing !== undefined) throw new LatchgateError('state_unavailable', 'the state database is closed');
  }
}

async function takeLock(trx: Transaction<Tables>, engine: Engine, lock: keyof typeof LOCKS | undefined): Promise<void> {
  if (lock === undefined || engine !== 'postgres') return;
  await sql`select pg_advisory_xact_lock(${sql.lit(LOCK_CLASS)}, ${sql.lit(LOCKS[lock])})`.execute(trx);
}

/**
 * Several stores in one transaction: what is done by the database that `work` gets is done, or undone, as one. After a
 * refusal (a unique key that is taken) PostgreSQL takes nothing more of that transaction, so that all of it fails.
 */
export function inOneTransaction<T>(database: Database, work: (within: Database) => Promise<T>): Promise<T> {
  return database.transaction((trx) => work(new DatabaseWithin(trx, database.engine)));
}

class DatabaseWithin implements Database {
  readonly engine: Engine;
  readonly #trx: Transaction<Tables>;

  constructor(trx: Transaction<Tables>, engine: Engine) {
    this.#trx = trx;
    this.engine = engine;
  }

  async run<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    try {
      return await work(this.#trx);
    } catch (error) {
      throw stateFailure(error);
    }
  }

  runRelaxed<T>(work: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
    return this.run(work);
  }

  async transaction<T>(work: (trx: Transaction<Tables>) => Promise<T>, lock?: keyof typeof LOCKS): Promise<T> {
    await takeLock(this.#trx, this.engine, lock);
    return work(this.#trx);
  }

  async probe(): Promise<void> {}

  async close(): Promise<void> {}
}

async function migrate(db: Kysely<Tables>, engine: Engine): Promise<void> {
  const steps = migrations(engine);
  const done = await doneSteps(db);
  refuseNewer(done, steps);
  if (Object.keys(steps).every((name) => done.includes(name))) return;
  const migrator = new Migrator({ db, provider: { getMigrations: async () => steps } });
  const { error } = await migrator.migrateToLatest();
  if (error === undefined) return;
  // A newer instance may have been quicker than our first look.
  refuseNewer(await doneSteps(db), steps);
  throw error;
}

function refuseNewer(done: readonly string[], steps: Readonly<Record<string, unknown>>): void {
  const unknown = done.find((name) => !(name in steps));
  if (unknown === undefined) return;
  throw new LatchgateError('state_too_new', 'the state database was written by a newer version', {
    detail: { step: unknown },
  });
}

async function doneSteps(db: Kysely<Tables>): Promise<string[]> {
  try {
    const rows = await sql<{ name: string }>`select name from ${sql.table(MIGRATION_TABLE)}`.execute(db);
    return rows.rows.map((row) => row.name);
  } catch (error) {
    // The table is not there yet. Whatever else it was comes up again in the next statement.
    if (stateFailure(error).code === 'internal') return [];
    throw error;
  }
}

async function closingOnError(db: Kysely<Tables>, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await db.destroy().catch(() => undefined);
    throw error;
  }
}
