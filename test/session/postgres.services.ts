import { embeddedHarness } from '../conformance/embedded-sessions.ts';
import { postgresState } from '../conformance/postgres-state.ts';
import { describeSessionStore } from '../conformance/session-store.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';

let server: RunningPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

describeSessionStore('PostgreSQL', () => embeddedHarness(() => postgresState(server.url)));
