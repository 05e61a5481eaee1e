import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { SyncRun, SyncRuns } from './sync-history.ts';
import type { SyncRunRow } from './tables-syncs.ts';

/** What lies further ahead was written by a clock that was wrong: it is older than whatever is not. */
const CLOCKS_DIFFER_MS = 60_000;

export function createSyncRuns(database: Database, clock: Clock): SyncRuns {
  return {
    begin: ({ id, sync, by, startedAt }) =>
      database.run(async (db) => {
        const empty = { finished_at: null, outcome: null, code: null, plan_id: null, counts: '{}' };
        await db
          .insertInto('sync_runs')
          .values({ id, sync, started_by: by, started_at: startedAt.getTime(), ...empty })
          .execute();
      }),
    finish: (id, { finishedAt, outcome, code, planId, counts }) =>
      database.run(async (db) => {
        await db
          .updateTable('sync_runs')
          .set({
            finished_at: finishedAt.getTime(),
            outcome,
            code: code ?? null,
            plan_id: planId ?? null,
            counts: JSON.stringify(counts),
          })
          .where('id', '=', id)
          .execute();
      }),
    recent: (sync, limit) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('sync_runs')
          .selectAll()
          .where('sync', '=', sync)
          .orderBy('started_at', 'desc')
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        return rows.map(toRun);
      }),
    lastFinished: (sync, outcomes) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('sync_runs')
          .selectAll()
          .where('sync', '=', sync)
          .where('finished_at', 'is not', null)
          .$if(outcomes !== undefined, (query) => query.where('outcome', 'in', outcomes ?? []))
          .orderBy((eb) => eb('finished_at', '>', clock.now() + CLOCKS_DIFFER_MS), 'asc')
          .orderBy('finished_at', 'desc')
          .orderBy('id', 'desc')
          .limit(1)
          .executeTakeFirst();
        return row && toRun(row);
      }),
    prune: (before) =>
      database.run(async (db) => {
        const result = await db.deleteFrom('sync_runs').where('started_at', '<', before.getTime()).executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

function toRun(row: SyncRunRow): SyncRun {
  return {
    id: row.id,
    sync: row.sync,
    by: row.started_by,
    startedAt: new Date(row.started_at),
    counts: JSON.parse(row.counts) as SyncRun['counts'],
    ...(row.finished_at === null ? {} : { finishedAt: new Date(row.finished_at) }),
    ...(row.outcome === null ? {} : { outcome: row.outcome }),
    ...(row.code === null ? {} : { code: row.code }),
    ...(row.plan_id === null ? {} : { planId: row.plan_id }),
  };
}
