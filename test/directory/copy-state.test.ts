import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { createAudit } from '../../src/audit/log.ts';
import { copyState } from '../../src/directory/copy-state.ts';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { systemClock } from '../../src/ops/clock.ts';

const RECORDS = 1_203;

let folder: string;
let from: Database;
let to: Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-copy-'));
  from = await openDatabase(`sqlite:${join(folder, 'from.db')}`);
  to = await openDatabase(`sqlite:${join(folder, 'to.db')}`);
});
afterEach(async () => {
  await from.close();
  await to.close();
  rmSync(folder, { recursive: true });
});

async function contents(database: Database): Promise<Record<string, unknown[]>> {
  return database.run(async (db) => {
    const tables = (await db.introspection.getTables()).map(({ name }) => name).sort();
    const entries = tables.map(async (table) => {
      const { rows } = await sql`select * from ${sql.table(table)} order by 1, 2`.execute(db);
      return [table, rows] as const;
    });
    return Object.fromEntries(await Promise.all(entries));
  });
}

async function fill(): Promise<void> {
  const { people, accounts, leases } = createDirectory(from, systemClock);
  const one = { issuer: 'https://id.example.com', subject: 'Ann é 🙂' };
  const person = await people.ensure(one, 'acme', 'Ann "Adams"');
  await accounts.save({
    person: person.id,
    target: 'superset',
    accountId: '7',
    userName: 'ann',
    created: true,
    state: 'ready',
  });
  await leases.acquire('one', 60_000, AbortSignal.timeout(1_000));
  const entries = Array.from({ length: RECORDS }, (_, at) => ({ event: 'test', actor: 'nobody', key: `${at}` }));
  await createAudit(from, systemClock).append(entries);
}

it('copies every row of every table, and leaves what was there as it was', async () => {
  await fill();
  const before = await contents(from);
  const copied = await copyState(from, to);
  expect(await contents(from)).toEqual(before);
  expect(await contents(to)).toEqual(before);
  expect(copied).toContainEqual({ table: 'audit_records', rows: RECORDS });
  expect(copied.map(({ table }) => table).sort()).toEqual(Object.keys(before));
  expect(await createAudit(to, systemClock).verify()).toMatchObject({ records: RECORDS });
});

it('writes nothing over what somebody has there', async () => {
  await fill();
  const theirs = createDirectory(to, systemClock);
  await theirs.people.ensure({ issuer: 'x', subject: 'y' }, 'acme', 'Zoe');
  const before = await contents(to);
  await expect(copyState(from, to)).rejects.toMatchObject({ code: 'state_not_empty' });
  expect(await contents(to)).toEqual(before);
});

it('is all or nothing', async () => {
  await fill();
  const before = await contents(to);
  await to.run((db) =>
    sql`create trigger stop before insert on audit_records when new.seq = ${sql.lit(RECORDS)} begin select raise(abort, 'disk full'); end`.execute(
      db,
    ),
  );
  await expect(copyState(from, to)).rejects.toThrow();
  expect(await contents(to)).toEqual(before);
});

it('is of one moment: what somebody writes meanwhile waits, and is in none of it', async () => {
  await fill();
  const before = await contents(from);
  const command = await openDatabase(`sqlite:${join(folder, 'from.db')}`);
  let written = false;
  let wasWritten: boolean | undefined;
  const slow: Database = {
    ...to,
    engine: to.engine,
    transaction: (work) =>
      to.transaction(async (trx) => {
        const writing = createAudit(command, systemClock).append([{ event: 'test', actor: 'a command' }]);
        void writing.then(() => {
          written = true;
        });
        const done = await work(trx);
        wasWritten = written;
        return done;
      }),
  };
  await copyState(from, slow);
  expect(wasWritten).toBe(false);
  expect(await contents(to)).toEqual(before);
  while (!written) await sleep(10);
  expect(await contents(from)).not.toEqual(before);
  await command.close();
});
