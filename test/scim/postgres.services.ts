import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { describeSequences } from './sequences.ts';

let server: RunningPostgres;
afterAll(() => server.stop());

describeSequences('PostgreSQL', async () => {
  server = await startPostgres();
  return `{ database: "${server.url}" }`;
});
