import pg from 'pg';
import { sqlPlace } from '../../../src/sources/sql/place.ts';
import { readPostgres } from '../../../src/sources/sql/postgres.ts';
import { BATCH_ROWS } from '../../../src/sources/sql/rows.ts';
import { createSqlSource } from '../../../src/sources/sql/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll } from '../../conformance/source.ts';
import { type RunningPostgres, startPostgres } from '../../services/postgres.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE, ROWS } from '../table-people.ts';
import { type Relay, startRelay } from './relay.ts';
import { MANY_ROWS, streamed } from './streaming.ts';

const PASSWORD = 'p@ss/word#ü%';
let server: RunningPostgres;
let admin: pg.Client;
const relays: Relay[] = [];

const sourceOf = (query: string, members: Readonly<Record<string, unknown>> = {}, port = server.port) => {
  const url = `postgres://reader:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/postgres`;
  return createSqlSource({ name: 'hr', config: sourceConfig('sql', { url, query, ...members }) });
};

beforeAll(async () => {
  server = await startPostgres();
  admin = new pg.Client({ connectionString: server.url });
  await admin.connect();
  await admin.query('create table people ("Email" text, role text, title text)');
  for (const { email, role, title } of ROWS) {
    await admin.query('insert into people values ($1, $2, $3)', [email, role, title]);
  }
  await admin.query(`create role reader login password '${PASSWORD}'`);
  await admin.query('grant all on people to reader');
  await admin.query('create table secret_people (email text)');
});
afterAll(async () => {
  await admin?.end();
  for (const relay of relays) await relay.close();
  await server?.stop();
});

async function relayed(): Promise<Relay> {
  const relay = await startRelay(server.port);
  relays.push(relay);
  return relay;
}

describeSource('SQL on PostgreSQL', async () => ({
  source: sourceOf('select * from people'),
  people: PEOPLE,
  read: ({ email, role }) => ({ email, groups: role }),
  failsInTheMiddle: async () => {
    const relay = await relayed();
    relay.breakAfter(100_000);
    return sourceOf("select i || '@example.com' as email from generate_series(1, 100000) i", {}, relay.port);
  },
  unreachable: async () => sourceOf('select * from people', {}, 1),
  contents: async () => (await admin.query('select * from people')).rows,
  secrets: [PASSWORD, encodeURIComponent(PASSWORD), 'Countess'],
  cleanup: async () => {},
}));

it(`reads ${MANY_ROWS} rows batch by batch: the database sends no more than is taken`, async () => {
  const relay = await relayed();
  const query = `select i || '@example.com' as email, repeat('x', 100) as pad from generate_series(1, ${MANY_ROWS}) i`;
  const place = sqlPlace({ ...sourceConfig('sql', { url: server.url, query }), port: relay.port });
  const { signal } = new AbortController();
  const found = await streamed(readPostgres, { place, query, timeoutMs: 60_000, signal }, relay);
  expect(found).toMatchObject({ rows: MANY_ROWS, largestBatch: BATCH_ROWS });
  expect(found.whilePaused).toBeLessThan((found.inAll / MANY_ROWS) * BATCH_ROWS * 2);
});

it('makes 1,000 people of 200,000 rows', async () => {
  const query = `select 'p' || i % 1000 || '@example.com' as email, 'role-' || i % 7 as role from generate_series(1, ${MANY_ROWS}) i`;
  const { people, end } = await listAll(sourceOf(query, { timeout: '60s' }));
  expect(people).toHaveLength(1_000);
  expect(new Set(people.flatMap(({ claims }) => claims['role'])).size).toBe(7);
  expect(end.complete).toBe(true);
});

it.each([
  ['delete from people returning *', '25006'],
  ["insert into people values ('x@example.com') returning *", '25006'],
  ['select * from secret_people', '42501'],
  ['select * from nowhere', '42P01'],
  ['select email from people', '42703'],
  ['select 1; select 2', '42601'],
  ['selec', '42601'],
])('refuses %s', async (query, databaseCode) => {
  const before = await admin.query('select * from people');
  const thrown = await failureOf(listAll(sourceOf(query)));
  expect(thrown).toMatchObject({ code: 'source_refused', detail: { databaseCode } });
  expect((await admin.query('select * from people')).rows).toEqual(before.rows);
});

it('does not repeat what the database quotes of a value', async () => {
  const thrown = await failureOf(listAll(sourceOf('select title::int as email from people')));
  expect(thrown).toMatchObject({ code: 'source_refused', detail: { databaseCode: '22P02' } });
  expect(everythingSaidBy(thrown)).not.toContain('Countess');
});

it('is refused for an account or a database that is not there', async () => {
  const trusting = sourceOf('select 1', { database: 'nowhere' });
  expect(await failureOf(listAll(trusting))).toMatchObject({
    code: 'source_refused',
    detail: { databaseCode: '3D000' },
  });
  const unknown = sourceOf('select 1', { user: 'nobody' });
  expect(await failureOf(listAll(unknown))).toMatchObject({ code: 'source_refused' });
});

it('ends a query that takes longer than its time, on the server too', async () => {
  const slow = sourceOf("select 'a@example.com' as email, pg_sleep(60)", { timeout: '1s' });
  expect(await failureOf(listAll(slow))).toMatchObject({ code: 'source_unavailable' });
  const running = "select 1 from pg_stat_activity where query like '%pg_sleep%' and usename = 'reader'";
  for (;;) if ((await admin.query(running)).rowCount === 0) break;
});

it('leaves no connection behind', async () => {
  await listAll(sourceOf('select * from people'));
  const connections = "select 1 from pg_stat_activity where usename = 'reader'";
  for (;;) if ((await admin.query(connections)).rowCount === 0) break;
});

it('reads the types of PostgreSQL', async () => {
  const query = `select 7 as subject, 'a@example.com' as email, array['A', 'B'] as roles, true as email_verified,
    '{"city": "Ulm"}'::jsonb as address, 'x'::char(5) as code, 12345678901234567890::numeric as big, date '2026-01-02' as since,
    'c0ffee00-0000-4000-8000-000000000000'::uuid as oid, null::text as title, 1.5::float8 as ratio`;
  const { people } = await listAll(sourceOf(query));
  expect(people).toEqual([
    {
      subject: '7',
      active: true,
      claims: {
        subject: 7,
        email: 'a@example.com',
        roles: ['A', 'B'],
        email_verified: true,
        address: { city: 'Ulm' },
        code: 'x',
        big: '12345678901234567890',
        since: '2026-01-02',
        oid: 'c0ffee00-0000-4000-8000-000000000000',
        title: null,
        ratio: '1.5',
      },
    },
  ]);
});
