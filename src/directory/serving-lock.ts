import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Libsql from 'libsql';
import { LatchgateError } from '../model/errors.ts';
import { isBusy } from './failure.ts';

const SCHEME = 'sqlite:';

/**
 * Takes a SQLite database for one gateway: its workers and the commands still come in, a second gateway does not. The
 * lock is the operating system's, on `FILE-serving` beside the database, and ends with the process, however that ends.
 * Returns how to give it back. PostgreSQL and a database in memory need none. Throws `state_in_use`, `state_unavailable`.
 */
export function lockForServing(url: string): () => void {
  const file = url.startsWith(SCHEME) ? url.slice(SCHEME.length) : ':memory:';
  if (file === ':memory:') return () => {};
  const path = `${resolve(file)}-serving`;
  let lock: InstanceType<typeof Libsql> | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    closeSync(openSync(path, 'a', 0o600));
    lock = new Libsql(path);
    // Nothing is ever written: without a journal no second file appears.
    lock.exec('pragma journal_mode=memory; begin exclusive');
  } catch (error) {
    lock?.close();
    if (isBusy(error)) throw new LatchgateError('state_in_use', 'another gateway serves from this database');
    throw new LatchgateError('state_unavailable', 'the lock beside the state database cannot be taken', {
      cause: error,
    });
  }
  const held = lock;
  return () => held.close();
}
