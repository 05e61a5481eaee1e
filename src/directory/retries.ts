import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { Retries, Retry } from './directory.ts';
import type { RetryRow } from './tables.ts';

export function createRetries(database: Database): Retries {
  return {
    put: (person, target, code, dueAt) =>
      database.run(async (db) => {
        await db
          .insertInto('retries')
          .values({ person_id: person, target, attempts: 1, due_at: dueAt.getTime(), code })
          .onConflict((conflict) =>
            conflict
              .columns(['person_id', 'target'])
              .doUpdateSet({ attempts: sql`retries.attempts + 1`, due_at: dueAt.getTime(), code }),
          )
          .execute();
      }),
    due: (now, limit) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('retries')
          .selectAll()
          .where('due_at', '<=', now.getTime())
          .orderBy('due_at')
          .orderBy('person_id')
          .limit(limit)
          .execute();
        return rows.map(toRetry);
      }),
    get: (person, target) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('retries')
          .selectAll()
          .where('person_id', '=', person)
          .where('target', '=', target)
          .executeTakeFirst();
        return row && toRetry(row);
      }),
    done: (person, target) =>
      database.run(async (db) => {
        await db.deleteFrom('retries').where('person_id', '=', person).where('target', '=', target).execute();
      }),
    count: () =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('retries')
          .select((select) => select.fn.countAll<number>().as('count'))
          .executeTakeFirstOrThrow();
        return row.count;
      }),
  };
}

function toRetry(row: RetryRow): Retry {
  return {
    person: row.person_id,
    target: row.target,
    attempts: row.attempts,
    dueAt: new Date(row.due_at),
    code: row.code,
  };
}
