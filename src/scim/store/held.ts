import type { Kysely } from 'kysely';
import type { Database } from '../../directory/database.ts';
import type { Tables } from '../../directory/tables.ts';
import type { PersonId } from '../../model/person.ts';

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
 * accounts are switched off, and not deleted before somebody approves. Those who came back meanwhile count, too: their
 * accounts were deleted.
 */
export async function noteDeletion(db: Kysely<Tables>, deletion: HeldDeletion, removals: Removals): Promise<boolean> {
  const { person, client } = deletion;
  const at = deletion.at.getTime();
  // Changes nothing: where transactions run beside each other, the next one waits here and counts this one.
  await db
    .updateTable('scim_counts')
    .set((set) => ({ changes: set.ref('changes') }))
    .where('client', '=', client)
    .execute();
  await db
    .deleteFrom('scim_held')
    .where('client', '=', client)
    .where('at', '<=', at - WINDOW_MS)
    .where('held', '=', 0)
    .execute();
  const lately = await db
    .selectFrom('scim_held')
    .leftJoin('people', 'people.id', 'scim_held.person_id')
    .select(({ fn }) => [fn.countAll<number>().as('all'), fn.count<number>('people.left_at').as('out')])
    .where('client', '=', client)
    .where('at', '>', at - WINDOW_MS)
    .where('person_id', '<>', person)
    .executeTakeFirstOrThrow();
  const isHeld = await isAbove(db, client, { gone: lately.all + 1, out: lately.out + 1 }, removals);
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
  await db.updateTable('scim_held').set({ held: 0 }).where('person_id', '=', person).execute();
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

/** `out`: of those who went within a day, those who have not come back. */
async function isAbove(
  db: Kysely<Tables>,
  client: string,
  { gone, out }: { readonly gone: number; readonly out: number },
  { percent, people }: Removals,
): Promise<boolean> {
  // Whoever says that none may go means one and two as well.
  if (percent === 0 || people === 0) return true;
  if (gone < FEWEST) return false;
  if (people !== undefined && gone > people) return true;
  if (percent === undefined) return false;
  // Of so many that are there or went, no more may go. Users who are switched off for years are not there.
  const enough = Math.ceil((gone * 100) / percent) - out;
  return !(await areActive(db, client, enough));
}

/** Whether a client has so many users who are switched on. Looks at no more of them. */
async function areActive(db: Kysely<Tables>, client: string, users: number): Promise<boolean> {
  if (users <= 0) return true;
  const last = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client)
    .where('active', '=', 1)
    .limit(1)
    .offset(users - 1)
    .executeTakeFirst();
  return last !== undefined;
}
