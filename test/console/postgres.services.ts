import { describeConsoleState } from '../conformance/console-state.ts';
import { postgresState } from '../conformance/postgres-state.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';

let server: RunningPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

describeConsoleState('PostgreSQL', () => postgresState(server.url));
