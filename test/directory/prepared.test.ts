import { sql } from 'kysely';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { prepared } from '../../src/directory/prepared.ts';

let database: Database;
beforeEach(async () => {
  database = await openDatabase('sqlite::memory:');
});
afterEach(() => database.close());

interface CountRow {
  client: string;
  users: number;
}

describe('a statement whose text is made once', () => {
  it('is carried out with the values of each call, wherever and as often as they stand in it', async () => {
    const add = prepared((db, client: string, users: number) =>
      db
        .insertInto('scim_counts')
        .values({ client, users })
        .onConflict((conflict) => conflict.column('client').doUpdateSet({ users: sql`scim_counts.users + ${users}` })),
    );
    const find = prepared((db, client: string) =>
      db.selectFrom('scim_counts').selectAll().where('client', '=', client),
    );
    const rows = await database.transaction(async (db) => {
      for (const [client, users] of [['okta', 3] as const, ['entra', 5] as const, ['okta', 4] as const]) {
        await add(db, client, users);
      }
      return [(await find(db, 'okta')).rows, (await find(db, 'nobody')).rows];
    });
    expect(rows).toEqual([[{ client: 'okta', users: 7, changes: 0 }], []]);
    expect((await database.run((db) => find(db, 'entra'))).rows).toEqual([{ client: 'entra', users: 5, changes: 0 }]);
  });

  it('is another text for a row that has other columns', async () => {
    const set = prepared((db, client: string, row: Partial<CountRow>) =>
      db.updateTable('scim_counts').set(row).where('client', '=', client),
    );
    await database.run(async (db) => {
      await db.insertInto('scim_counts').values({ client: 'okta', users: 1 }).execute();
      expect((await set(db, 'okta', { users: 2 })).numAffectedRows).toBe(1n);
      await set(db, 'okta', { client: 'entra' });
      await set(db, 'entra', { users: 9, client: 'auth0' });
      await set(db, 'auth0', { client: 'jump', users: 8 });
      expect(await db.selectFrom('scim_counts').selectAll().execute()).toEqual([
        { client: 'jump', users: 8, changes: 0 },
      ]);
    });
  });
});
