import type { HeldChange } from '../model/change.ts';
import type { Trace } from '../model/desired.ts';
import type { PersonId } from '../model/person.ts';
import type { Database } from './database.ts';

/** What `why ID` shows: everything behind one decision. */
export interface DecisionRecord {
  readonly requestId: string;
  readonly at: Date;
  readonly origin?: string;
  readonly person?: PersonId;
  readonly outcome: 'allow' | 'deny' | 'held' | 'error';
  readonly code?: string;
  readonly message?: string;
  readonly trace?: Trace;
  readonly held?: readonly (HeldChange & { readonly target: string })[];
  /** Further facts, free of secrets: route, target, path without query. */
  readonly detail?: Readonly<Record<string, unknown>>;
}

export interface Decisions {
  save(record: DecisionRecord): Promise<void>;
  get(requestId: string): Promise<DecisionRecord | undefined>;
  /** Removes what is older. */
  prune(before: Date): Promise<number>;
}

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
