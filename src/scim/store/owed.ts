import type { Kysely } from 'kysely';
import type { Tables } from '../../directory/tables.ts';
import { foldCase } from '../protocol/filter.ts';
import { type Attributes, externalKeyOf } from './users.ts';

export type OwedTable = 'scim_users' | 'scim_groups';

/** Whether the client that made it has still to hear that it is there: it was told to try again. */
export async function setOwed(
  db: Kysely<Tables>,
  table: OwedTable,
  { client, id }: { readonly client: string; readonly id: string },
  isOwed: boolean,
): Promise<void> {
  await db
    .updateTable(table)
    .set({ owed: isOwed ? 1 : 0 })
    .where('client', '=', client)
    .where('id', '=', id)
    .execute();
}

/** Id of the user that a client makes once more, by the same `userName` and `externalId`, having been told to try again. */
export async function owedUser(
  db: Kysely<Tables>,
  client: string,
  { userName, externalId }: Attributes,
): Promise<string | undefined> {
  const external = externalKeyOf(externalId);
  const row = await db
    .selectFrom('scim_users')
    .select('id')
    .where('client', '=', client)
    .where('user_name', '=', foldCase(String(userName)))
    .where('external_id', external === null ? 'is' : '=', external)
    .where('owed', '=', 1)
    .executeTakeFirst();
  return row?.id;
}

/** The same of a group, by `displayName` and `externalId`. */
export async function owedGroup(
  db: Kysely<Tables>,
  client: string,
  { displayName, externalId }: Attributes,
): Promise<string | undefined> {
  const external = externalKeyOf(externalId);
  const row = await db
    .selectFrom('scim_groups')
    .select('id')
    .where('client', '=', client)
    .where('name_key', '=', foldCase(String(displayName)))
    .where('external_id', external === null ? 'is' : '=', external)
    .where('owed', '=', 1)
    .executeTakeFirst();
  return row?.id;
}
