import { sql } from 'kysely';
import type { Database } from '../../src/directory/database.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { newSessionId, sessionHandle } from '../../src/session/seal.ts';
import type { PrunedSessions } from '../../src/session/store.ts';
import { embeddedHarness } from '../conformance/embedded-sessions.ts';
import { describeSessionStore, exampleSession } from '../conformance/session-store.ts';
import { type State, sqliteState } from '../conformance/state.ts';

const HOUR_MS = 60 * 60_000;

describeSessionStore('SQLite', () => embeddedHarness(sqliteState));

describe('the embedded session store', () => {
  let state: State;
  let database: Database;
  let calls: number;
  let down: boolean;
  let store: PrunedSessions;
  let id: string;

  beforeEach(async () => {
    state = await sqliteState();
    const real = await state.open();
    calls = 0;
    down = false;
    const counted = <T>(work: () => Promise<T>): Promise<T> => {
      calls += 1;
      return down ? real.run(() => Promise.reject(new Error('no connection'))) : work();
    };
    database = {
      ...real,
      engine: real.engine,
      run: (work) => counted(() => real.run(work)),
      transaction: (work, lock) => counted(() => real.transaction(work, lock)),
    };
    store = createEmbeddedSessions(database, { clock: state.clock, cached: 3 });
    id = newSessionId();
    await store.save(id, exampleSession(state.clock.now()), HOUR_MS);
    calls = 0;
  });
  afterEach(async () => {
    await store.close();
    await state.dispose();
  });

  it('asks the database for a session in use once a second at most', async () => {
    for (let request = 0; request < 100; request += 1) {
      expect(await store.load(id)).toBeDefined();
      state.clock.fastForward(9);
    }
    expect(calls).toBe(0);
    state.clock.fastForward(100);
    await Promise.all(Array.from({ length: 20 }, () => store.load(id)));
    expect(calls).toBe(1);
  });

  it('writes that a session is in use once a minute at most', async () => {
    for (let second = 0; second < 180; second += 1) {
      state.clock.fastForward(1_000);
      await store.touch(id, HOUR_MS);
    }
    expect(calls).toBe(3);
  });

  it('does not write at every request of the last seconds before the end', async () => {
    await store.load(id);
    for (let left = 2_000; left > 0; left -= 10) {
      state.clock.fastForward(10);
      await store.touch(id, left);
    }
    expect(calls).toBe(2);
  });

  it('keeps the use that is not written yet while it runs', async () => {
    state.clock.fastForward(50_000);
    await store.touch(id, HOUR_MS);
    state.clock.fastForward(HOUR_MS - 20_000);
    expect(await store.load(id)).toBeDefined();
    await store.prune();
    expect(await store.load(id)).toBeDefined();
  });

  it('says session_store_unavailable when the database does not answer, and goes on when it does again', async () => {
    down = true;
    expect(await store.load(id)).toBeDefined();
    state.clock.fastForward(1_000);
    const unavailable = { code: 'session_store_unavailable', status: 503 };
    await expect(store.load(id)).rejects.toMatchObject(unavailable);
    await expect(store.save(newSessionId(), exampleSession(0), HOUR_MS)).rejects.toMatchObject(unavailable);
    state.clock.fastForward(60_000);
    await expect(store.touch(id, HOUR_MS)).rejects.toMatchObject(unavailable);
    await expect(store.destroyFor({ all: true })).rejects.toMatchObject(unavailable);
    await expect(store.list()).rejects.toMatchObject(unavailable);
    down = false;
    expect(await store.load(id)).toBeDefined();
    await store.touch(id, HOUR_MS);
    expect((await store.list())[0]?.lastSeenAt).toBe(state.clock.now());
  });

  it('refuses who logged out even when the database could not be told', async () => {
    down = true;
    await expect(store.destroy(id)).rejects.toMatchObject({ code: 'session_store_unavailable' });
    down = false;
    expect(await store.load(id)).toBeUndefined();
    await store.destroy(id);
    expect(await store.list()).toEqual([]);
  });

  it('takes out what has run out and tells who listens', async () => {
    const heard: string[] = [];
    store.onEnded((handle) => heard.push(handle));
    const short = newSessionId();
    await store.save(short, exampleSession(state.clock.now(), { endsAt: state.clock.now() + 1_000 }), HOUR_MS);
    state.clock.fastForward(1_000);
    expect(await store.prune()).toBe(1);
    expect(heard).toEqual([sessionHandle(short)]);
    state.clock.fastForward(HOUR_MS + 60_000);
    expect(await store.prune()).toBe(1);
    expect(heard).toEqual([sessionHandle(short), sessionHandle(id)]);
    state.clock.fastForward(HOUR_MS);
    expect(await store.prune()).toBe(0);
    const { rows } = await database.run((db) => sql`select * from ended_sessions`.execute(db));
    expect(rows).toEqual([]);
  });

  it('serves more sessions than it keeps in memory', async () => {
    const ids = Array.from({ length: 10 }, newSessionId);
    for (const one of ids) await store.save(one, exampleSession(state.clock.now()), HOUR_MS);
    for (const one of [...ids, id]) expect(await store.load(one)).toBeDefined();
  });

  it.each([
    ['moved to another row', 'update sessions set sealed = (select sealed from sessions where handle <> :handle)'],
    ['changed', "update sessions set sealed = replace(sealed, 'A', 'B')"],
    ['cut off', 'update sessions set sealed = substr(sealed, 1, 20)'],
    ['replaced by plain text', "update sessions set sealed = '{}'"],
  ])('does not open a record that was %s', async (_, statement) => {
    const other = newSessionId();
    await store.save(other, exampleSession(state.clock.now()), HOUR_MS);
    const [before, after] = statement.split(':handle');
    await database.run((db) =>
      (after === undefined
        ? sql.raw(statement)
        : sql`${sql.raw(before ?? '')}${sessionHandle(id)}${sql.raw(after)} where handle = ${sessionHandle(id)}`
      ).execute(db),
    );
    state.clock.fastForward(1_000);
    expect(await store.load(id)).toBeUndefined();
  });
});
