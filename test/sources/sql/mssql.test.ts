import type { Source } from '../../../src/sources/source.ts';
import { ALLOWS_SNAPSHOT, connectionConfig, readMssql } from '../../../src/sources/sql/mssql.ts';
import { sqlPlace } from '../../../src/sources/sql/place.ts';
import { BATCH_ROWS, type SqlRequest } from '../../../src/sources/sql/rows.ts';
import { createSqlSource } from '../../../src/sources/sql/source.ts';
import { describeSource, everythingSaidBy, failureOf, listAll } from '../../conformance/source.ts';
import { sourceConfig } from '../config-of.ts';
import { PEOPLE, ROWS } from '../table-people.ts';
import { type Relay, startRelay } from './relay.ts';
import { MANY_ROWS, streamed } from './streaming.ts';
import { startTdsServer, type TdsAnswer, type TdsServer } from './tds-server.ts';

/*
 * Without a real SQL Server: what the driver is asked for, and that the source reads what a server that speaks the
 * protocol sends.
 */

const PASSWORD = 'p@ss/word#ü%';
const COLUMNS = ['Email', 'role', 'title'];
const TABLE = { columns: COLUMNS, rows: ROWS.map(({ email, role, title }) => [email, role, title]) };

function* many(count: number): Generator<readonly string[]> {
  for (let row = 0; row < count; row += 1) yield [`p${row}@example.com`, 'x'.repeat(100)];
}

const snapshots = (state: string): TdsAnswer => ({
  tables: [{ columns: ['snapshot_isolation_state'], rows: [[state]] }],
});
const ON = '1';
const TURNING_ON = '3';
/** Of the database, as it stands. */
let allowsSnapshot: TdsAnswer = snapshots(ON);
/** Another database that a query reads allows none: it is refused once. */
let refusesSnapshot = false;
beforeEach(() => {
  allowsSnapshot = snapshots(ON);
  refusesSnapshot = false;
});

const ANSWERS: Readonly<Record<string, TdsAnswer>> = {
  'select people': { tables: [TABLE] },
  'select twice': { tables: [TABLE, TABLE] },
  'select nothing': { tables: [{ columns: COLUMNS, rows: [] }] },
  'select padded': {
    tables: [{ columns: ['email', 'role'], type: 'nchar', rows: [['a@example.com   ', 'Admin     ']] }],
  },
  'select silence': { silent: true },
  'select many': { tables: [{ columns: ['email', 'pad'], rows: { [Symbol.iterator]: () => many(MANY_ROWS) } }] },
  'select broken': { tables: [{ columns: ['email', 'pad'], rows: [...many(2_000)] }], breaks: true },
  'select failing': {
    tables: [{ columns: ['email', 'pad'], rows: [...many(2_000)] }],
    error: { number: 8_134, message: "Conversion failed when converting the value 'Countess'." },
  },
  'select 500': { tables: [{ columns: ['email', 'pad'], rows: [...many(500)] }] },
  'select 510': { tables: [{ columns: ['email', 'pad'], rows: [...many(510)] }] },
  'select 1010': { tables: [{ columns: ['email', 'pad'], rows: [...many(1_010)] }] },
  'select 500 twice': {
    tables: [{ columns: ['email', 'pad'], rows: [...many(510)] }, TABLE],
  },
  'delete people': {},
};

let server: TdsServer;
let relay: Relay;
beforeAll(async () => {
  server = await startTdsServer({
    passwords: new Set([PASSWORD]),
    answer: (sql) => {
      if (sql === ALLOWS_SNAPSHOT) return allowsSnapshot;
      if (refusesSnapshot) {
        refusesSnapshot = false;
        return { error: { number: 3_952, message: 'Snapshot isolation transaction failed accessing database.' } };
      }
      return ANSWERS[sql] ?? { error: { number: Number(sql), message: 'refused' } };
    },
  });
  relay = await startRelay(server.port);
});
afterAll(async () => {
  await relay?.close();
  await server?.close();
});

