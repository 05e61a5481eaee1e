import { describeAudit } from '../conformance/audit.ts';
import { describeSignedAudit } from '../conformance/audit-signed.ts';
import { postgresState } from '../conformance/postgres-state.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';

let server: RunningPostgres;
beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());

describeAudit('PostgreSQL', () => postgresState(server.url));
describeSignedAudit('PostgreSQL', () => postgresState(server.url));
