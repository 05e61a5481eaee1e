import type { Kysely } from 'kysely';
import { LatchgateError } from '../model/errors.ts';
import type { PersonId, SubjectKey } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Database } from './database.ts';
import type { Person } from './directory.ts';
import { newPersonId } from './person-id.ts';
import { toPerson } from './person-rows.ts';
import type { PersonRow, Tables } from './tables.ts';

/** Makes two people of one, as `People.split` says. */
export async function split(
  database: Database,
  clock: Clock,
  person: PersonId,
  subjects: readonly SubjectKey[],
  displayName: string,
): Promise<Person> {
  return database.transaction(async (trx) => {
    const kept = await heldStill(trx, person, database.engine === 'postgres');
    if (kept === undefined) throw new LatchgateError('not_found', 'there is no such person');
    if (kept.left_at !== null) throw wouldLetIn(kept);
    await assertTheirs(trx, person, subjects);
    const { id: _, ...rest } = kept;
    const now = clock.now();
    const row: PersonRow = {
      ...rest,
      id: newPersonId(now),
      display_name: displayName,
      email: null,
      created_at: now,
      last_seen_at: null,
    };
    await trx.insertInto('people').values(row).execute();
    for (const { issuer, subject } of subjects) {
      for (const table of ['subjects', 'assertions'] as const) {
        await trx
          .updateTable(table)
          .set({ person_id: row.id })
          .where('person_id', '=', person)
          .where('issuer', '=', issuer)
          .where('subject', '=', subject)
          .execute();
      }
    }
    // Of whom of the two something was withheld nobody can say: neither is given it. What is kept goes with the accounts.
    const withheld = await trx
      .selectFrom('pins')
      .selectAll()
      .where('person_id', '=', person)
      .where('effect', '=', 'withheld')
      .execute();
    for (const pin of withheld) {
      await trx
        .insertInto('pins')
        .values({ ...pin, person_id: row.id })
        .execute();
    }
    for (const id of [person, row.id]) {
      const standing = await standingOf(trx, id, kept, now);
      await trx.updateTable('people').set(standing).where('id', '=', id).execute();
      if (id === row.id) Object.assign(row, standing);
    }
    return toPerson(row);
  });
}

/**
 * The person's row. With `lock`, for transactions that run beside each other: what is said of the person waits until the end
 * of this one. First what is said and then the person, as whoever writes both does.
 */
export async function heldStill(trx: Kysely<Tables>, person: PersonId, lock: boolean): Promise<PersonRow | undefined> {
  if (lock) await trx.selectFrom('assertions').select('subject').where('person_id', '=', person).forUpdate().execute();
  return trx
    .selectFrom('people')
    .selectAll()
    .where('id', '=', person)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
}

/** Whom of the two the owner does not speak of would be in again. */
function wouldLetIn({ id, owner }: PersonRow): LatchgateError {
  return new LatchgateError(
    'usage',
    `${id} is out, and by this one of the two would be let in: latchgate users enable ${id} comes first, if that is meant; whom ${owner ?? 'the owner'} has let go is out again when they are two`,
  );
}

async function assertTheirs(trx: Kysely<Tables>, person: PersonId, subjects: readonly SubjectKey[]): Promise<void> {
  const theirs = await trx
    .selectFrom('subjects')
    .select(['issuer', 'subject'])
    .where('person_id', '=', person)
    .execute();
  const isTheirs = (key: SubjectKey) => theirs.some((one) => one.issuer === key.issuer && one.subject === key.subject);
  if (subjects.length === 0 || !subjects.every(isTheirs)) {
    throw new LatchgateError('not_found', 'they are not known by that subject any more');
  }
  if (theirs.length === subjects.length) {
    throw new LatchgateError('usage', 'nothing would be left by which the person is known');
  }
}

/** Whom the owner does not speak of any more nobody owns; that they have gone was said of the other one. */
async function standingOf(
  trx: Kysely<Tables>,
  id: PersonId,
  { owner, left_at }: PersonRow,
  now: number,
): Promise<Pick<PersonRow, 'owner' | 'left_at'>> {
  const said = await trx
    .selectFrom('assertions')
    .select('active')
    .where('person_id', '=', id)
    .where('origin', '=', owner ?? '')
    .execute();
  if (said.length === 0) return { owner: null, left_at: null };
  return { owner, left_at: said.some(({ active }) => active === 1) ? null : (left_at ?? now) };
}