function sourceOf(query: string, members: Readonly<Record<string, unknown>> = {}): Source {
  const url = `mssql://reader:${encodeURIComponent(PASSWORD)}@127.0.0.1:${server.port}/crm?encrypt=false`;
  return createSqlSource({ name: 'crm', config: sourceConfig('sql', { url, query, ...members }) });
}

describeSource('SQL on a server that speaks TDS', async () => ({
  source: sourceOf('select people'),
  people: PEOPLE,
  read: ({ email, role }) => ({ email, groups: role }),
  failsInTheMiddle: async () => sourceOf('select broken'),
  unreachable: async () => sourceOf('select people', { port: 1 }),
  contents: async () =>
    server.asked.filter((asked) => !['begin snapshot', ALLOWS_SNAPSHOT, 'select people'].includes(asked)),
  secrets: [PASSWORD, encodeURIComponent(PASSWORD), 'Countess'],
  cleanup: async () => {},
}));

it('logs in as who the config says, means to read, and never commits', async () => {
  const before = server.asked.length;
  await listAll(sourceOf('select people'));
  expect(server.logins.at(-1)).toEqual({
    user: 'reader',
    password: PASSWORD,
    application: 'latchgate',
    database: 'crm',
    readOnly: true,
  });
  expect(server.asked.slice(before)).toEqual([ALLOWS_SNAPSHOT, 'begin snapshot', 'select people']);
});

describe('everything is read as it was at one moment', () => {
  const askedFor = async () => {
    const before = server.asked.length;
    const { people } = await listAll(sourceOf('select people'));
    expect(people).toHaveLength(Object.keys(PEOPLE).length);
    return server.asked.slice(before);
  };

  it.each([
    ['does not allow snapshots', snapshots('0')],
    ['does not allow them yet', snapshots(TURNING_ON)],
    ['does not say whether it allows them', { tables: [{ columns: ['snapshot_isolation_state'], rows: [] }] }],
    ['refuses to say whether it does', { error: { number: 229, message: 'refused' } }],
  ])('under locks where the database %s', async (_, answer) => {
    allowsSnapshot = answer;
    expect(await askedFor()).toEqual([ALLOWS_SNAPSHOT, 'begin serializable', 'select people']);
  });

  it('under locks where the query reads another database that allows none', async () => {
    refusesSnapshot = true;
    expect(await askedFor()).toEqual([
      ALLOWS_SNAPSHOT,
      'begin snapshot',
      'select people',
      'begin serializable',
      'select people',
    ]);
  });
});

it(`reads ${MANY_ROWS} rows as they are taken: the server waits while nobody does`, async () => {
  const config = sourceConfig('sql', {
    server: '127.0.0.1',
    port: relay.port,
    encrypt: false,
    user: 'reader',
    query: 'x',
  });
  const place = sqlPlace({ ...config, password: PASSWORD });
  const request = { place, query: 'select many', timeoutMs: 60_000, signal: new AbortController().signal };
  const found = await streamed(readMssql, request, relay);
  expect(found).toMatchObject({ rows: MANY_ROWS, largestBatch: BATCH_ROWS });
  // What the sockets of this machine hold is theirs.
  expect(found.whilePaused).toBeLessThan(found.inAll / 2);
});

it('does without the blanks of char columns', async () => {
  const { people } = await listAll(sourceOf('select padded'));
  expect(people.map(({ claims }) => claims)).toEqual([{ email: 'a@example.com', role: ['Admin'] }]);
});

it('takes a table without rows for an empty listing', async () => {
  expect(await listAll(sourceOf('select nothing'))).toEqual({
    people: [],
    end: { complete: true, unreadable: 0, notes: [] },
  });
});

