import { type Connection, createConnection } from 'mysql2/promise';
import { readMysql } from '../../../src/sources/sql/mysql.ts';
import { sqlPlace } from '../../../src/sources/sql/place.ts';
import { BATCH_ROWS } from '../../../src/sources/sql/rows.ts';
import { createSqlSource } from '../../../src/sources/sql/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll } from '../../conformance/source.ts';
import { MARIADB_PASSWORD, type RunningMariadb, startMariadb } from '../../services/mariadb.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE, ROWS } from '../table-people.ts';
import { type Relay, startRelay } from './relay.ts';
import { MANY_ROWS, streamed } from './streaming.ts';

let server: RunningMariadb;
let admin: Connection;
const relays: Relay[] = [];

const sourceOf = (query: string, members: Readonly<Record<string, unknown>> = {}) =>
  createSqlSource({ name: 'hr', config: sourceConfig('sql', { url: server.url, query, ...members }) });

beforeAll(async () => {
  server = await startMariadb();
  const { hostname: host, port, username: user } = new URL(server.url);
  admin = await createConnection({ host, port: Number(port), user, password: MARIADB_PASSWORD, database: 'company' });
  await admin.query('create table people (Email varchar(200), role varchar(50), title varchar(200))');
  for (const { email, role, title } of ROWS)
    await admin.execute('insert into people values (?, ?, ?)', [email, role, title]);
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

const contents = async () => (await admin.query('select * from people'))[0];

describeSource('SQL on MariaDB', async () => ({
  source: sourceOf('select * from people'),
  people: PEOPLE,
  read: ({ email, role }) => ({ email, groups: role }),
  failsInTheMiddle: async () => {
    const relay = await relayed();
    relay.breakAfter(100_000);
    return sourceOf("select concat(seq, '@example.com') as email from seq_1_to_100000", { port: relay.port });
  },
  unreachable: async () => sourceOf('select * from people', { port: 1 }),
  contents,
  secrets: [MARIADB_PASSWORD, encodeURIComponent(MARIADB_PASSWORD), 'Countess'],
  cleanup: async () => {},
}));

it(`reads ${MANY_ROWS} rows as they are taken: the database waits while nobody does`, async () => {
  const relay = await relayed();
  const query = `select concat(seq, '@example.com') as email, repeat('x', 300) as pad from seq_1_to_${MANY_ROWS}`;
  const place = sqlPlace(sourceConfig('sql', { url: server.url, query, port: relay.port }));
  const { signal } = new AbortController();
  const found = await streamed(readMysql, { place, query, timeoutMs: 60_000, signal }, relay);
  expect(found).toMatchObject({ rows: MANY_ROWS, largestBatch: BATCH_ROWS });
  // What the sockets of this machine hold is theirs; the rest is still in the database.
  expect(found.whilePaused).toBeLessThan(found.inAll / 2);
});

it('makes 1,000 people of 200,000 rows', async () => {
  const query = `select concat('p', seq % 1000, '@example.com') as email, concat('role-', seq % 7) as role from seq_1_to_${MANY_ROWS}`;
  const { people, end } = await listAll(sourceOf(query, { timeout: '60s' }));
  expect(people).toHaveLength(1_000);
  expect(new Set(people.flatMap(({ claims }) => claims['role'])).size).toBe(7);
  expect(end.complete).toBe(true);
});

it.each([
  ['delete from people', 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'],
  ["insert into people values ('x@example.com', 'A', 'B') returning *", 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'],
  ['drop table people', 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'],
  ['truncate people', 'ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION'],
  ['select * from nowhere', 'ER_NO_SUCH_TABLE'],
  ['select nothing from people', 'ER_BAD_FIELD_ERROR'],
  ['select 1; select 2', 'ER_PARSE_ERROR'],
  ['select * from mysql.user', 'ER_TABLEACCESS_DENIED_ERROR'],
])('refuses %s', async (query, databaseCode) => {
  const before = await contents();
  const thrown = await failureOf(listAll(sourceOf(query)));
  expect(thrown).toMatchObject({ code: 'source_refused', detail: { databaseCode } });
  expect(await contents()).toEqual(before);
});

it('refuses what gives no table, or more than one', async () => {
  expect(await failureOf(listAll(sourceOf('set @a = 1')))).toMatchObject({ code: 'source_refused' });
  await admin.query('create procedure twice() begin select email from people; select role from people; end');
  expect(await failureOf(listAll(sourceOf('call twice()')))).toMatchObject({ code: 'source_refused' });
  await admin.query('create procedure once() select email, role from people');
  expect((await listAll(sourceOf('call once()'))).people).toHaveLength(PEOPLE.length);
});

it('is refused with a wrong password, which is said nowhere, and for a database that is not there', async () => {
  const wrong = await failureOf(listAll(sourceOf('select 1', { password: 'not-the-password' })));
  expect(wrong).toMatchObject({ code: 'source_refused', detail: { databaseCode: 'ER_ACCESS_DENIED_ERROR' } });
  expect(everythingSaidBy(wrong)).not.toContain('not-the-password');
  const nowhere = await failureOf(listAll(sourceOf('select 1', { database: 'nowhere' })));
  expect(nowhere).toMatchObject({ code: 'source_refused' });
});

it('ends a query that takes longer than its time, on the server too', async () => {
  const slow = sourceOf("select 'a@example.com' as email, sleep(60)", { timeout: '1s' });
  expect(await failureOf(listAll(slow))).toMatchObject({ code: 'source_unavailable' });
  await gone("info like '%sleep(60)%'");
});

it('leaves no connection behind', async () => {
  await listAll(sourceOf('select * from people'));
  await gone('db is not null');
});

/** Waits until no other connection is like that. */
async function gone(condition: string): Promise<void> {
  const query = `select 1 from information_schema.processlist where id <> connection_id() and ${condition}`;
  for (;;) {
    const [rows] = await admin.query(query);
    if ((rows as unknown[]).length === 0) return;
  }
}

it('reads the types of MariaDB', async () => {
  await admin.query(`create table kinds (subject int, email varchar(50), email_verified bit(1), code char(5), big bigint unsigned,
    since datetime, ratio decimal(4, 2), photo blob, title text character set latin1)`);
  await admin.query(
    `insert into kinds values (7, 'a@example.com', b'1', 'x', 18446744073709551615, '2026-01-02 03:04:05', 1.5, x'00ff', 'Größe')`,
  );
  const { people, end } = await listAll(sourceOf('select * from kinds'));
  expect(people).toEqual([
    {
      subject: '7',
      active: true,
      claims: {
        subject: 7,
        email: 'a@example.com',
        email_verified: true,
        code: 'x',
        big: '18446744073709551615',
        since: '2026-01-02 03:04:05',
        ratio: '1.50',
        title: 'Größe',
      },
    },
  ]);
  expect(end.notes).toEqual(['columns left out, because they hold bytes: photo']);
});
