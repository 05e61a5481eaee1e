import { type Database, openDatabase } from '../../src/directory/database.ts';
import {
  approveDeletions,
  forgetDeletion,
  heldDeletions,
  isDeletionHeld,
  noteDeletion,
  type Removals,
} from '../../src/scim/store/held.ts';
import { insertUsers, removeUser, replaceUser, type StoredUser } from '../../src/scim/store/users.ts';

const DAY_MS = 86_400_000;
const CLIENT = 'okta';

let database: Database;
let now = Date.parse('2026-01-01T00:00:00Z');
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
});
afterEach(() => database.close());

function user(id: string, active = true): StoredUser {
  const times = { createdAt: now, modifiedAt: now };
  return { client: CLIENT, id, ...times, version: 1, attributes: { userName: id, active } };
}

/** So many users, each of whom is a person of the same id. */
async function people(count: number, active = true, from = 0): Promise<readonly string[]> {
  const ids = Array.from({ length: count }, (_, at) => `p${String(from + at).padStart(3, '0')}`);
  const person = { display_name: '', email: null, disabled: 0, created_at: now, last_seen_at: null, owner: CLIENT };
  await database.run(async (db) => {
    await insertUsers(
      db,
      ids.map((id) => user(id, active)),
    );
    await db
      .insertInto('people')
      .values(ids.map((id) => ({ ...person, id, left_at: active ? null : now, disabled_at: null })))
      .execute();
  });
  return ids;
}

/** How many of these may go, one after another, before the first that is held. */
async function mayGo(ids: readonly string[], removals: Removals, by: 'switch' | 'delete' = 'switch'): Promise<number> {
  for (const [at, id] of ids.entries()) if (await goes(id, removals, by)) return at;
  return ids.length;
}

function goes(id: string, removals: Removals, by: 'switch' | 'delete' = 'switch'): Promise<boolean> {
  return database.run(async (db) => {
    if (by === 'delete') await removeUser(db, user(id));
    else await replaceUser(db, user(id, false), user(id));
    await db.updateTable('people').set({ left_at: now }).where('id', '=', id).execute();
    return noteDeletion(db, { person: id, client: CLIENT, at: new Date(now) }, removals);
  });
}

function isBack(id: string): Promise<void> {
  return database.run(async (db) => {
    await replaceUser(db, user(id), user(id, false));
    await db.updateTable('people').set({ left_at: null }).where('id', '=', id).execute();
    await forgetDeletion(db, id);
  });
}

describe('of a hundred people', () => {
  it.each([
    ['a tenth', { percent: 10 }, 10],
    ['a half', { percent: 50 }, 50],
    ['all', { percent: 100 }, 100],
    ['seven', { people: 7 }, 7],
    ['the smaller of two', { percent: 50, people: 4 }, 4],
    ['two at least', { percent: 1 }, 2],
    ['nobody', { people: 0 }, 0],
    ['nobody', { percent: 0 }, 0],
  ])('%s may go in a day', async (_what, removals, expected) => {
    const ids = await people(100);
    expect(await mayGo(ids, removals)).toBe(expected);
  });

  it('as many may be deleted as may be switched off', async () => {
    expect(await mayGo(await people(100), { percent: 10 }, 'delete')).toBe(10);
  });

  it('as many may go as if those who left long ago were not kept', async () => {
    const ids = await people(100);
    await people(400, false, 100);
    expect(await mayGo(ids, { percent: 10 })).toBe(10);
  });

  it('no more go because those before came back', async () => {
    const ids = await people(100);
    const gone: string[] = [];
    for (const id of ids) {
      if (await goes(id, { percent: 10 })) break;
      gone.push(id);
      await isBack(id);
    }
    expect(gone).toHaveLength(10);
    expect(
      await database.run((db) => db.selectFrom('scim_held').select('held').where('held', '=', 1).execute()),
    ).toEqual([{ held: 1 }]);
  });

  it('others may go the next day', async () => {
    const ids = await people(100);
    expect(await mayGo(ids, { people: 5 })).toBe(5);
    now += DAY_MS + 1;
    expect(await mayGo(ids.slice(10), { people: 5 })).toBe(5);
  });
});

it('who is held is let go by a word, or by coming back, and not by time', async () => {
  const ids = await people(5);
  expect(await mayGo(ids, { people: 0 })).toBe(0);
  await goes(ids[1] as string, { people: 0 });
  now += 2 * DAY_MS;
  await goes(ids[2] as string, { people: 0 });
  expect((await heldDeletions(database)).map(({ person }) => person)).toEqual(ids.slice(0, 3));
  await isBack(ids[0] as string);
  expect(await isDeletionHeld(database, ids[0] as string)).toBe(false);
  expect(await approveDeletions(database, CLIENT)).toEqual(ids.slice(1, 3));
  expect(await heldDeletions(database)).toEqual([]);
});
