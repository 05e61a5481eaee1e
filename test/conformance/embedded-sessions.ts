import { sql } from 'kysely';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import type { PrunedSessions } from '../../src/session/store.ts';
import type { SessionStoreHarness } from './session-store.ts';
import type { StateFactory } from './state.ts';

/** The embedded store on one state database, as the suite of all stores wants it. */
export async function embeddedHarness(makeState: StateFactory): Promise<SessionStoreHarness> {
  const state = await makeState();
  const stores: PrunedSessions[] = [];
  return {
    open: async () => {
      const store = createEmbeddedSessions(await state.open(), { clock: state.clock });
      stores.push(store);
      return store;
    },
    now: () => state.clock.now(),
    fastForward: async (ms) => state.clock.fastForward(ms),
    dump: async () => {
      const database = await state.open();
      const rows = await Promise.all(
        ['sessions', 'ended_sessions'].map((table) =>
          database.run((db) => sql`select * from ${sql.table(table)}`.execute(db)),
        ),
      );
      return JSON.stringify(rows.map((result) => result.rows));
    },
    dispose: async () => {
      await Promise.all(stores.map((store) => store.close()));
      await state.dispose();
    },
  };
}
