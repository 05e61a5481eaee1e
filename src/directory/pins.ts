import type { Kysely } from 'kysely';
import { type Entitlement, entitlementKey } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Database } from './database.ts';
import { byPeople, PAGE } from './pages.ts';
import { prepared } from './prepared.ts';
import type { PinRow, Tables } from './tables.ts';

/** What an operator has decided about single entitlements of single people, whatever the rules say. */
export interface Pins {
  ofAccount(person: PersonId, target: string): Promise<readonly Pin[]>;
  ofPerson(person: PersonId): Promise<readonly Pin[]>;
  /** Everybody's in one target, or these people's, page by page. */
  ofTarget(target: string, people?: readonly PersonId[]): AsyncIterable<readonly Pin[]>;
  /** A later one takes the place of an earlier one. */
  set(pin: Pin): Promise<void>;
  /** The pin that is lifted; undefined: there was none. */
  lift(person: PersonId, target: string, entitlement: Entitlement): Promise<Pin | undefined>;
}

export function createPins(database: Database): Pins {
  return {
    ofAccount: (person, target) =>
      database.run(async (db) => (await rowsOfAccount(db, person, target)).rows.map(toPin)),
    ofPerson: (person) => database.run(async (db) => (await rowsOfPerson(db, person)).rows.map(toPin)),
    ofTarget: (target, people) =>
      byPeople(people, (after: Pin | undefined, ids) =>
        database.run(async (db) => (await pageAfter(db, target, after, ids)).map(toPin)),
      ),
    set: (pin) =>
      database.run(async (db) => {
        const row = toRow(pin);
        await db
          .insertInto('pins')
          .values(row)
          .onConflict((conflict) => conflict.columns(['person_id', 'target', 'key']).doUpdateSet(row))
          .execute();
      }),
    lift: (person, target, entitlement) =>
      database.transaction(async (trx) => {
        const one = () => ({ person_id: person, target, key: entitlementKey(entitlement) }) satisfies Partial<PinRow>;
        const row = await trx
          .selectFrom('pins')
          .selectAll()
          .where((where) => where.and(one()))
          .executeTakeFirst();
        if (row === undefined) return undefined;
        await trx
          .deleteFrom('pins')
          .where((where) => where.and(one()))
          .execute();
        return toPin(row);
      }),
  };
}

const rowsOfAccount = prepared((db, person: PersonId, target: string) =>
  db.selectFrom('pins').selectAll().where('person_id', '=', person).where('target', '=', target).orderBy('key'),
);

const rowsOfPerson = prepared((db, person: PersonId) =>
  db.selectFrom('pins').selectAll().where('person_id', '=', person).orderBy('target').orderBy('key'),
);

async function pageAfter(
  db: Kysely<Tables>,
  target: string,
  after: Pin | undefined,
  people: readonly PersonId[] | undefined,
): Promise<readonly PinRow[]> {
  return db
    .selectFrom('pins')
    .selectAll()
    .where('target', '=', target)
    .$if(people !== undefined, (query) => query.where('person_id', 'in', people ?? []))
    .$if(after !== undefined, (query) =>
      query.where((where) =>
        where.or([
          where('person_id', '>', after?.person ?? ''),
          where.and([
            where('person_id', '=', after?.person ?? ''),
            where('key', '>', after === undefined ? '' : entitlementKey(after)),
          ]),
        ]),
      ),
    )
    .orderBy('person_id')
    .orderBy('key')
    .limit(PAGE)
    .execute();
}

function toPin(row: PinRow): Pin {
  return {
    person: row.person_id,
    target: row.target,
    kind: row.kind,
    name: row.name,
    ...(row.scope === null ? {} : { scope: row.scope }),
    effect: row.effect,
    by: row.by,
    ...(row.reason === null ? {} : { reason: row.reason }),
    at: new Date(row.at),
  };
}

function toRow(pin: Pin): PinRow {
  return {
    person_id: pin.person,
    target: pin.target,
    key: entitlementKey(pin),
    kind: pin.kind,
    name: pin.name,
    scope: pin.scope ?? null,
    effect: pin.effect,
    by: pin.by,
    reason: pin.reason ?? null,
    at: pin.at.getTime(),
  };
}
