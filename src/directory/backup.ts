import { closeSync, openSync, rmSync } from 'node:fs';
import Libsql from 'libsql';
import { LatchgateError } from '../model/errors.ts';

const SCHEME = 'sqlite:';

/**
 * Copies a SQLite database into a new file of its owner's alone, as it is at one moment, while others read and write it.
 * Throws `usage` for another kind of database and for a file that is there, `state_unavailable` when it cannot be read or
 * the file cannot be written.
 */
export function backupTo(url: string, out: string): void {
  const file = url.startsWith(SCHEME) ? url.slice(SCHEME.length) : ':memory:';
  if (file === ':memory:') throw new LatchgateError('usage', 'the state is not in a SQLite file: take pg_dump');
  makeNew(out);
  let database: InstanceType<typeof Libsql> | undefined;
  try {
    // Whoever restores it may ask for another file: the database that is there must not be made by this.
    database = new Libsql(file, { fileMustExist: true });
    database.exec(`vacuum into '${out.replaceAll("'", "''")}'`);
    assertWhole(out);
  } catch (cause) {
    rmSync(out, { force: true });
    throw new LatchgateError('state_unavailable', 'the state database could not be copied', { cause });
  } finally {
    database?.close();
  }
}

function makeNew(out: string): void {
  try {
    closeSync(openSync(out, 'wx', 0o600));
  } catch (cause) {
    throw new LatchgateError('usage', `${out} cannot be made: it is there, or its folder is not`, { cause });
  }
}

function assertWhole(file: string): void {
  const copy = new Libsql(file, { readonly: true });
  try {
    const found = copy.prepare('pragma quick_check').get() as { readonly quick_check?: unknown } | undefined;
    if (found?.quick_check !== 'ok') throw new Error('the copy is not whole');
  } finally {
    copy.close();
  }
}
