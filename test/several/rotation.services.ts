import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { run } from '../services/child.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { projectRoot } from '../services/project.ts';
import { REDIS_PASSWORD, type RunningRedis, startRedis } from '../services/redis.ts';
import { type Load, startLoad, type Visitor } from './load.ts';
import { type Site, startSite } from './site.ts';

// What docs/operations.md says of secrets and backups, as it says it, with two instances under load.
const PEOPLE = Array.from({ length: 8 }, (_, at) => `p${at}`);
const [FIRST, SECOND] = ['the first secret of the sessions, 32 long', 'the second secret of the sessions, as long'];
const NEXT_REDIS_PASSWORD = 'the next password of Redis';
const SECONDS = 60_000;

let postgres: RunningPostgres;
let redis: RunningRedis;
let site: Site;
const sections: Record<string, string> = {};
const now = { secrets: [FIRST], redis: REDIS_PASSWORD, role: 'gate_a', database: 'gate' };

/** As the config says it from the next start on. */
function write(): void {
  const { port } = postgres;
  const url = `postgres://${now.role}:${encodeURIComponent(`password of ${now.role}`)}@127.0.0.1:${port}/${now.database}`;
  const store = { url: `redis://${redis.address}`, password: now.redis };
  sections['state'] = JSON.stringify({ database: url });
  sections['session'] = JSON.stringify({ secrets: now.secrets, store });
}

async function sql(...statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** A role that makes what it makes in the name of the one that owns the database. */
const role = (name: string): string[] => [
  `create role ${name} login password 'password of ${name}' in role gate`,
  `alter role ${name} set role gate`,
];

/** One instance after the other, as docs/operations.md says. */
async function restartAll(): Promise<void> {
  write();
  for (const at of site.gateways.keys()) await site.restart(at);
}

beforeAll(async () => {
  postgres = await startPostgres();
  redis = await startRedis({ durable: true });
  await sql('create role gate', ...role('gate_a'), 'create database gate owner gate');
  // Whoever is not the administrator needs a password.
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  const { rows } = await client.query<{ hba_file: string }>('show hba_file');
  const lines = 'host all latchgate 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n';
  await client.query(`copy (select unnest(string_to_array('${lines.trim()}', E'\\n'))) to '${rows[0]?.hba_file}'`);
  await client.query('select pg_reload_conf()');
  await client.end();
  write();
  site = await startSite({ people: [...PEOPLE, 'late'], database: 'sqlite', sections });
}, 3 * SECONDS);
afterAll(async () => {
  await site?.close();
  await redis?.stop();
  await postgres?.stop();
});

let load: Load;
let visitors: Visitor[];
beforeEach(async () => {
  visitors = [];
  for (const sub of PEOPLE) visitors.push(await site.logIn(sub));
  load = startLoad({ url: site.url, visitors, clients: 12, restMs: 1_000 });
});

async function expectNobodyNoticed(): Promise<void> {
  const { wrong, lost, refused, askedToLogIn, served } = await load.stop();
  expect({ wrong, lost, refused, askedToLogIn }).toEqual({ wrong: [], lost: {}, refused: {}, askedToLogIn: 0 });
  expect(site.witness.wrong).toEqual([]);
  expect(served).toBeGreaterThan(100);
}

it(
  'session.secrets: added as the second everywhere, then the first everywhere',
  async () => {
    now.secrets = [FIRST, SECOND];
    await restartAll();
    now.secrets = [SECOND, FIRST];
    await restartAll();
    await expectNobodyNoticed();
  },
  3 * SECONDS,
);

it(
  'the password of Redis: two hold until every instance has the new one',
  async () => {
    await redis.command('acl', 'setuser', 'default', `>${NEXT_REDIS_PASSWORD}`);
    now.redis = NEXT_REDIS_PASSWORD;
    await restartAll();
    await redis.command('acl', 'setuser', 'default', `<${REDIS_PASSWORD}`);
    // The next test logs in with it.
    await expectNobodyNoticed();
  },
  3 * SECONDS,
);

it(
  'the password of PostgreSQL: a second role until every instance has it',
  async () => {
    await sql(...role('gate_b'));
    now.role = 'gate_b';
    await restartAll();
    await sql('drop role gate_a');
    await site.logIn('late');
    await expectNobodyNoticed();
  },
  3 * SECONDS,
);

it(
  'a dump that was made under load is a whole state: sessions, people and audit go on from it',
  async () => {
    const file = join(site.folder, 'dump');
    const tool = (name: string, ...args: readonly string[]) =>
      run(name, [name, '--dbname', postgres.url.replace(/\/postgres$/, args[0] ?? ''), ...args.slice(1)], {
        timeoutMs: SECONDS,
      });
    await tool('pg_dump', '/gate', '--format=custom', '--file', file);
    await sql('create database restored owner gate');
    await tool('pg_restore', '/restored', '--exit-on-error', file);
    now.database = 'restored';
    await restartAll();
    await site.logIn('late');
    await expectNobodyNoticed();
    const config = site.gateways[0]?.configFile ?? '';
    expect(readFileSync(config, 'utf8')).toContain('/restored');
    const out = await run(
      'latchgate',
      [process.execPath, join(projectRoot(), 'dist', 'main.js'), 'audit', 'verify', '--json', '--config', config],
      { timeoutMs: SECONDS },
    );
    expect(JSON.parse(out)).toMatchObject({ ok: true, firstBad: null });
  },
  3 * SECONDS,
);
