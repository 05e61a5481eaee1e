import { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Database } from './database.ts';
import type { Person } from './directory.ts';
import { toPerson } from './person-rows.ts';
import { heldStill } from './split.ts';
import type { PersonRow } from './tables.ts';

/** Makes one person of two, as `People.absorb` says. */
export async function absorb(database: Database, person: PersonId, other: PersonId): Promise<Person> {
  return database.transaction(async (trx) => {
    const rowOf = (id: PersonId) => heldStill(trx, id, database.engine === 'postgres');
    const [kept, gone] = [await rowOf(person), await rowOf(other)];
    if (kept === undefined || gone === undefined || person === other) {
      throw new LatchgateError('not_found', 'there are no two such people');
    }
    if (isOut(gone) && !isOut(kept)) throw wouldLetIn(kept, gone);
    for (const table of ['accounts', 'grants'] as const) {
      const own = await trx.selectFrom(table).select('target').where('person_id', '=', other).executeTakeFirst();
      if (own !== undefined) throw new LatchgateError('account_taken', 'the other one has an account of their own');
    }
    for (const table of ['subjects', 'assertions'] as const) {
      await trx.updateTable(table).set({ person_id: person }).where('person_id', '=', other).execute();
    }
    const owner = kept.owner ?? gone.owner;
    const listed = await trx
      .selectFrom('assertions')
      .select('subject')
      .where('person_id', '=', person)
      .where('origin', '=', owner ?? '')
      .where('active', '=', 1)
      .limit(1)
      .executeTakeFirst();
    const row = { ...kept, owner, left_at: listed === undefined ? kept.left_at : null };
    await trx.updateTable('people').set({ owner, left_at: row.left_at }).where('id', '=', person).execute();
    // What was decided about the one counts for both; of two decisions about the same what is withheld, else that of the one who is kept.
    const own = await trx
      .selectFrom('pins')
      .select(['target', 'key', 'effect'])
      .where('person_id', '=', person)
      .execute();
    const stricter = await trx
      .selectFrom('pins')
      .select(['target', 'key'])
      .where('person_id', '=', other)
      .where('effect', '=', 'withheld')
      .execute();
    for (const { target, key, effect } of own) {
      const yields = effect === 'kept' && stricter.some((pin) => pin.target === target && pin.key === key);
      await trx
        .deleteFrom('pins')
        .where('person_id', '=', yields ? person : other)
        .where('target', '=', target)
        .where('key', '=', key)
        .execute();
    }
    await trx.updateTable('pins').set({ person_id: person }).where('person_id', '=', other).execute();
    for (const table of ['retries', 'scim_held'] as const) {
      await trx.deleteFrom(table).where('person_id', '=', other).execute();
    }
    await trx.deleteFrom('people').where('id', '=', other).execute();
    return toPerson(row);
  });
}

function isOut({ disabled, left_at }: PersonRow): boolean {
  return disabled === 1 || left_at !== null;
}

function wouldLetIn({ id }: PersonRow, gone: PersonRow): LatchgateError {
  return new LatchgateError(
    'usage',
    `${gone.id} is out, and by this would be let in as ${id}: latchgate users link ${gone.id} ${id} keeps them out, latchgate users enable ${gone.id} lets in whom an operator disabled`,
  );
}
