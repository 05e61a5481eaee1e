import { sql } from 'kysely';
import { type DatedGrant, type EntitlementKind, entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import { byPeople, PAGE, pageOf, Same } from './pages.ts';
import type { GrantRow } from './tables.ts';

export interface Ledger {
  ofAccount(person: PersonId, target: string): Promise<readonly Grant[]>;
  ofPerson(person: PersonId): Promise<readonly DatedGrant[]>;
  /** Everybody's, or these people's, page by page. */
  ofTarget(target: string, people?: readonly PersonId[]): AsyncIterable<readonly Grant[]>;
  /** Everybody's, by person and entitlement, page by page. */
  dated(target: string): AsyncIterable<readonly DatedGrant[]>;
  /** Writes rows ahead of the call that gives them (`confirmed: false`); rows that are there stay as they are. */
  intend(grants: readonly Omit<Grant, 'confirmed'>[]): Promise<void>;
  /** Marks as given, with the target's own ids. */
  confirm(
    person: PersonId,
    target: string,
    given: readonly { readonly key: string; readonly entitlementId?: string }[],
  ): Promise<void>;
  /** Takes rows out: of one origin, or of all when `origin` is absent. */
  withdraw(
    person: PersonId,
    target: string,
    taken: readonly { readonly key: string; readonly origin?: string }[],
  ): Promise<void>;
  /** Rows of one target, or those of one kind in it. */
  count(target: string, kind?: EntitlementKind): Promise<number>;
}

export function createLedger(database: Database, clock: Clock): Ledger {
  return {
    ofAccount: (person, target) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('grants')
          .selectAll()
          .where('person_id', '=', person)
          .where('target', '=', target)
          .orderBy('key')
          .orderBy('origin')
          .execute();
        return rows.map((row) => toGrant(row));
      }),
    ofPerson: (person) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('grants')
          .selectAll()
          .where('person_id', '=', person)
          .orderBy('target')
          .orderBy('key')
          .orderBy('origin')
          .execute();
        return rows.map(toDatedGrant);
      }),
    ofTarget: (target, people) => {
      const same = new Same();
      return byPeople(people, async (after: Grant | undefined, ids) => {
        const rows = await pageOf(database, GRANT_COLUMNS, (db) =>
          db
            .selectFrom('grants')
            .select(GRANT_COLUMNS)
            .where('target', '=', target)
            .$if(ids !== undefined, (query) => query.where('person_id', 'in', ids ?? []))
            .$if(after !== undefined, (query) =>
              query.where(
                sql<boolean>`(person_id, key, origin) > (${after?.person}, ${after && entitlementKey(after)}, ${after?.origin})`,
              ),
            )
            .orderBy('person_id')
            .orderBy('key')
            .orderBy('origin')
            .limit(PAGE),
        );
        return rows.map(([person, kind, name, scope, rule, origin, id, confirmed]) =>
          toGrant(
            {
              person_id: person as string,
              target,
              kind: kind as GrantRow['kind'],
              name: name as string,
              scope: scope as string | null,
              rule: rule as string,
              origin: origin as string,
              entitlement_id: id as string | null,
              confirmed: confirmed as number,
            },
            same,
          ),
        );
      });
    },
    dated: (target) =>
      byPeople(undefined, (after: DatedGrant | undefined) =>
        database.run(async (db) => {
          const rows = await db
            .selectFrom('grants')
            .selectAll()
            .where('target', '=', target)
            .$if(after !== undefined, (query) =>
              query.where(
                sql<boolean>`(person_id, key, origin) > (${after?.person}, ${after && entitlementKey(after)}, ${after?.origin})`,
              ),
            )
            .orderBy('person_id')
            .orderBy('key')
            .orderBy('origin')
            .limit(PAGE)
            .execute();
          return rows.map(toDatedGrant);
        }),
      ),
    intend: (grants) => intend(database, clock, grants),
    confirm: (person, target, given) => confirm(database, person, target, given),
    withdraw: (person, target, taken) => withdraw(database, person, target, taken),
    count: (target, kind) =>
      database.run(async (db) => {
        const rows = db
          .selectFrom('grants')
          .select((select) => select.fn.countAll<number>().as('count'))
          .where('target', '=', target);
        const row = await (kind === undefined ? rows : rows.where('kind', '=', kind)).executeTakeFirstOrThrow();
        return row.count;
      }),
  };
}

const GRANT_COLUMNS = ['person_id', 'kind', 'name', 'scope', 'rule', 'origin', 'entitlement_id', 'confirmed'] as const;

async function intend(database: Database, clock: Clock, grants: Parameters<Ledger['intend']>[0]): Promise<void> {
  if (grants.length === 0) return;
  const since = clock.now();
  const rows = grants.map(
    (grant): GrantRow => ({
      person_id: grant.person,
      target: grant.target,
      key: entitlementKey(grant),
      origin: grant.origin,
      kind: grant.kind,
      name: grant.name,
      scope: grant.scope ?? null,
      rule: grant.rule,
      entitlement_id: grant.entitlementId ?? null,
      confirmed: 0,
      since,
    }),
  );
  await database.transaction(async (trx) => {
    // One order for everybody, so that two writers of the same rows wait for one another instead of for each other.
    for (const row of inKeyOrder(rows)) {
      await trx
        .insertInto('grants')
        .values(row)
        .onConflict((conflict) => conflict.columns(['person_id', 'target', 'key', 'origin']).doNothing())
        .execute();
    }
  });
}

async function confirm(
  database: Database,
  person: string,
  target: string,
  given: Parameters<Ledger['confirm']>[2],
): Promise<void> {
  if (given.length === 0) return;
  await database.transaction(async (trx) => {
    for (const { key, entitlementId } of inKeyOrder(given)) {
      await trx
        .updateTable('grants')
        .set({ confirmed: 1, ...(entitlementId === undefined ? {} : { entitlement_id: entitlementId }) })
        .where('person_id', '=', person)
        .where('target', '=', target)
        .where('key', '=', key)
        .execute();
    }
  });
}

async function withdraw(
  database: Database,
  person: string,
  target: string,
  taken: Parameters<Ledger['withdraw']>[2],
): Promise<void> {
  if (taken.length === 0) return;
  await database.transaction(async (trx) => {
    for (const { key, origin } of inKeyOrder(taken)) {
      const rows = trx
        .deleteFrom('grants')
        .where('person_id', '=', person)
        .where('target', '=', target)
        .where('key', '=', key);
      await (origin === undefined ? rows : rows.where('origin', '=', origin)).execute();
    }
  });
}

function inKeyOrder<T extends { readonly key: string; readonly origin?: string }>(rows: readonly T[]): T[] {
  const place = (row: T) => `${row.key}\n${row.origin ?? ''}`;
  return rows.toSorted((a, b) => (place(a) < place(b) ? -1 : 1));
}

function toDatedGrant(row: GrantRow): DatedGrant {
  return { ...toGrant(row), since: new Date(row.since) };
}

function toGrant(row: Omit<GrantRow, 'key' | 'since'>, same = new Same()): Grant {
  return {
    person: same.next(row.person_id),
    target: same.text(row.target),
    kind: same.text(row.kind) as Grant['kind'],
    name: same.text(row.name),
    ...(row.scope === null ? {} : { scope: same.text(row.scope) }),
    rule: same.text(row.rule),
    origin: same.text(row.origin),
    ...(row.entitlement_id === null ? {} : { entitlementId: same.text(row.entitlement_id) }),
    confirmed: row.confirmed === 1,
  };
}
