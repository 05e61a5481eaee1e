import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createAudit } from '../../src/audit/log.ts';
import { openDatabase } from '../../src/directory/database.ts';
import type { Directory } from '../../src/directory/directory.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { migrations } from '../../src/directory/migrations.ts';
import { LatchgateError } from '../../src/model/errors.ts';
import { systemClock } from '../../src/ops/clock.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { newSessionId } from '../../src/session/seal.ts';
import { postgresState } from '../conformance/postgres-state.ts';
import { exampleSession } from '../conformance/session-store.ts';
import type { State } from '../conformance/state.ts';
import type { Child } from '../services/child.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { startInstance, untilLine } from './instances.ts';

const HOUR_MS = 60 * 60_000;

let server: RunningPostgres;
let state: State;
const children: Child[] = [];

beforeAll(async () => {
  server = await startPostgres();
});
afterAll(() => server.stop());
beforeEach(async () => {
  state = await postgresState(server.url);
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop({ signal: 'SIGKILL' })));
  await state.dispose();
});

const start = (what: Parameters<typeof startInstance>[0]) => {
  const child = startInstance(what, state.url);
  children.push(child);
  return child;
};

async function untilItAnswers(directory: Directory): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await directory.probe();
    } catch (error) {
      if (attempt === 100) throw error;
      await sleep(100);
    }
  }
}

it('is given its tables by one of several instances that start at once', async () => {
  await Promise.all(Array.from({ length: 5 }, () => state.open()));
  const { rows } = await (await state.open()).run((db) => sql`select name from kysely_migration`.execute(db));
  expect(rows).toHaveLength(Object.keys(migrations('postgres')).length);
});

it('refuses a database that a newer version has written', async () => {
  const database = await state.open();
  await database.run((db) => sql`insert into kysely_migration (name, timestamp) values ('9999_x', '2030')`.execute(db));
  await expect(openDatabase(state.url)).rejects.toMatchObject({ code: 'state_too_new' });
});

it('says state_unavailable when nobody listens, and for a database that is not there', async () => {
  await expect(openDatabase('postgres://latchgate@127.0.0.1:1/x')).rejects.toMatchObject({ code: 'state_unavailable' });
  await expect(openDatabase(`${server.url}_missing`)).rejects.toMatchObject({ code: 'state_unavailable' });
});

it('is written by two processes at once', async () => {
  await Promise.all([start('write-some'), start('write-some')].map((child) => untilLine(child, 'done')));
  const database = await state.open();
  expect(await createDirectory(database, systemClock).people.list(100)).toHaveLength(25);
  expect(await createAudit(database, systemClock).verify()).toEqual({ records: 50 });
});

it('passes the lease of a process that was killed on to the next', async () => {
  const holder = start('hold-lease');
  await untilLine(holder, 'held');
  const { leases } = createDirectory(await state.open(), systemClock);
  await expect(leases.acquire('alice', 1_500, AbortSignal.timeout(2_500))).rejects.toMatchObject({
    code: 'lease_lost',
  });
  holder.kill('SIGKILL');
  await holder.exited;
  await (await leases.acquire('alice', 1_500, AbortSignal.timeout(10_000))).release();
});

it('goes on by itself when the server comes back after a crash', async () => {
  const warnings: string[] = [];
  const database = await openDatabase(state.url, { log: { warn: (message) => warnings.push(message) } });
  const directory = createDirectory(database, systemClock);
  const audit = createAudit(database, systemClock);
  const sessions = createEmbeddedSessions(database, { clock: state.clock });
  const id = newSessionId();
  try {
    const { id: person } = await directory.people.ensure({ issuer: 'i', subject: 's' }, 'staff', 'S');
    await sessions.save(id, exampleSession(state.clock.now()), HOUR_MS);
    // Several connections idle in the pool, and one that is at work when the server goes.
    await Promise.all(Array.from({ length: 6 }, () => directory.probe()));
    const atWork = database.run((db) => sql`select pg_sleep(8)`.execute(db)).catch((error: unknown) => error);
    await sleep(200);

    await server.stopHard();
    expect(await atWork).toMatchObject({ code: 'state_unavailable' });
    await expect(directory.people.get(person)).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(audit.append([{ event: 'x', actor: 'y' }])).rejects.toBeInstanceOf(LatchgateError);
    state.clock.fastForward(1_000);
    await expect(sessions.load(id)).rejects.toMatchObject({ code: 'session_store_unavailable' });

    await server.start();
    await untilItAnswers(directory);
    expect(await directory.people.get(person)).toMatchObject({ id: person });
    expect(await sessions.load(id)).toBeDefined();
    await audit.append([{ event: 'x', actor: 'y' }]);
    expect(await audit.verify()).toEqual({ records: 1 });
    expect(warnings).toContain('a connection to the state database was lost');
  } finally {
    await sessions.close();
    await directory.close();
  }
});

it('keeps a chain unbroken when the server crashes under a writer', async () => {
  const writer = start('write-forever');
  await untilLine(writer, /^written 20$/);
  await server.stopHard();
  await server.start();
  const database = await state.open();
  const verdict = await createAudit(database, systemClock).verify();
  expect(verdict.firstBad).toBeUndefined();
  expect(verdict.records).toBeGreaterThanOrEqual(42);
});
