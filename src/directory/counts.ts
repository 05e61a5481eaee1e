import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';

/** How often something happened, at all instances together. */
export interface Counts {
  /**
   * Adds what happened here, by opaque keys, and says how often each has happened anywhere. A count begins anew `windowMs`
   * after the first.
   */
  add(purpose: string, times: ReadonlyMap<string, number>, windowMs: number): Promise<ReadonlyMap<string, number>>;
}

const PRUNE_EVERY_MS = 60_000;

export function createCounts(database: Database, clock: Clock): Counts {
  let prunedAt = Number.NEGATIVE_INFINITY;
  return {
    async add(purpose, times, windowMs) {
      if (times.size === 0) return new Map();
      const now = clock.now();
      if (now - prunedAt >= PRUNE_EVERY_MS) {
        prunedAt = now;
        await database.run((db) => db.deleteFrom('counts').where('expires_at', '<=', now).execute());
      }
      const expires = now + windowMs;
      // In one order everywhere: two instances that write the same rows wait for each other, and not both.
      const rows = [...times].sort(([one], [other]) => (one < other ? -1 : 1));
      const written = await database.run((db) =>
        db
          .insertInto('counts')
          .values(rows.map(([key, added]) => ({ purpose, key, times: added, expires_at: expires })))
          .onConflict((conflict) =>
            conflict.columns(['purpose', 'key']).doUpdateSet(({ eb, ref }) => ({
              times: eb
                .case()
                .when('counts.expires_at', '<=', now)
                .then(ref('excluded.times'))
                .else(eb('counts.times', '+', ref('excluded.times')))
                .end(),
              expires_at: eb
                .case()
                .when('counts.expires_at', '<=', now)
                .then(ref('excluded.expires_at'))
                .else(ref('counts.expires_at'))
                .end(),
            })),
          )
          .returning(['key', 'times'])
          .execute(),
      );
      return new Map(written.map((row) => [row.key, row.times]));
    },
  };
}
