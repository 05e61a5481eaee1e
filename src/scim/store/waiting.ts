import type { Kysely } from 'kysely';
import type { Tables } from '../../directory/tables.ts';

/** Below the number of parameters that any SQLite takes, with the codes. */
const IDS_AT_ONCE = 500;

/**
 * Of these users, those of whom the directory has not been told yet, or of whom something waits for a target by one of
 * these codes.
 */
export async function waitingAmong(
  db: Kysely<Tables>,
  client: string,
  ids: readonly string[],
  codes: readonly string[],
): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const part = ids.slice(from, from + IDS_AT_ONCE);
    const unsettled = await db
      .selectFrom('scim_users')
      .select('id')
      .where('client', '=', client)
      .where('id', 'in', part)
      .whereRef('pushed', '>', 'settled')
      .execute();
    const waiting = await db
      .selectFrom('scim_users')
      .innerJoin('subjects', (join) =>
        join.onRef('subjects.issuer', '=', 'scim_users.issuer').onRef('subjects.subject', '=', 'scim_users.subject'),
      )
      .innerJoin('retries', 'retries.person_id', 'subjects.person_id')
      .select('scim_users.id')
      .where('scim_users.client', '=', client)
      .where('scim_users.id', 'in', part)
      .where('retries.code', 'in', codes)
      .execute();
    for (const { id } of [...unsettled, ...waiting]) found.add(id);
  }
  return found;
}

/** Whether any user is waiting so, of all that the client has or has let go of. */
export async function isAnyWaiting(db: Kysely<Tables>, client: string, codes: readonly string[]): Promise<boolean> {
  const unsettled = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client)
    .whereRef('pushed', '>', 'settled')
    .limit(1)
    .executeTakeFirst();
  if (unsettled !== undefined) return true;
  const waiting = await db
    .selectFrom('retries')
    .innerJoin('assertions', 'assertions.person_id', 'retries.person_id')
    .select('retries.person_id')
    .where('assertions.origin', '=', client)
    .where('retries.code', 'in', codes)
    .limit(1)
    .executeTakeFirst();
  return waiting !== undefined;
}
