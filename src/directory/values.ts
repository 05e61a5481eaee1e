import type { Database } from './database.ts';
import type { StateValues } from './directory.ts';

export function createStateValues(database: Database): StateValues {
  return {
    get: (name) =>
      database.run(async (db) => {
        const row = await db.selectFrom('state_values').select('value').where('name', '=', name).executeTakeFirst();
        return row?.value;
      }),
    swap: (name, expected, value) =>
      database.run(async (db) => {
        if (expected === undefined) {
          const written = await db
            .insertInto('state_values')
            .values({ name, value })
            .onConflict((conflict) => conflict.column('name').doNothing())
            .executeTakeFirst();
          return written.numInsertedOrUpdatedRows === 1n;
        }
        const written = await db
          .updateTable('state_values')
          .set({ value })
          .where('name', '=', name)
          .where('value', '=', expected)
          .executeTakeFirst();
        return written.numUpdatedRows === 1n;
      }),
  };
}
