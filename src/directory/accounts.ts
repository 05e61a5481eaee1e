import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { AccountLink, Accounts, DatedAccountLink } from './directory.ts';
import { isUniqueViolation } from './failure.ts';
import { byPeople, PAGE, pageOf, Same } from './pages.ts';
import type { AccountRow } from './tables.ts';

export function createAccounts(database: Database, clock: Clock): Accounts {
  return {
    get: (person, target) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('accounts')
          .selectAll()
          .where('person_id', '=', person)
          .where('target', '=', target)
          .executeTakeFirst();
        return row && toLink(row);
      }),
    ofPerson: (person) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('accounts')
          .selectAll()
          .where('person_id', '=', person)
          .orderBy('target')
          .execute();
        return rows.map(toDatedLink);
      }),
    ofTarget: (target, people) => {
      const same = new Same();
      return byPeople(people, async (after: AccountLink | undefined, ids) => {
        const rows = await pageOf(database, LINK_COLUMNS, (db) =>
          db
            .selectFrom('accounts')
            .select(LINK_COLUMNS)
            .where('target', '=', target)
            .$if(ids !== undefined, (query) => query.where('person_id', 'in', ids ?? []))
            .$if(after !== undefined, (query) => query.where('person_id', '>', after?.person ?? ''))
            .orderBy('person_id')
            .limit(PAGE),
        );
        return rows.map(([person, id, userName, created, state]) =>
          toLink(
            {
              person_id: person as string,
              target,
              account_id: id as string | null,
              user_name: userName as string,
              created: created as number,
              state: state as AccountRow['state'],
            },
            same,
          ),
        );
      });
    },
    owner: (target, accountId) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('accounts')
          .select('person_id')
          .where('target', '=', target)
          .where('account_id', '=', accountId)
          .executeTakeFirst();
        return row?.person_id;
      }),
    save: (link) => save(database, clock, link),
    remove: (person, target) =>
      database.run(async (db) => {
        await db.deleteFrom('accounts').where('person_id', '=', person).where('target', '=', target).execute();
      }),
    count: (target) =>
      database.run(async (db) => {
        const row = await db
          .selectFrom('accounts')
          .select((select) => select.fn.countAll<number>().as('count'))
          .where('target', '=', target)
          .executeTakeFirstOrThrow();
        return row.count;
      }),
  };
}

const LINK_COLUMNS = ['person_id', 'account_id', 'user_name', 'created', 'state'] as const;

async function save(database: Database, clock: Clock, link: AccountLink): Promise<void> {
  const facts = {
    account_id: link.accountId ?? null,
    user_name: link.userName,
    created: link.created ? 1 : 0,
    state: link.state,
    updated_at: clock.now(),
  };
  try {
    await database.run((db) =>
      db
        .insertInto('accounts')
        .values({ person_id: link.person, target: link.target, ...facts })
        .onConflict((conflict) => conflict.columns(['person_id', 'target']).doUpdateSet(facts))
        .execute(),
    );
  } catch (error) {
    if (!isUniqueViolation(error)) throw error;
    throw new LatchgateError('account_taken', "this account is another person's", {
      cause: error,
      detail: { target: link.target },
    });
  }
}

function toDatedLink(row: AccountRow): DatedAccountLink {
  return { ...toLink(row), updatedAt: new Date(row.updated_at) };
}

function toLink(row: Omit<AccountRow, 'updated_at'>, same = new Same()): AccountLink {
  return {
    person: row.person_id,
    target: row.target,
    ...(row.account_id === null ? {} : { accountId: row.account_id }),
    userName: row.user_name,
    created: row.created === 1,
    state: same.text(row.state) as AccountLink['state'],
  };
}
