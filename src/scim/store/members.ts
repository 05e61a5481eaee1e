import type { Kysely } from 'kysely';
import { prepared } from '../../directory/prepared.ts';
import type { Tables } from '../../directory/tables.ts';

/** Of one group of one client. */
export interface Member {
  readonly id: string;
  readonly kind: 'User' | 'Group';
}

/** A group that somebody is in. */
export interface GroupOf {
  readonly id: string;
  readonly name: string;
  readonly renamed: boolean;
  readonly type: 'direct' | 'indirect';
}

/** Below the number of parameters that any SQLite takes, with the other columns of a row. */
const ROWS_AT_ONCE = 200;
const IDS_AT_ONCE = 500;

/** Those that are members already stay as they are. Returns the ids of those that were not. */
export async function addMembers(
  db: Kysely<Tables>,
  client: string,
  group: string,
  members: readonly Member[],
): Promise<readonly string[]> {
  const added: string[] = [];
  for (let from = 0; from < members.length; from += ROWS_AT_ONCE) {
    const rows = await db
      .insertInto('scim_members')
      .values(
        members
          .slice(from, from + ROWS_AT_ONCE)
          .map(({ id, kind }) => ({ client, group_id: group, member_id: id, kind })),
      )
      .onConflict((conflict) => conflict.columns(['client', 'group_id', 'member_id']).doNothing())
      .returning('member_id')
      .execute();
    for (const row of rows) added.push(row.member_id);
  }
  return added;
}

/** Returns the ids of those that were members. */
export async function dropMembers(
  db: Kysely<Tables>,
  client: string,
  group: string,
  ids: readonly string[],
): Promise<readonly string[]> {
  const dropped: string[] = [];
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const rows = await db
      .deleteFrom('scim_members')
      .where('client', '=', client)
      .where('group_id', '=', group)
      .where('member_id', 'in', ids.slice(from, from + IDS_AT_ONCE))
      .returning('member_id')
      .execute();
    for (const row of rows) dropped.push(row.member_id);
  }
  return dropped;
}

/** Of somebody who is gone. The groups have a new version then. */
export async function dropMembershipsOf(
  db: Kysely<Tables>,
  client: string,
  member: string,
  now: number,
): Promise<void> {
  const rows = await db
    .deleteFrom('scim_members')
    .where('client', '=', client)
    .where('member_id', '=', member)
    .returning('group_id')
    .execute();
  if (rows.length === 0) return;
  await db
    .updateTable('scim_groups')
    .set((set) => ({ version: set('version', '+', 1), modified_at: now }))
    .where('client', '=', client)
    .where(
      'id',
      'in',
      rows.map(({ group_id: id }) => id),
    )
    .execute();
}

export async function membersOf(db: Kysely<Tables>, client: string, group: string): Promise<readonly Member[]> {
  const rows = await db
    .selectFrom('scim_members')
    .select(['member_id', 'kind'])
    .where('client', '=', client)
    .where('group_id', '=', group)
    .orderBy('member_id')
    .execute();
  return rows.map(({ member_id, kind }) => ({ id: member_id, kind }));
}

/** The same, those whose ids come after `after`, and no more than `limit`. */
export async function membersAfter(
  db: Kysely<Tables>,
  client: string,
  group: string,
  after: string,
  limit: number,
): Promise<readonly Member[]> {
  const rows = await db
    .selectFrom('scim_members')
    .select(['member_id', 'kind'])
    .where('client', '=', client)
    .where('group_id', '=', group)
    .where('member_id', '>', after)
    .orderBy('member_id')
    .limit(limit)
    .execute();
  return rows.map(({ member_id, kind }) => ({ id: member_id, kind }));
}

/** Of these, the ones that are members. */
export async function membersAmong(
  db: Kysely<Tables>,
  client: string,
  group: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, Member['kind']>> {
  const found = new Map<string, Member['kind']>();
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const rows = await db
      .selectFrom('scim_members')
      .select(['member_id', 'kind'])
      .where('client', '=', client)
      .where('group_id', '=', group)
      .where('member_id', 'in', ids.slice(from, from + IDS_AT_ONCE))
      .execute();
    for (const { member_id: id, kind } of rows) found.set(id, kind);
  }
  return found;
}

/** Users in these groups and in the groups in them. A group that is in itself is no end. */
export async function usersWithin(
  db: Kysely<Tables>,
  client: string,
  groups: readonly string[],
): Promise<readonly string[]> {
  const users = new Set<string>();
  const seen = new Set(groups);
  for (let next = [...groups]; next.length > 0; ) {
    const inner: string[] = [];
    for (const group of next) {
      for (const { id, kind } of await membersOf(db, client, group)) {
        if (kind === 'User') users.add(id);
        else if (!seen.has(id)) {
          seen.add(id);
          inner.push(id);
        }
      }
    }
    next = inner;
  }
  return [...users];
}

/** The groups that each of these is in, directly and by a group that is in another (RFC 7643 §4.1.2). */
export async function groupsOf(
  db: Kysely<Tables>,
  client: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly GroupOf[]>> {
  const above = new Map<string, readonly GroupOf[]>();
  for (let next = [...ids]; next.length > 0; ) {
    const found = await directlyAbove(db, client, next);
    for (const id of next) above.set(id, found.get(id) ?? []);
    next = [...new Set([...found.values()].flat().map(({ id }) => id))].filter((id) => !above.has(id));
  }
  return new Map(ids.map((id) => [id, climb(id, above)]));
}

function climb(id: string, above: ReadonlyMap<string, readonly GroupOf[]>): readonly GroupOf[] {
  const found = new Map<string, GroupOf>();
  for (const group of above.get(id) ?? []) found.set(group.id, group);
  const waiting = [...found.keys()];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    for (const group of above.get(at) ?? []) {
      if (found.has(group.id)) continue;
      found.set(group.id, { ...group, type: 'indirect' });
      waiting.push(group.id);
    }
  }
  return [...found.values()];
}

const groupsOfSome = (db: Kysely<Tables>, client: string, ids: readonly string[]) =>
  db
    .selectFrom('scim_members')
    .innerJoin('scim_groups', (join) =>
      join
        .onRef('scim_groups.client', '=', 'scim_members.client')
        .onRef('scim_groups.id', '=', 'scim_members.group_id'),
    )
    .select(['scim_members.member_id', 'scim_groups.id', 'scim_groups.display_name', 'scim_groups.renamed'])
    .where('scim_members.client', '=', client)
    .where('scim_members.member_id', 'in', ids)
    .orderBy('scim_groups.id');

const groupsOfOne = prepared((db, client: string, id: string) => groupsOfSome(db, client, [id]));

async function directlyAbove(
  db: Kysely<Tables>,
  client: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, readonly GroupOf[]>> {
  const found = new Map<string, GroupOf[]>();
  for (let from = 0; from < ids.length; from += IDS_AT_ONCE) {
    const some = ids.slice(from, from + IDS_AT_ONCE);
    const [first = ''] = some;
    const rows =
      some.length === 1 ? (await groupsOfOne(db, client, first)).rows : await groupsOfSome(db, client, some).execute();
    for (const { member_id: member, id, display_name: name, renamed } of rows) {
      const group: GroupOf = { id, name, renamed: renamed === 1, type: 'direct' };
      const known = found.get(member);
      if (known === undefined) found.set(member, [group]);
      else known.push(group);
    }
  }
  return found;
}
