import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { createAudit } from '../../src/audit/log.ts';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { isUniqueViolation } from '../../src/directory/failure.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { migrations } from '../../src/directory/migrations.ts';
import { systemClock } from '../../src/ops/clock.ts';
import type { Child } from '../services/child.ts';
import { startInstance, untilLine } from './instances.ts';

const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);

describe('the embedded database', () => {
  let folder: string;
  let file: string;
  let url: string;
  const opened: Database[] = [];
  const children: Child[] = [];

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'latchgate-database-'));
    file = join(folder, 'new', 'folder', 'state.db');
    url = `sqlite:${file}`;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((database) => database.close()));
    await Promise.all(children.splice(0).map((child) => child.stop({ signal: 'SIGKILL' })));
    rmSync(folder, { recursive: true, force: true });
  });

  const open = async (at = url) => {
    const database = await openDatabase(at);
    opened.push(database);
    return database;
  };
  const start = (...args: Parameters<typeof startInstance>) => {
    const child = startInstance(...args);
    children.push(child);
    return child;
  };

  it('is for our own account alone: file, journal and the folders that were made for it', async () => {
    const before = process.umask(0);
    try {
      await createAudit(await open(), systemClock).append([{ event: 'x', actor: 'y' }]);
    } finally {
      process.umask(before);
    }
    expect(mode(file)).toBe('600');
    expect(mode(`${file}-wal`)).toBe('600');
    expect(mode(`${file}-shm`)).toBe('600');
    expect([mode(join(folder, 'new')), mode(join(folder, 'new', 'folder'))]).toEqual(['700', '700']);
  });

  it('leaves the mode of a file that is there to the operator', async () => {
    await open();
    await opened.pop()?.close();
    chmodSync(file, 0o640);
    await open();
    expect(mode(file)).toBe('640');
  });

  it('keeps what was committed through a loss of power, and every reference in order', async () => {
    const database = await open();
    const pragma = async (name: string) =>
      (await database.run((db) => sql.raw(`pragma ${name}`).execute(db))).rows.map((row) =>
        Object.values(row as object).at(0),
      );
    expect(await pragma('journal_mode')).toEqual(['wal']);
    expect(await pragma('synchronous')).toEqual([2]);
    expect(await pragma('foreign_keys')).toEqual([1]);
    const accounts = createDirectory(database, systemClock).accounts;
    await expect(
      accounts.save({ person: 'p_nobody', target: 't', userName: 'u', created: true, state: 'ready' }),
    ).rejects.toMatchObject({ code: 'internal' });
  });

  it('does not wait for the disk with what may be undone, and waits again with what comes after it', async () => {
    const database = await open();
    const synchronous = (work: Database['run']) => work(async (db) => (await sql`pragma synchronous`.execute(db)).rows);
    const relaxed = () => synchronous((work) => database.runRelaxed(work));
    const usual = () => synchronous((work) => database.run(work));
    for (let time = 0; time < 2; time += 1) {
      expect([await relaxed(), await usual()]).toEqual([[{ synchronous: 1 }], [{ synchronous: 2 }]]);
    }
    await expect(database.runRelaxed(() => Promise.reject(new Error('no')))).rejects.toThrow();
    expect(await usual()).toEqual([{ synchronous: 2 }]);
    expect(await Promise.all([relaxed(), usual(), relaxed(), usual()])).toEqual(
      [1, 2, 1, 2].map((level) => [{ synchronous: level }]),
    );
  });

  it('can live in memory, each its own', async () => {
    const [one, other] = [await open('sqlite::memory:'), await open('sqlite::memory:')];
    await createDirectory(one, systemClock).people.ensure({ issuer: 'i', subject: 's' }, 'staff', 'S');
    expect(await createDirectory(other, systemClock).people.list(10)).toEqual([]);
    expect(existsSync(':memory:')).toBe(false);
  });

  it('keeps what it holds when it is opened again', async () => {
    const first = await open();
    const made = await createDirectory(first, systemClock).people.ensure({ issuer: 'i', subject: 's' }, 'staff', 'S');
    await first.close();
    expect(await createDirectory(await open(), systemClock).people.get(made.id)).toEqual(made);
  });

  it('refuses a database that a newer version has written, and leaves it alone', async () => {
    const database = await open();
    await database.run((db) =>
      sql`insert into kysely_migration (name, timestamp) values ('9999_future', '2030-01-01')`.execute(db),
    );
    await database.close();
    const before = readFileSync(file);
    await expect(openDatabase(url)).rejects.toMatchObject({ code: 'state_too_new', detail: { step: '9999_future' } });
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  it('refuses a file that is no database, and one that cannot be made', async () => {
    const text = join(folder, 'text.db');
    writeFileSync(text, 'this is no database '.repeat(100));
    await expect(openDatabase(`sqlite:${text}`)).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(openDatabase(`sqlite:${text}/below/it.db`)).rejects.toMatchObject({ code: 'state_unavailable' });
    await expect(openDatabase('mysql://localhost/x')).rejects.toMatchObject({ code: 'config_invalid' });
  });

  it('tells a key that is taken by its code', async () => {
    const database = await open();
    const insert = () =>
      database.run((db) => db.insertInto('state_values').values({ name: 'a', value: 'b' }).execute());
    await insert();
    const error = await insert().catch((thrown: unknown) => thrown);
    expect(isUniqueViolation(error)).toBe(true);
    expect(isUniqueViolation(new Error('UNIQUE constraint failed'))).toBe(false);
  });

  it('takes a transaction back whole, also when it fails in the middle', async () => {
    const database = await open();
    const failing = database.transaction(async (trx) => {
      await trx.insertInto('state_values').values({ name: 'a', value: 'b' }).execute();
      throw new TypeError('in the middle');
    });
    await expect(failing).rejects.toMatchObject({ code: 'internal' });
    await database.transaction((trx) => trx.insertInto('state_values').values({ name: 'a', value: 'c' }).execute());
    expect(await createDirectory(database, systemClock).values.get('a')).toBe('c');
  });

  it('waits for the transaction of another connection without stopping this process', async () => {
    const [one, other] = [await open(), await open()];
    let ticks = 0;
    const ticking = setInterval(() => {
      ticks += 1;
    }, 10);
    const long = one.transaction(async (trx) => {
      await trx.insertInto('state_values').values({ name: 'a', value: '1' }).execute();
      await new Promise((resolve) => setTimeout(resolve, 400));
    });
    const write = createDirectory(other, systemClock).values.swap('a', '1', '2');
    await Promise.all([long, write]);
    clearInterval(ticking);
    expect(await write).toBe(true);
    expect(ticks).toBeGreaterThan(5);
  });

  it('is made by one of three processes that start at once', async () => {
    const starting = [start('open', url), start('open', url), start('open', url)];
    await Promise.all(starting.map((child) => untilLine(child, 'done')));
    const { rows } = await (await open()).run((db) => sql`select name from kysely_migration`.execute(db));
    expect(rows).toHaveLength(Object.keys(migrations('sqlite')).length);
  });

  it('is written by two processes at once', async () => {
    const writing = [start('write-some', url), start('write-some', url)];
    await Promise.all(writing.map((child) => untilLine(child, 'done')));
    const database = await open();
    expect(await createDirectory(database, systemClock).people.list(100)).toHaveLength(25);
    expect(await createAudit(database, systemClock).verify()).toEqual({ records: 50 });
  });

  it('holds after kill -9 in the middle of writing: nothing by halves, the chain unbroken', async () => {
    const writer = start('write-forever', url);
    await untilLine(writer, /^written 20$/);
    writer.kill('SIGKILL');
    await writer.exited;
    const database = await open();
    const audit = createAudit(database, systemClock);
    const verdict = await audit.verify();
    expect(verdict.firstBad).toBeUndefined();
    expect(verdict.records % 2).toBe(0);
    expect(verdict.records).toBeGreaterThanOrEqual(42);
    await audit.append([{ event: 'x', actor: 'y' }]);
    expect(await audit.verify()).toEqual({ records: verdict.records + 1 });
    const { rows } = await database.run((db) => sql`pragma integrity_check`.execute(db));
    expect(rows).toEqual([{ integrity_check: 'ok' }]);
  });

  it('passes the lease of a process that was killed on to the next', async () => {
    const holder = start('hold-lease', url);
    await untilLine(holder, 'held');
    const { leases } = createDirectory(await open(), systemClock);
    // Longer than the lease lasts: it is renewed as long as its holder lives.
    await expect(leases.acquire('alice', 1_500, AbortSignal.timeout(2_500))).rejects.toMatchObject({
      code: 'lease_lost',
    });
    holder.kill('SIGKILL');
    await holder.exited;
    const lease = await leases.acquire('alice', 1_500, AbortSignal.timeout(10_000));
    await lease.release();
  });
});
