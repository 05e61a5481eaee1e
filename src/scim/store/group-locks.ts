import type { Kysely } from 'kysely';
import type { Tables } from '../../directory/tables.ts';

/** Below the number of parameters that PostgreSQL takes. */
const IDS_AT_ONCE = 500;

/**
 * Locks those of these ids that are groups, and the groups in them, until the end of the transaction. Who is in a group by
 * another one follows from several rows: of two that change them at once, the second has to see what the first did. Needed
 * where transactions run beside each other.
 */
export async function lockGroupsWithin(db: Kysely<Tables>, client: string, ids: readonly string[]): Promise<void> {
  const seen = new Set<string>();
  for (let next = [...ids]; next.length > 0; ) {
    const groups = await locked(db, client, next);
    for (const id of groups) seen.add(id);
    next = (await directlyWithin(db, client, groups)).filter((id) => !seen.has(id));
  }
}

/**
 * Locks the groups that a user or group is in. A change of members has its group before the members: who takes all their
 * memberships along has to have the groups first, too, or the two lock each other out.
 */
export async function lockGroupsOf(db: Kysely<Tables>, client: string, member: string): Promise<void> {
  const rows = await db
    .selectFrom('scim_members')
    .select('group_id')
    .where('client', '=', client)
    .where('member_id', '=', member)
    .execute();
  await locked(
    db,
    client,
    rows.map(({ group_id: id }) => id),
  );
}

async function locked(db: Kysely<Tables>, client: string, ids: readonly string[]): Promise<readonly string[]> {
  // In one order, so that two at once wait for each other and do not lock each other out.
  const sorted = [...ids].sort();
  const found: string[] = [];
  for (let from = 0; from < sorted.length; from += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('scim_groups')
      .select('id')
      .where('client', '=', client)
      .where('id', 'in', sorted.slice(from, from + IDS_AT_ONCE))
      .orderBy('id')
      .forUpdate()
      .execute();
    for (const { id } of rows) found.push(id);
  }
  return found;
}

async function directlyWithin(
  db: Kysely<Tables>,
  client: string,
  groups: readonly string[],
): Promise<readonly string[]> {
  const found = new Set<string>();
  for (let from = 0; from < groups.length; from += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('scim_members')
      .select('member_id')
      .distinct()
      .where('client', '=', client)
      .where('group_id', 'in', groups.slice(from, from + IDS_AT_ONCE))
      .where('kind', '=', 'Group')
      .execute();
    for (const { member_id: id } of rows) found.add(id);
  }
  return [...found];
}
