import type { Database } from './database.ts';
import type { DecisionRecord, Decisions } from './directory.ts';

export function createDecisions(database: Database): Decisions {
  return {
    save: (record) =>
      database.run(async (db) => {
        const { at, ...rest } = record;
        const row = { at: at.getTime(), record: JSON.stringify(rest) };
        await db
          .insertInto('decisions')
          .values({ request_id: record.requestId, ...row })
          .onConflict((conflict) => conflict.column('request_id').doUpdateSet(row))
          .execute();
      }),
    get: (requestId) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('decisions')
          .select(['at', 'record'])
          .where('request_id', '=', requestId)
          .executeTakeFirst();
        if (row === undefined) return undefined;
        return { ...(JSON.parse(row.record) as Omit<DecisionRecord, 'at'>), at: new Date(row.at) };
      }),
    prune: (before) =>
      database.run(async (db) => {
        const result = await db.deleteFrom('decisions').where('at', '<', before.getTime()).executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}
