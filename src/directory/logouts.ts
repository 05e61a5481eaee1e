import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { Logouts } from './directory.ts';

const PRUNE_EVERY_MS = 60_000;

export function createLogouts(database: Database, clock: Clock): Logouts {
  let prunedAt = Number.NEGATIVE_INFINITY;
  return {
    async save(key, at, expiresAt) {
      const now = clock.now();
      if (now - prunedAt >= PRUNE_EVERY_MS) {
        prunedAt = now;
        await database.run((db) => db.deleteFrom('provider_logouts').where('expires_at', '<=', now).execute());
      }
      const row = { at: at.getTime(), expires_at: expiresAt.getTime() };
      await database.run((db) =>
        db
          .insertInto('provider_logouts')
          .values({ key, ...row })
          .onConflict((conflict) => conflict.column('key').doUpdateSet(row).where('provider_logouts.at', '<=', row.at))
          .execute(),
      );
    },
    latest: (key) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('provider_logouts')
          .select('at')
          .where('key', '=', key)
          .where('expires_at', '>', clock.now())
          .executeTakeFirst();
        return row && new Date(row.at);
      }),
  };
}
