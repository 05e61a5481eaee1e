import { composeLog } from '../compose/state.ts';
import { loadConfig } from '../config/load.ts';
import { copyState } from '../directory/copy-state.ts';
import { type Database, openDatabase } from '../directory/database.ts';
import { lockForServing } from '../directory/serving-lock.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Io } from './io.ts';
import { tableLines } from './table.ts';

export interface StateCopyOptions {
  /** The config whose SQLite state is copied. */
  readonly config: string;
  /** The config whose state database it goes to. */
  readonly next: string;
  readonly json?: boolean;
}

/**
 * `latchgate state copy --new NEW`: copies the SQLite state of one config into the empty database of another, which may
 * be PostgreSQL: on the way from one instance to several. No gateway may serve from it meanwhile, and no command writes to it.
 * What was there stays.
 * Exit code 0. Throws ConfigError for either file, `state_in_use`, `state_not_empty`, `session_secrets_differ`, `usage`,
 * `state_unavailable`. With `json`: `tables` with `table` and `rows`.
 */
export async function stateCopy(options: StateCopyOptions, io: Io): Promise<number> {
  const before = loadConfig(options.config, { env: io.env });
  const after = loadConfig(options.next, { env: io.env, option: '--new' });
  if (before.state.database === after.state.database) {
    throw new LatchgateError('usage', 'both configs name the same state database');
  }
  if (!before.session.secrets.every((secret) => after.session.secrets.includes(secret))) {
    throw new LatchgateError(
      'session_secrets_differ',
      'what is stored encrypted may need each of the former `session.secrets`: the new config lacks one',
    );
  }
  const log = composeLog({ ...after, log: { ...after.log, level: 'error' } }, process.stderr);
  const release = lockForServing(before.state.database);
  const open: Database[] = [];
  try {
    for (const { state } of [before, after]) open.push(await openDatabase(state.database, { log }));
    const [from, to] = open as [Database, Database];
    const tables = (await copyState(from, to)).filter(({ rows }) => rows > 0);
    if (options.json === true) io.out(JSON.stringify({ tables }));
    else
      for (const line of tableLines(
        ['TABLE', 'ROWS'],
        tables.map(({ table, rows }) => [table, String(rows)]),
      ))
        io.out(line);
    if (after.session.store !== 'embedded' && before.session.store === 'embedded') {
      io.err('sessions move from the database to Redis: people log in once more');
    }
    return 0;
  } finally {
    for (const one of open) await one.close();
    release();
  }
}
