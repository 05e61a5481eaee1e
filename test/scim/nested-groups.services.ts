import { type Kysely, sql } from 'kysely';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import type { Tables } from '../../src/directory/tables.ts';
import { createGroup, deleteGroup, patchGroup } from '../../src/scim/groups.ts';
import type { Push, Pushed } from '../../src/scim/push.ts';
import { groupsOf } from '../../src/scim/store/members.ts';
import { createUser } from '../../src/scim/users.ts';
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
  while (!isDone && !(await isWaiting())) await new Promise((resolve) => setTimeout(resolve, 20));
  commit();
  const [{ users }] = await Promise.all([one, two]);
  return { heard, isConcerned: users.includes(alice) };
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
