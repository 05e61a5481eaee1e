import type { Database } from './database.ts';

/** A list of grants that somebody is to decide on. */
export interface Review {
  readonly id: string;
  readonly target: string;
  /** Only this one was asked for: `role:Admin`. */
  readonly entitlement?: string;
  readonly at: Date;
  readonly rows: number;
  /** Secret by which the rows of its file are told from others. */
  readonly seal: string;
}

export interface Reviews {
  save(review: Review): Promise<void>;
  get(id: string): Promise<Review | undefined>;
}

export function createReviews(database: Database): Reviews {
  return {
    save: ({ id, target, entitlement = null, at, rows, seal }) =>
      database.run(async (db) => {
        await db.insertInto('reviews').values({ id, target, entitlement, at: at.getTime(), rows, seal }).execute();
      }),
    get: (id) =>
      database.run(async (db) => {
        const row = await db.selectFrom('reviews').selectAll().where('id', '=', id).executeTakeFirst();
        if (row === undefined) return undefined;
        const { entitlement, at, ...rest } = row;
        return { ...rest, at: new Date(at), ...(entitlement === null ? {} : { entitlement }) };
      }),
  };
}
