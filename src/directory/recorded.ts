import { type Kysely, sql } from 'kysely';
import type { Assertion } from '../model/person.ts';
import { forgotten, isForgotten } from '../model/recorded-claims.ts';
import type { Database } from './database.ts';
import type { ForgottenClaims, Recorded, Recording } from './directory.ts';
import { PAGE } from './pages.ts';
import { folded } from './people.ts';
import type { AssertionRow, Tables } from './tables.ts';

export function createRecorded(database: Database, record: Recording): Recorded {
  return {
    restate: () => restate(database, record),
    forget: (before, lists) => database.transaction((trx) => forget(trx, before.getTime(), lists)),
    settle: async (isFirst) => {
      if (database.engine !== 'sqlite') return;
      // Free space from before anything was overwritten in it.
      if (isFirst) await database.run((db) => sql`vacuum`.execute(db));
      // Until then pages as they were before are in the log that is written ahead.
      await database.run((db) => sql`pragma wal_checkpoint(truncate)`.execute(db));
    },
  };
}

async function restate(database: Database, record: Recording): Promise<number> {
  let changed = 0;
  for (let last: AssertionRow | undefined; ; ) {
    const rows = await database.run((db) => pageAfter(db, last));
    const other = rows.flatMap((row) => {
      const { origin, subject } = row;
      const said = JSON.parse(row.claims) as Assertion['claims'];
      const claims = JSON.stringify(record.claims(origin, said));
      const address = row.address === '' ? '' : folded(record.address({ origin, subject, claims: said }));
      return claims === row.claims && address === row.address ? [] : [{ row, claims, address }];
    });
    if (other.length > 0) {
      await database.transaction(async (trx) => {
        for (const { row, ...change } of other) changed += await replace(trx, row, change);
      });
    }
    last = rows.at(-1);
    if (rows.length < PAGE) return changed;
  }
}

function pageAfter(db: Kysely<Tables>, last: AssertionRow | undefined): Promise<AssertionRow[]> {
  return db
    .selectFrom('assertions')
    .selectAll()
    .$if(last !== undefined, (query) =>
      query.where(sql<boolean>`(origin, issuer, subject) > (${last?.origin}, ${last?.issuer}, ${last?.subject})`),
    )
    .orderBy('origin')
    .orderBy('issuer')
    .orderBy('subject')
    .limit(PAGE)
    .execute();
}

async function forget(
  trx: Kysely<Tables>,
  before: number,
  lists: readonly string[],
): Promise<readonly ForgottenClaims[]> {
  // Somebody is in by any word that is newer, or that a list goes on to say: then all of it decides, and all of it stays.
  const isListed = lists.length === 0 ? sql`1 = 0` : sql`other.origin in (${sql.join(lists)})`;
  const isHeard = sql<boolean>`exists (
    select 1 from assertions as other
    where other.person_id = assertions.person_id and other.active = 1
      and (other.at >= ${before} or ${isListed})
  )`;
  const rows = await trx
    .selectFrom('assertions')
    .selectAll()
    .where('at', '<', before)
    .where('claims', 'not like', '%"latchgate:not_recorded":[[]]}')
    .where((where) => where.or([where('active', '=', 0), where.not(isHeard)]))
    .orderBy('at')
    .limit(PAGE)
    .execute();
  const gone: ForgottenClaims[] = [];
  for (const row of rows) {
    const claims = JSON.stringify(forgotten(JSON.parse(row.claims) as Assertion['claims']));
    const written = isForgotten(row.claims)
      ? 0
      : await replace(trx, row, { claims, remembered_groups: null, address: null });
    if (written > 0) gone.push({ person: row.person_id, origin: row.origin });
  }
  return gone;
}

/** Whoever said something new meanwhile is left as they are. */
async function replace(
  trx: Kysely<Tables>,
  row: AssertionRow,
  change: Partial<Pick<AssertionRow, 'claims' | 'remembered_groups' | 'address'>>,
): Promise<number> {
  const result = await trx
    .updateTable('assertions')
    .set(change)
    .where('origin', '=', row.origin)
    .where('issuer', '=', row.issuer)
    .where('subject', '=', row.subject)
    .where('claims', '=', row.claims)
    .where('at', '=', row.at)
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}
