import type { Database } from './database.ts';
import type { ConsoleSessionRow } from './tables.ts';

/** Sessions of the operators' page, by hashes of their cookies. Opaque here: only the cookie opens what is sealed. */
export interface ConsoleSessionRows {
  /** Also takes out what has run out by `now`, in milliseconds since the epoch. */
  add(row: ConsoleSessionRow, now: number): Promise<void>;
  get(handle: string): Promise<ConsoleSessionRow | undefined>;
  /** Puts the idle limit off. */
  touch(handle: string, idleUntil: number): Promise<void>;
  remove(handle: string): Promise<void>;
}

export function createConsoleSessionRows(database: Database): ConsoleSessionRows {
  return {
    add: (row, now) =>
      database.transaction(async (trx) => {
        await trx.deleteFrom('console_sessions').where('idle_until', '<=', now).execute();
        await trx.insertInto('console_sessions').values(row).execute();
      }),
    get: (handle) =>
      database.run((db) =>
        db.selectFrom('console_sessions').selectAll().where('handle', '=', handle).executeTakeFirst(),
      ),
    touch: async (handle, idleUntil) => {
      await database.run((db) =>
        db.updateTable('console_sessions').set({ idle_until: idleUntil }).where('handle', '=', handle).execute(),
      );
    },
    remove: async (handle) => {
      await database.run((db) => db.deleteFrom('console_sessions').where('handle', '=', handle).execute());
    },
  };
}
