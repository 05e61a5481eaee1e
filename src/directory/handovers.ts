import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { Handovers } from './directory.ts';

const PRUNE_EVERY_MS = 60_000;

export function createHandovers(database: Database, clock: Clock): Handovers {
  let prunedAt = Number.NEGATIVE_INFINITY;
  return {
    async leave(key, sealed, expiresAt) {
      const now = clock.now();
      if (now - prunedAt >= PRUNE_EVERY_MS) {
        prunedAt = now;
        await database.run((db) => db.deleteFrom('handovers').where('expires_at', '<=', now).execute());
      }
      const row = { key, sealed, expires_at: expiresAt.getTime() };
      await database.run((db) => db.insertInto('handovers').values(row).execute());
    },
    take: (key) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('handovers')
          .select(['sealed', 'expires_at'])
          .where('key', '=', key)
          .executeTakeFirst();
        const gone = await db.deleteFrom('handovers').where('key', '=', key).executeTakeFirst();
        // Whoever deleted it has it.
        return row !== undefined && gone.numDeletedRows === 1n && row.expires_at > clock.now() ? row.sealed : undefined;
      }),
  };
}
