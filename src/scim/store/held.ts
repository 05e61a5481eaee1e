import type { Kysely } from 'kysely';
import type { Database } from '../../directory/database.ts';
import type { Tables } from '../../directory/tables.ts';
import type { PersonId } from '../../model/person.ts';
import { countUsers } from './users.ts';

/** `safety.stop_if.removals`. */
export interface Removals {
  readonly percent?: number;
  readonly people?: number;
}

/** Whose accounts wait for somebody's word before they are deleted. */
export interface HeldDeletion {
  readonly person: PersonId;
  readonly client: string;
  readonly at: Date;
}

/** What is counted together. */
const WINDOW_MS = 86_400_000;
/** Fewer people than this may always go. */
const FEWEST = 3;

/**
 * Notes that a client has let go of somebody, and says whether that is more within a day than the brake allows: then the
 * accounts are switched off, and not deleted before somebody approves.
 */
export async function noteDeletion(db: Kysely<Tables>, deletion: HeldDeletion, removals: Removals): Promise<boolean> {
  const { person, client } = deletion;
  const at = deletion.at.getTime();
  const lately = await db
    .selectFrom('scim_held')
    .select((select) => select.fn.countAll<number>().as('count'))
    .where('client', '=', client)
    .where('at', '>', at - WINDOW_MS)
    .where('person_id', '<>', person)
    .executeTakeFirstOrThrow();
  const gone = lately.count + 1;
  const isHeld = isAbove(gone, (await countUsers(db, client)).total + gone, removals);
  const row = { person_id: person, client, at, held: isHeld ? 1 : 0 };
  await db
    .insertInto('scim_held')
    .values(row)
    .onConflict((conflict) => conflict.column('person_id').doUpdateSet(row))
    .execute();
  return isHeld;
}

/** The person is back. */
export async function forgetDeletion(db: Kysely<Tables>, person: PersonId): Promise<void> {
  await db.deleteFrom('scim_held').where('person_id', '=', person).execute();
}

export async function isDeletionHeld(database: Database, person: PersonId): Promise<boolean> {
  const row = await database.run((db) =>
    db.selectFrom('scim_held').select('held').where('person_id', '=', person).executeTakeFirst(),
  );
  return row?.held === 1;
}

export async function heldDeletions(database: Database): Promise<readonly HeldDeletion[]> {
  const rows = await database.run((db) =>
    db.selectFrom('scim_held').selectAll().where('held', '=', 1).orderBy('at').orderBy('person_id').execute(),
  );
  return rows.map((row) => ({ person: row.person_id, client: row.client, at: new Date(row.at) }));
}

/** Returns whose accounts may be deleted now. */
export async function approveDeletions(database: Database, client: string): Promise<readonly PersonId[]> {
  const rows = await database.run((db) =>
    db
      .updateTable('scim_held')
      .set({ held: 0 })
      .where('client', '=', client)
      .where('held', '=', 1)
      .returning('person_id')
      .execute(),
  );
  return rows.map((row) => row.person_id);
}

function isAbove(count: number, of: number, { percent, people }: Removals): boolean {
  if (count < FEWEST) return false;
  return (percent !== undefined && count * 100 > percent * of) || (people !== undefined && count > people);
}
