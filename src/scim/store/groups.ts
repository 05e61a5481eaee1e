import type { Kysely } from 'kysely';
import type { ScimGroupRow, Tables } from '../../directory/tables.ts';
import { foldCase } from '../protocol/filter.ts';
import { dropMembershipsOf } from './members.ts';
import { type Attributes, externalKeyOf } from './users.ts';

export interface StoredGroup {
  readonly client: string;
  readonly id: string;
  readonly createdAt: number;
  readonly modifiedAt: number;
  readonly version: number;
  /** Whether it was made by another name. */
  readonly renamed: boolean;
  /** Without `members`. */
  readonly attributes: Attributes;
}

/** Below the number of parameters that any SQLite takes. */
const IDS_AT_ONCE = 500;

/** The rows of groups. */
export async function insertGroup(db: Kysely<Tables>, group: StoredGroup): Promise<void> {
  const { client, id, createdAt, modifiedAt, version } = group;
  await db
    .insertInto('scim_groups')
    .values({ client, id, ...columnsOf(group), created_at: createdAt, modified_at: modifiedAt, version, owed: 0 })
    .execute();
}

/** Writes only over this version. Says whether it did. */
export async function replaceGroup(db: Kysely<Tables>, group: StoredGroup, before: number): Promise<boolean> {
  const { client, id, modifiedAt, version } = group;
  const written = await db
    .updateTable('scim_groups')
    .set({ ...columnsOf(group), modified_at: modifiedAt, version, owed: 0 })
    .where('client', '=', client)
    .where('id', '=', id)
    .where('version', '=', before)
    .executeTakeFirst();
  return written.numUpdatedRows === 1n;
}

/** Takes the memberships along, its own in other groups too. Says whether it was there in that version. */
export async function removeGroup(
  db: Kysely<Tables>,
  { client, id, version }: StoredGroup,
  now: number,
): Promise<boolean> {
  const written = await db
    .deleteFrom('scim_groups')
    .where('client', '=', client)
    .where('id', '=', id)
    .where('version', '=', version)
    .executeTakeFirst();
  if (written.numDeletedRows === 0n) return false;
  await db.deleteFrom('scim_members').where('client', '=', client).where('group_id', '=', id).execute();
  await dropMembershipsOf(db, client, id, now);
  return true;
}

/** `lock`: until the end of the transaction nobody else may change it. SQLite has no other transaction meanwhile. */
export async function groupById(
  db: Kysely<Tables>,
  client: string,
  id: string,
  lock = false,
): Promise<StoredGroup | undefined> {
  const row = await db
    .selectFrom('scim_groups')
    .selectAll()
    .where('client', '=', client)
    .where('id', '=', id)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
  return row && toGroup(row);
}

export function toGroup(row: ScimGroupRow): StoredGroup {
  return {
    client: row.client,
    id: row.id,
    createdAt: row.created_at,
    modifiedAt: row.modified_at,
    version: row.version,
    renamed: row.renamed === 1,
    attributes: JSON.parse(row.body) as Attributes,
  };
}

/** Which of these there are. */
export async function groupsAmong(db: Kysely<Tables>, client: string, ids: readonly string[]): Promise<Set<string>> {
  const found = new Set<string>();
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('scim_groups')
      .select('id')
      .where('client', '=', client)
      .where('id', 'in', ids.slice(from, from + IDS_AT_ONCE))
      .execute();
    for (const { id } of rows) found.add(id);
  }
  return found;
}

type Said = Pick<ScimGroupRow, 'display_name' | 'name_key' | 'external_id' | 'renamed' | 'body'>;

function columnsOf({ attributes, renamed }: StoredGroup): Said {
  const { displayName, externalId } = attributes;
  return {
    display_name: String(displayName),
    name_key: foldCase(String(displayName)),
    external_id: externalKeyOf(externalId),
    renamed: renamed ? 1 : 0,
    body: JSON.stringify(attributes),
  };
}
