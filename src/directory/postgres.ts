import { type Dialect, PostgresDialect, type PostgresPoolClient } from 'kysely';
import type { Pool, PoolClient } from 'pg';

const CONNECTIONS = 10;
const CONNECT_MS = 5_000;
const STATEMENT_MS = 10_000;
const IDLE_IN_TRANSACTION_MS = 30_000;
const INT8 = 20;
const ANSWER_GRACE_MS = 2_000;

export interface PostgresOptions {
  /** Limit of one statement in milliseconds. Default 10,000; 0 for none (migrations, which wait for one another). */
  readonly statementMs?: number;
  /** Called when an idle connection is lost, which is no failure of anybody's. */
  readonly onIdleError: (error: Error) => void;
}

/** Kysely's PostgreSQL over pg, loaded only here: an embedded instance does without. */
export async function postgresDialect(url: string, options: PostgresOptions): Promise<Dialect> {
  const { default: pg } = await import('pg');
  const statementMs = options.statementMs ?? STATEMENT_MS;
  const pool = new pg.Pool({
    connectionString: url,
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: statementMs,
    // The server ends a slow statement by itself; this one is for a server that is not there any more.
    ...(statementMs === 0 ? {} : { query_timeout: statementMs + ANSWER_GRACE_MS }),
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    keepAlive: true,
    application_name: 'latchgate',
    types: {
      // Our int8 columns are times and counters, all below 2^53.
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format as 'text'),
    },
  });
  pool.on('error', options.onIdleError);
  return new PostgresDialect({
    pool: { connect: async () => careful(await connect(pool)), end: () => pool.end() },
  });
}

async function connect(pool: Pool): Promise<PoolClient> {
  const client = await pool.connect();
  // Without a listener, a connection that breaks while nothing runs on it would end the process.
  if (client.listenerCount('error') === 0) client.on('error', () => {});
  return client;
}

/**
 * A connection on which a call failed without an answer of the server (timeout, reset) is in an unknown state: it is
 * closed when it is given back, not used again.
 */
function careful(client: PoolClient): PostgresPoolClient {
  let broken = false;
  const query = async (text: string, values: unknown[]) => {
    try {
      return await client.query(text, values);
    } catch (error) {
      if (!hasSqlState(error)) broken = true;
      throw error;
    }
  };
  return { query: query as unknown as PostgresPoolClient['query'], release: () => client.release(broken) };
}

function hasSqlState(error: unknown): boolean {
  return error instanceof Error && 'severity' in error && error.severity !== undefined;
}
