import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Tables } from '../../src/directory/tables.ts';
import { createGroup, deleteGroup, patchGroup } from '../../src/scim/groups.ts';
import type { Push, Pushed } from '../../src/scim/push.ts';
import { noteDeletion } from '../../src/scim/store/held.ts';
import { groupsOf, membersOf } from '../../src/scim/store/members.ts';
import { createUser, deleteUser } from '../../src/scim/users.ts';
import { patchOf, scimUser } from '../journey/scim-client.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';

const CLIENT = 'okta';

let server: RunningPostgres;
let database: Database;
let clock = 0;
let alice: string;
beforeAll(async () => {
  server = await startPostgres();
  database = await openDatabase(server.url);
  alice = (await createUser(push(), scimUser('alice'))).resource.id;
});
afterAll(async () => {
  await database.close();
  await server.stop();
});

/** Writes of one client; `last` is done in the transaction of a write, before it ends. */
function push(last: (db: Kysely<Tables>) => Promise<void> = async () => {}): Push {
  return {
    client: { name: CLIENT, config: {} as Push['client']['config'], ownerOf: () => CLIENT },
    now: () => ++clock,
    read: (work) => database.run(work),
    write: (work) =>
      database.transaction(async (db) => {
        const pushed = await work({ db, note: () => {}, lock: true, tells: false });
        await last(db);
        return pushed;
      }),
  };
}

async function groupOf(name: string, ...members: readonly string[]): Promise<string> {
  const body = { displayName: name, members: members.map((value) => ({ value })) };
  return (await createGroup(push(), body)).resource.id;
}

function addTo(by: Push, group: string, member: string): Promise<Pushed<unknown>> {
  return patchGroup(by, group, patchOf({ op: 'add', path: 'members', value: [{ value: member }] }));
}

/**
 * Whether the directory hears at last what is so: it is told of those whom a write concerns by what is there at its end,
 * and of the two writes the second has to concern alice if the first could not know.
 */
async function hears(first: (by: Push) => Promise<Pushed<unknown>>, second: (by: Push) => Promise<Pushed<unknown>>) {
  let written = () => {};
  const isWritten = new Promise<void>((resolve) => (written = resolve));
  let commit = () => {};
  const may = new Promise<void>((resolve) => (commit = resolve));
  const one = first(
    push(async () => {
      written();
      await may;
    }),
  );
  await isWritten;
  let isDone = false;
  let heard: readonly string[] = [];
  const two = second(
    push(async (db) => {
      const groups = await groupsOf(db, CLIENT, [alice]);
      heard = (groups.get(alice) ?? []).map(({ name }) => name);
    }),
  ).finally(() => {
    isDone = true;
  });
  while (!isDone && !(await isWaiting())) await sleep(20);
  commit();
  const [{ users }] = await Promise.all([one, two]);
  return { heard, isConcerned: users.includes(alice) };
}

async function idOf(name: string): Promise<string> {
  return (await createUser(push(), scimUser(name))).resource.id;
}

type Row = readonly [table: 'scim_users' | 'scim_groups', id: string];

/** Locks one row, has somebody do what waits for it, and says whether another row is still to be had then. */
async function isFreeWhile(
  [held, other]: readonly [held: Row, other: Row],
  meanwhile: (by: Push) => Promise<unknown>,
): Promise<boolean> {
  const { isFree, done } = await database.transaction(async (db) => {
    await lock(db, held);
    const waits = meanwhile(push());
    await untilWaiting();
    return { isFree: await lock(db, other), done: waits };
  });
  await done;
  return isFree;
}

async function lock(db: Kysely<Tables>, [table, id]: Row): Promise<boolean> {
  const row = sql`select 1 from ${sql.table(table)} where client = ${CLIENT} and id = ${id} for update skip locked`;
  return (await row.execute(db)).rows.length === 1;
}

async function untilWaiting(): Promise<void> {
  while (!(await isWaiting())) await sleep(20);
}

