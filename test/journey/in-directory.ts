import { join } from 'node:path';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import type { Journey } from './harness.ts';

/** What a gateway remembers, looked at or changed behind its back. */
export async function inDirectory<T>(
  { folder }: Pick<Journey, 'folder'>,
  work: (directory: Directory, database: Database) => Promise<T>,
): Promise<T> {
  const database = await openDatabase(`sqlite:${join(folder, 'latchgate.db')}`);
  const directory = createDirectory(database, { now: Date.now });
  try {
    return await work(directory, database);
  } finally {
    await directory.close();
  }
}
