import type { Selectable } from 'kysely';
import type { Database } from './database.ts';
import type { PlanState, Plans, StoredPlan } from './sync-history.ts';
import type { PlanRow } from './tables-syncs.ts';

const WAITING: readonly PlanState[] = ['held', 'saved'];

/** What lies further ahead was written by a clock that was wrong: it is older than whatever is not. */
const CLOCKS_DIFFER_MS = 60_000;

export function createPlans(database: Database): Plans {
  return {
    keep: (plan) =>
      database.transaction(async (trx) => {
        const last = await trx
          .selectFrom('plans')
          .selectAll()
          .where('sync', '=', plan.sync)
          .orderBy((eb) => eb('at', '>', plan.at.getTime() + CLOCKS_DIFFER_MS), 'asc')
          .orderBy('at', 'desc')
          .orderBy('id', 'desc')
          .limit(1)
          .executeTakeFirst();
        if (last?.fingerprint === plan.fingerprint && isStillAsked(last.state, plan.state)) return toPlan(last);
        await trx
          .updateTable('plans')
          .set({ state: 'replaced' })
          .where('sync', '=', plan.sync)
          .where('state', 'in', WAITING)
          .execute();
        const row = { ...toRow(plan), decided_by: null, decided_at: null };
        await trx.insertInto('plans').values(row).execute();
        return toPlan(row);
      }),
    get: (id) =>
      database.run(async (db) => {
        const row = await db.selectFrom('plans').selectAll().where('id', '=', id).executeTakeFirst();
        return row && toPlan(row);
      }),
    list: (limit) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('plans')
          .select(['id', 'sync', 'target', 'at', 'state', 'fingerprint', 'code', 'decided_by', 'decided_at'])
          .orderBy('at', 'desc')
          .orderBy('id', 'desc')
          .limit(limit)
          .execute();
        return rows.map(toSummary);
      }),
    decide: (id, { from, to, by, at }) =>
      database.run(async (db) => {
        const written = await db
          .updateTable('plans')
          .set({ state: to, decided_by: by, decided_at: at.getTime() })
          .where('id', '=', id)
          .where('state', 'in', from)
          .executeTakeFirst();
        return written.numUpdatedRows === 1n;
      }),
    settle: (sync) =>
      database.run(async (db) => {
        await db
          .updateTable('plans')
          .set({ state: 'replaced' })
          .where('sync', '=', sync)
          .where('state', 'in', WAITING)
          .execute();
      }),
    prune: (before) =>
      database.run(async (db) => {
        const result = await db
          .deleteFrom('plans')
          .where('at', '<', before.getTime())
          .where('state', 'not in', WAITING)
          .executeTakeFirst();
        return Number(result.numDeletedRows);
      }),
  };
}

/** The very same plan that was rejected is not asked again; one that was only reported is, once the brake holds it. */
function isStillAsked(before: PlanState, now: PlanState): boolean {
  return before === now || before === 'rejected';
}

function toRow(plan: Omit<StoredPlan, 'decidedBy' | 'decidedAt'>): Omit<PlanRow, 'decided_by' | 'decided_at'> {
  const { id, sync, target, state, fingerprint, body } = plan;
  return { id, sync, target, state, fingerprint, body, at: plan.at.getTime(), code: plan.code ?? null };
}

function toSummary(row: Omit<Selectable<PlanRow>, 'body'>): Omit<StoredPlan, 'body'> {
  return {
    id: row.id,
    sync: row.sync,
    target: row.target,
    at: new Date(row.at),
    state: row.state,
    fingerprint: row.fingerprint,
    ...(row.code === null ? {} : { code: row.code }),
    ...(row.decided_by === null ? {} : { decidedBy: row.decided_by }),
    ...(row.decided_at === null ? {} : { decidedAt: new Date(row.decided_at) }),
  };
}

function toPlan(row: Selectable<PlanRow>): StoredPlan {
  return { ...toSummary(row), body: row.body };
}