async function isWaiting(): Promise<boolean> {
  const { rows } = await database.run((db) =>
    sql<{ waiting: number }>`select count(*)::int as waiting from pg_locks where not granted`.execute(db),
  );
  return (rows[0]?.waiting ?? 0) > 0;
}

describe('two changes of nested groups at once on PostgreSQL', () => {
  it('leave nobody without the group that comes by another', async () => {
    const [outer, inner] = [await groupOf('outer-1'), await groupOf('inner-1')];
    const { heard, isConcerned } = await hears(
      (by) => addTo(by, outer, inner),
      (by) => addTo(by, inner, alice),
    );
    expect(isConcerned || heard.includes('outer-1')).toBe(true);
  });

  it('leave nobody in a group that was taken out of the other, or deleted, or renamed', async () => {
    for (const end of [
      (by: Push, outer: string, inner: string) =>
        patchGroup(by, outer, patchOf({ op: 'remove', path: `members[value eq "${inner}"]` })),
      (by: Push, outer: string) => deleteGroup(by, outer),
      (by: Push, outer: string) => patchGroup(by, outer, patchOf({ op: 'replace', value: { displayName: 'renamed' } })),
    ]) {
      const innermost = await groupOf(`innermost-${clock}`);
      const inner = await groupOf(`inner-${clock}`, innermost);
      const name = `outer-${clock}`;
      const outer = await groupOf(name, inner);
      const { heard, isConcerned } = await hears(
        (by) => end(by, outer, inner),
        (by) => addTo(by, innermost, alice),
      );
      expect(isConcerned || !heard.includes(name)).toBe(true);
    }
  });
});

it('who is deleted waits for a change of their group without keeping it from its members', async () => {
  const bob = await idOf('bob');
  const inner = await groupOf('kept');
  const group = await groupOf('keeping', bob, inner);
  const held: Row = ['scim_groups', group];
  expect(await isFreeWhile([held, ['scim_users', bob]], (by) => deleteUser(by, bob))).toBe(true);
  expect(await isFreeWhile([held, ['scim_groups', inner]], (by) => deleteGroup(by, inner))).toBe(true);
  expect(await database.run((db) => membersOf(db, CLIENT, group))).toEqual([]);
});

it('who come into a group and who leave it are waited for in one order', async () => {
  const [first, second] = [await idOf('zoe'), await idOf('abe')];
  const inner = await groupOf('in-order-inner', second);
  const held: Row = ['scim_users', first];
  const other: Row = ['scim_users', second];
  for (const [who, comes] of [
    [first, second],
    [first, inner],
  ] as const) {
    const group = await groupOf(`in-order-${clock}`, who);
    const swap = patchOf(
      { op: 'remove', path: `members[value eq "${who}"]` },
      { op: 'add', path: 'members', value: [{ value: comes }] },
    );
    expect(await isFreeWhile([held, other], (by) => patchGroup(by, group, swap))).toBe(true);
    const name = patchOf({ op: 'replace', value: { displayName: `named-${clock}`, members: [{ value: first }] } });
    expect(await isFreeWhile([held, other], (by) => patchGroup(by, group, name))).toBe(true);
    expect(await isFreeWhile([held, other], (by) => deleteGroup(by, group))).toBe(true);
  }
});

it('of two who go at once the second is counted after the first', async () => {
  const ids = await Promise.all(['una', 'vic', 'wyn', 'xia'].map(idOf));
  const note = (db: Kysely<Tables>, at: number) =>
    noteDeletion(db, { person: ids[at] ?? '', client: CLIENT, at: new Date() }, { people: 3 });
  for (const at of [0, 1]) await database.run((db) => note(db, at));
  const { first, second } = await database.transaction(async (db) => {
    const isHeld = await note(db, 2);
    const other = database.transaction((beside) => note(beside, 3));
    await Promise.race([other, untilWaiting()]);
    return { first: isHeld, second: other };
  });
  expect([first, await second]).toEqual([false, true]);
});
