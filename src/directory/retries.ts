import { sql } from 'kysely';
import type { Database } from './database.ts';
import type { Retries, Retry } from './directory.ts';
import { prepared } from './prepared.ts';
import type { RetryRow } from './tables.ts';

const upsert = prepared(
  (db, first: Pick<RetryRow, 'person_id' | 'target' | 'attempts'>, said: Pick<RetryRow, 'due_at' | 'code'>) =>
    db
      .insertInto('retries')
      .values({ ...first, ...said })
      .onConflict((conflict) =>
        conflict.columns(['person_id', 'target']).doUpdateSet({ attempts: sql`retries.attempts + 1`, ...said }),
      ),
);

const remove = prepared((db, person: string, target: string) =>
  db.deleteFrom('retries').where('person_id', '=', person).where('target', '=', target),
);

export function createRetries(database: Database): Retries {
  return {
    put: (person, target, code, dueAt) =>
      database.run(async (db) => {
        await upsert(db, { person_id: person, target, attempts: 1 }, { due_at: dueAt.getTime(), code });
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
      // Done once more, it changes nothing.
      database.runRelaxed(async (db) => {
        await remove(db, person, target);
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
