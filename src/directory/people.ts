import { type Kysely, sql } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { Assertion, PersonId, SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import { absorb } from './absorb.ts';
import type { Database } from './database.ts';
import type { People, Person, Recording, RememberedAssertion } from './directory.ts';
import { byEmail, goneBefore, search } from './find-people.ts';
import { newPersonId } from './person-id.ts';
import { toAssertion, toPerson } from './person-rows.ts';
import { prepared } from './prepared.ts';
import { split } from './split.ts';
import type { AssertionRow, PersonRow, Tables } from './tables.ts';

const SHOWN_LENGTH = 256;

export function createPeople(database: Database, clock: Clock, record: Recording): People {
  return {
    ensure: (subject, origin, displayName) => ensure(database, clock, subject, origin, displayName),
    bySubject: (subject) => database.run((db) => bySubject(db, subject)),
    get: (id) =>
      database.run(async (db) => {
        const row = await db.selectFrom('people').selectAll().where('id', '=', id).executeTakeFirst();
        return row && toPerson(row);
      }),
    search: (text, limit) => database.run((db) => search(db, text.trim(), limit)),
    byEmail: (email) => database.run((db) => byEmail(db, email)),
    list: (limit, after) =>
      database.run(async (db) => {
        const from = db.selectFrom('people').selectAll().orderBy('id').limit(limit);
        const rows = await (after === undefined ? from : from.where('id', '>', after)).execute();
        return rows.map(toPerson);
      }),
    saveAssertion: (person, assertion, groups, description) =>
      database.transaction(async (trx) => {
        const whose = await upsertAssertion(trx, person, assertion, groups, record);
        await describe(trx, whose, assertion, description ?? fromStandardClaims(assertion.claims));
      }),
    assertions: (person) =>
      database.run(async (db) => {
        const rows = await db
          .selectFrom('assertions')
          .selectAll()
          .where('person_id', '=', person)
          .orderBy('origin')
          .orderBy('issuer')
          .orderBy('subject')
          .execute();
        return rows.map(toAssertion);
      }),
    assertionsOf: (people) => database.run((db) => assertionsOf(db, people)),
    subjects: (person) =>
      database.run((db) =>
        db
          .selectFrom('subjects')
          .select(['issuer', 'subject', 'origin'])
          .where('person_id', '=', person)
          .orderBy('issuer')
          .orderBy('subject')
          .execute(),
      ),
    addSubject: (person, subject, origin) =>
      database.transaction(async (trx) => {
        if (await insertSubject(trx, person, subject, origin)) return person;
        return (await rowBySubject(trx, subject))?.id ?? person;
      }),
    split: (person, subjects, displayName) => split(database, clock, person, subjects, shown(displayName) ?? person),
    absorb: (person, other) => absorb(database, person, other),
    goneBefore: (before, limit, after) => database.run((db) => goneBefore(db, before.getTime(), limit, after ?? '')),
    setDisabled: (person, disabled) => setDisabled(database, clock, person, disabled),
    forgetEmail: (person) =>
      database.transaction(async (trx) => {
        // Nor is it read once more from what is recorded.
        await trx.updateTable('assertions').set({ address: '' }).where('person_id', '=', person).execute();
        await trx.updateTable('people').set({ email: null }).where('id', '=', person).execute();
      }),
  };
}

async function ensure(
  database: Database,
  clock: Clock,
  subject: SubjectKey,
  origin: string,
  displayName: string,
): Promise<Person> {
  const known = await database.run((db) => bySubject(db, subject));
  if (known !== undefined) return known;
  return database.transaction(async (trx) => toPerson(await ensureIn(trx, clock, subject, origin, displayName)));
}

/** Within a transaction: the row of this subject's person, made when there is none, with `more` of what is known. */
export async function ensureIn(
  trx: Kysely<Tables>,
  clock: Clock,
  subject: SubjectKey,
  origin: string,
  displayName: string,
  more: Partial<Pick<PersonRow, 'email' | 'owner'>> = {},
): Promise<PersonRow> {
  const now = clock.now();
  const row: PersonRow = {
    id: newPersonId(now),
    display_name: shown(displayName) ?? subject.subject,
    email: null,
    disabled: 0,
    created_at: now,
    last_seen_at: null,
    owner: null,
    left_at: null,
    disabled_at: null,
    ...more,
  };
  await insertPerson(trx, row);
  // The subject's key decides who was first: the second waits here for the first to commit, and then writes nothing.
  if (await insertSubject(trx, row.id, subject, origin)) return row;
  await trx.deleteFrom('people').where('id', '=', row.id).execute();
  const first = await rowBySubject(trx, subject);
  if (first === undefined) throw new LatchgateError('internal', 'a subject is taken and not there');
  return first;
}

const insertPerson = prepared((db, row: PersonRow) => db.insertInto('people').values(row));

const addSubject = prepared((db, row: Tables['subjects']) =>
  db
    .insertInto('subjects')
    .values(row)
    .onConflict((conflict) => conflict.columns(['issuer', 'subject']).doNothing()),
);

/** False: it is somebody's already, and stays theirs. */
export async function insertSubject(
  db: Kysely<Tables>,
  person: PersonId,
  { issuer, subject }: SubjectKey,
  origin: string,
): Promise<boolean> {
  const written = await addSubject(db, { issuer, subject, origin, person_id: person });
  return written.numAffectedRows === 1n;
}

async function bySubject(db: Kysely<Tables>, subject: SubjectKey): Promise<Person | undefined> {
  const row = await rowBySubject(db, subject);
  return row && toPerson(row);
}

const rowsBySubject = prepared((db, issuer: string, subject: string) =>
  db
    .selectFrom('subjects')
    .innerJoin('people', 'people.id', 'subjects.person_id')
    .selectAll('people')
    .where('subjects.issuer', '=', issuer)
    .where('subjects.subject', '=', subject),
);

export async function rowBySubject(
  db: Kysely<Tables>,
  { issuer, subject }: SubjectKey,
): Promise<PersonRow | undefined> {
  return (await rowsBySubject(db, issuer, subject)).rows[0];
}

async function assertionsOf(
  db: Kysely<Tables>,
  people: readonly PersonId[],
): Promise<readonly (RememberedAssertion & { readonly person: PersonId })[]> {
  if (people.length === 0) return [];
  const rows = await db
    .selectFrom('assertions')
    .selectAll()
    .where('person_id', 'in', people)
    .orderBy('origin')
    .orderBy('issuer')
    .orderBy('subject')
    .execute();
  return rows.map((row) => ({ ...toAssertion(row), person: row.person_id }));
}

type Said = Omit<AssertionRow, 'origin' | 'issuer' | 'subject' | 'person_id' | 'remembered_groups'> &
  Partial<Pick<AssertionRow, 'remembered_groups'>>;

/** Groups that nobody has verified are not those that the origin sent last. */
const KEPT = {
  remembered_groups: sql<
    string | null
  >`case when assertions.unverified = 1 then null else assertions.remembered_groups end`,
};

const upsert = prepared((db, key: Pick<AssertionRow, 'origin' | 'issuer' | 'subject' | 'person_id'>, said: Said) =>
  db
    .insertInto('assertions')
    .values({ ...key, remembered_groups: null, ...said })
    .onConflict((conflict) => conflict.columns(['origin', 'issuer', 'subject']).doUpdateSet({ ...KEPT, ...said }))
    .returning('person_id'),
);

/**
 * What an origin says now, in place of what it said before. Of whom it said it before that stays, be it another than `person`
 * by now: two were made of one. Returns who it is.
 */
export async function upsertAssertion(
  db: Kysely<Tables>,
  person: PersonId,
  assertion: Assertion,
  groups: readonly string[] | undefined,
  record: Recording,
): Promise<PersonId> {
  const said = {
    active: assertion.active ? 1 : 0,
    claims: JSON.stringify(record.claims(assertion.origin, assertion.claims)),
    address: folded(record.address(assertion)),
    at: assertion.at.getTime(),
    unverified: assertion.isUnverified === true ? 1 : 0,
    ...(groups === undefined ? {} : { remembered_groups: JSON.stringify(groups) }),
  };
  const { origin, issuer, subject } = assertion;
  const { rows } = await upsert(db, { origin, issuer, subject, person_id: person }, said);
  return rows[0]?.person_id ?? person;
}

async function describe(
  db: Kysely<Tables>,
  person: PersonId,
  assertion: Assertion,
  description: { readonly displayName?: string; readonly email?: string },
): Promise<void> {
  const displayName = shown(description.displayName);
  const email = shown(description.email);
  await db
    .updateTable('people')
    .set({
      last_seen_at: assertion.at.getTime(),
      ...(displayName === undefined ? {} : { display_name: displayName }),
      ...(email === undefined ? {} : { email }),
    })
    .where('id', '=', person)
    .execute();
}

function fromStandardClaims(claims: Assertion['claims']): { displayName?: string; email?: string } {
  const text = (name: string) => (typeof claims[name] === 'string' ? claims[name] : undefined);
  const displayName = text('name') ?? text('preferred_username');
  const email = text('email');
  return { ...(displayName === undefined ? {} : { displayName }), ...(email === undefined ? {} : { email }) };
}

/** A text that can be shown in a table: what the database or a terminal trips over is gone. Empty: nothing was said. */
export function shown(text: string | undefined): string | undefined {
  const clean = text
    ?.slice(0, SHOWN_LENGTH)
    .replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ')
    .trim();
  return clean === '' ? undefined : clean;
}

/** As `assertions` has it. */
export function folded(address: string | undefined): string | null {
  return shown(address)?.toLowerCase() ?? null;
}

async function setDisabled(database: Database, clock: Clock, person: PersonId, disabled: boolean): Promise<void> {
  const result = await database.run((db) =>
    db
      .updateTable('people')
      .set(
        disabled
          ? { disabled: 1, disabled_at: sql`coalesce(disabled_at, ${clock.now()})` }
          : // Whoever is listed nowhere any more gets in again by the word of an operator, until the owner says otherwise.
            { disabled: 0, disabled_at: null, left_at: null },
      )
      .where('id', '=', person)
      .executeTakeFirst(),
  );
  if (result.numUpdatedRows === 0n) throw new LatchgateError('not_found', 'there is no such person');
}