it.each([
  ['select twice', 'source_refused'],
  ['delete people', 'source_refused'],
  ['select failing', 'source_refused'],
  ['208', 'source_refused'],
  ['229', 'source_refused'],
  ['1205', 'source_unavailable'],
  ['40613', 'source_unavailable'],
])('%s is %s, without the words of the server', async (query, code) => {
  const thrown = await failureOf(listAll(sourceOf(query)));
  expect(thrown).toMatchObject({ code });
  expect(everythingSaidBy(thrown)).not.toMatch(/Countess|refused'/);
});

it('is refused with a wrong password, which is said nowhere', async () => {
  const thrown = await failureOf(listAll(sourceOf('select people', { password: 'not-the-password' })));
  expect(thrown).toMatchObject({ code: 'source_refused', detail: { databaseCode: 'ELOGIN' } });
  expect(everythingSaidBy(thrown)).not.toContain('not-the-password');
});

it('gives up a server that says nothing', async () => {
  expect(await failureOf(listAll(sourceOf('select silence', { timeout: '1s' })))).toMatchObject({
    code: 'source_unavailable',
  });
});

describe('tedious is asked for', () => {
  const asked = (members: Readonly<Record<string, unknown>>) => {
    const place = sqlPlace(sourceConfig('sql', { query: 'select 1', ...members }));
    const request: SqlRequest = { place, query: 'select 1', timeoutMs: 5_000, signal: new AbortController().signal };
    return connectionConfig(request);
  };

  it('an encrypted connection to port 1433 with a certificate that holds, unless the config says else', () => {
    expect(asked({ server: 'sql.example.com', user: 'reader', password: 'p', database: 'crm' })).toMatchObject({
      server: 'sql.example.com',
      authentication: { type: 'default', options: { userName: 'reader', password: 'p' } },
      options: {
        port: 1_433,
        database: 'crm',
        encrypt: true,
        trustServerCertificate: false,
        connectTimeout: 5_000,
        requestTimeout: 5_000,
        readOnlyIntent: true,
      },
    });
  });

  it('a named instance in place of a port', () => {
    const { options } = asked({ server: 'sql', instance: 'SQLEXPRESS' });
    expect(options).toMatchObject({ instanceName: 'SQLEXPRESS' });
    expect(options).not.toHaveProperty('port');
  });

  it('NTLM for an account of a Windows domain', () => {
    expect(asked({ server: 'sql', user: 'reader', password: 'p', domain: 'CORP' }).authentication).toEqual({
      type: 'ntlm',
      options: { userName: 'reader', password: 'p', domain: 'CORP' },
    });
  });

  it('an authority of its own, or any certificate', () => {
    expect(asked({ server: 'sql', ca: 'PEM' }).options).toMatchObject({ cryptoCredentialsDetails: { ca: 'PEM' } });
    expect(asked({ server: 'sql', trust_certificate: 'true' }).options).toMatchObject({ trustServerCertificate: true });
  });
});

describe('a read that is broken off leaves nothing behind that would end the process', () => {
  // A failure that the driver throws from an event is nobody's: Jest fails the test by it, and Node would end.
  const uncaught: unknown[] = [];
  const note = (thrown: unknown): void => void uncaught.push(thrown);
  beforeEach(() => {
    uncaught.length = 0;
    process.on('uncaughtException', note);
  });
  afterEach(() => void process.off('uncaughtException', note));

  const breaks = async (work: () => Promise<unknown>): Promise<void> => {
    for (let time = 0; time < 5; time += 1) await work();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(uncaught).toEqual([]);
  };

  it.each([
    ['select 510', 100],
    ['select 1010', 999],
  ])('because %s gives more than max_rows: %i', async (query, max_rows) => {
    await breaks(async () => {
      expect((await listAll(sourceOf(query, { max_rows }))).end).toMatchObject({ complete: false });
    });
  });

  it.each(['select 500', 'select 510'])('because a probe looks at the first of %s only', async (query) => {
    await breaks(() => sourceOf(query).probe(AbortSignal.timeout(10_000)));
  });

  it('because there is a second table', async () => {
    await breaks(async () => {
      expect(await failureOf(listAll(sourceOf('select 500 twice')))).toMatchObject({ code: 'source_refused' });
    });
  });
});
