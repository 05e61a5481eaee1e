import type { Kysely } from 'kysely';
import type { Tables } from '../directory/tables.ts';
import { ScimError } from './protocol/error.ts';
import { compileFilter } from './protocol/evaluate.ts';
import type { MembersChange, Member as NamedMember } from './protocol/members.ts';
import type { Pushed, Writing } from './push.ts';
import { lockGroupsWithin } from './store/group-locks.ts';
import { groupsAmong } from './store/groups.ts';
import { addMembers, dropMembers, type Member, membersAmong, membersOf, usersWithin } from './store/members.ts';
import { lockUsers } from './store/user-locks.ts';
import { displaysOf, touchUsers } from './store/users.ts';

export interface MembersEffect {
  readonly added: number;
  readonly removed: number;
  /** Users who are in the group now and were not, or the other way round, by a group in it too. */
  readonly users: readonly string[];
}

export const NO_EFFECT: MembersEffect = { added: 0, removed: 0, users: [] };

/**
 * Changes who is in a group, and marks the users whom it concerns. What is asked for costs, not how large the group is.
 * `also`: users who are going to be marked beside them. Throws `scim_value_invalid` for a member that is nobody of this
 * client's.
 */
export async function changeMembers(
  { db, lock }: Pick<Writing, 'db' | 'lock'>,
  client: string,
  group: string,
  change: MembersChange,
  also: readonly string[] = [],
): Promise<MembersEffect> {
  const leaving = await toRemove(db, client, group, change);
  const present = change.replaceAll ? undefined : await membersAmong(db, client, group, [...change.add.keys()]);
  const adding = [...change.add.values()].filter(
    ({ value }) => !(leaving.present.has(value) || present?.has(value) === true),
  );
  if (lock) await lockConcerned(db, client, { leaving: leaving.going, adding: adding.map(({ value }) => value), also });
  const entering = await known(db, client, adding);
  const removed = await dropMembers(db, client, group, [...leaving.going.keys()]);
  const added = await addMembers(db, client, group, entering);
  if (removed.length + added.length === 0) return NO_EFFECT;
  const kinds = new Map([...leaving.going, ...entering.map(({ id, kind }) => [id, kind] as const)]);
  const changed = [...removed, ...added];
  const users = changed.filter((id) => kinds.get(id) !== 'Group');
  const groups = changed.filter((id) => kinds.get(id) === 'Group');
  const inner = groups.length === 0 ? [] : await usersWithin(db, client, groups);
  // Those who come were marked when they were found.
  const marked = new Set(added);
  await touchUsers(
    db,
    client,
    [...new Set([...users, ...inner])].filter((id) => !marked.has(id)),
  );
  return { added: added.length, removed: removed.length, users: [...new Set([...users, ...inner])] };
}

/** Groups first, then all users at once. */
async function lockConcerned(
  db: Kysely<Tables>,
  client: string,
  { leaving, adding, also }: { leaving: Leaving['going']; adding: readonly string[]; also: readonly string[] },
): Promise<void> {
  const leavingGroups = [...leaving].flatMap(([id, kind]) => (kind === 'Group' ? id : []));
  await lockGroupsWithin(db, client, [...leavingGroups, ...adding]);
  const groups = [...leavingGroups, ...(await groupsAmong(db, client, adding))];
  const inner = groups.length === 0 ? [] : await usersWithin(db, client, groups);
  await lockUsers(db, client, [...leaving.keys(), ...adding, ...inner, ...also]);
}

/** Everybody who is in the group by now, directly or by a group in it; these groups are locked, the users are not. */
export async function lockWithin(db: Kysely<Tables>, client: string, group: string): Promise<readonly string[]> {
  await lockGroupsWithin(db, client, [group]);
  return usersWithin(db, client, [group]);
}

/** Everybody who is in the group, and who left it. All are marked. */
export async function withinChanged(
  db: Kysely<Tables>,
  client: string,
  group: string,
  { users }: MembersEffect,
): Promise<readonly string[]> {
  const within = await usersWithin(db, client, [group]);
  const marked = new Set(users);
  await touchUsers(
    db,
    client,
    within.filter((id) => !marked.has(id)),
  );
  return [...new Set([...within, ...users])];
}

/** Of whom a change speaks that changes nothing. */
export async function namedBy(
  db: Kysely<Tables>,
  client: string,
  group: string,
  change: MembersChange | undefined,
): Promise<Pick<Pushed<unknown>, 'repeats' | 'repeatsAny'>> {
  if (change === undefined) return { repeats: await usersWithin(db, client, [group]) };
  if (change.replaceAll || change.removeWhere.length > 0) return { repeatsAny: true };
  const ids = [...change.add.keys(), ...change.remove];
  const inner = await usersWithin(db, client, [...(await groupsAmong(db, client, ids))]);
  return { repeats: [...new Set([...ids, ...inner])] };
}

interface Leaving {
  /** Who goes, by id. */
  readonly going: ReadonlyMap<string, Member['kind']>;
  /** Who is there and stays, as far as it was looked at. */
  readonly present: ReadonlySet<string>;
}

async function toRemove(
  db: Kysely<Tables>,
  client: string,
  group: string,
  { replaceAll, removeWhere, remove, add }: MembersChange,
): Promise<Leaving> {
  if (!replaceAll && removeWhere.length === 0) {
    // Of one who is no member nothing is removed; whether it is a user or a group only matters for who is.
    const there = await membersAmong(db, client, group, [...remove]);
    return { going: there, present: new Set() };
  }
  const all = await membersOf(db, client, group);
  const displays =
    removeWhere.length === 0
      ? undefined
      : await displaysOf(
          db,
          client,
          all.map(({ id }) => id),
        );
  const tests = removeWhere.map(compileFilter);
  const isGoing = ({ id, kind }: Member): boolean => {
    if (replaceAll) return !add.has(id);
    if (remove.has(id)) return true;
    const display = displays?.get(id);
    const value = { value: id, type: kind, ...(display === undefined ? {} : { display }) };
    return !add.has(id) && tests.some((fits) => fits(value));
  };
  const going = all.filter(isGoing);
  const gone = new Set(going.map(({ id }) => id));
  return {
    going: new Map(going.map(({ id, kind }) => [id, kind])),
    present: new Set(all.flatMap(({ id }) => (gone.has(id) ? [] : [id]))),
  };
}

/** What these are. Users among them are marked. Throws when one is nothing of this client's. */
async function known(db: Kysely<Tables>, client: string, members: readonly NamedMember[]): Promise<readonly Member[]> {
  const ids = members.map(({ value }) => value);
  const users = await touchUsers(db, client, ids);
  const others = ids.filter((id) => !users.has(id));
  const groups = others.length === 0 ? new Set<string>() : await groupsAmong(db, client, others);
  const unknown = others.filter((id) => !groups.has(id)).length;
  if (unknown > 0) {
    const what = unknown === 1 ? 'one value is' : `${unknown} values are`;
    throw new ScimError('scim_value_invalid', `members: ${what} the id of no user and no group`);
  }
  return ids.map((id) => ({ id, kind: users.has(id) ? 'User' : 'Group' }));
}
