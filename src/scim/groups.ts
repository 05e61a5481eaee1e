import { isTakenKey } from '../directory/failure.ts';
import { LatchgateError } from '../model/errors.ts';
import { changedAttributes, droppedTexts } from './effect.ts';
import { changeMembers, lockWithin, type MembersEffect, NO_EFFECT, namedBy, withinChanged } from './membership.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { readBody } from './protocol/body.ts';
import { ScimError } from './protocol/error.ts';
import type { Member, MembersChange } from './protocol/members.ts';
import { applyPatch } from './protocol/patch.ts';
import type { Dropped } from './protocol/report.ts';
import { groupType } from './protocol/resource-types.ts';
import { assertVersion, isTold, type Push, type Pushed } from './push.ts';
import { lockGroupsOf, lockGroupsWithin } from './store/group-locks.ts';
import { groupById, insertGroup, removeGroup, replaceGroup, type StoredGroup } from './store/groups.ts';
import { usersWithin } from './store/members.ts';
import { owedGroup } from './store/owed.ts';
import { newResourceId } from './store/resource-id.ts';
import { lockUsers } from './store/user-locks.ts';
import { touchUsers } from './store/users.ts';

/** Groups as their client makes, replaces, changes and deletes them (RFC 7644 §3.3, §3.5, §3.6). All throw ScimError. */
export async function createGroup(push: Push, json: unknown): Promise<Pushed<StoredGroup>> {
  const { attributes, members, dropped } = readBody(groupType, json);
  const client = push.client.name;
  const owed = isTold(push) ? await push.read((db) => owedGroup(db, client, attributes)) : undefined;
  if (owed !== undefined) {
    const change = wholly(members ?? []);
    const made = await changeGroup(push, owed, 'replaced', () => ({ attributes, members: change, dropped }));
    return { ...made, isOwed: true };
  }
  const now = push.now();
  const base = { client, id: newResourceId(now), createdAt: now, modifiedAt: now, version: 1, renamed: false };
  const group = { ...base, attributes };
  return taken(() =>
    push.write(async (writing) => {
      const { db, note } = writing;
      await insertGroup(db, group);
      const effect = await changeMembers(writing, client, group.id, wholly(members ?? []));
      const { displayName } = attributes;
      note({
        event: 'scim.group.created',
        key: group.id,
        after: { displayName, ...shown(effect) },
        ...droppedTexts(dropped),
      });
      return { resource: group, users: effect.users };
    }),
  );
}

export async function replaceGroupBy(push: Push, id: string, json: unknown): Promise<Pushed<StoredGroup>> {
  const { attributes, members, dropped } = readBody(groupType, json);
  const change = members === undefined ? undefined : wholly(members);
  return changeGroup(push, id, 'replaced', () => ({ attributes, members: change, dropped }));
}

export async function patchGroup(push: Push, id: string, json: unknown): Promise<Pushed<StoredGroup>> {
  return changeGroup(push, id, 'changed', (before) => applyPatch(groupType, before.attributes as ScimObject, json));
}

export async function deleteGroup(push: Push, id: string): Promise<Pushed<StoredGroup>> {
  return push.write(async ({ db, note, lock }) => {
    const client = push.client.name;
    if (lock) await lockGroupsOf(db, client, id);
    const before = await groupById(db, client, id, lock);
    if (before === undefined) throw unknown();
    assertVersion(push, before.version);
    if (lock) await lockGroupsWithin(db, client, [id]);
    const users = await usersWithin(db, client, [id]);
    if (lock) await lockUsers(db, client, users);
    await touchUsers(db, client, users);
    if (!(await removeGroup(db, before, push.now()))) throw changedMeanwhile();
    const { displayName } = before.attributes;
    note({ event: 'scim.group.deleted', key: id, before: { displayName, users: users.length } });
    return { resource: before, users };
  });
}

type Work = (before: StoredGroup) => {
  readonly attributes: ScimObject;
  readonly members: MembersChange | undefined;
  readonly dropped: readonly Dropped[];
};

function changeGroup(push: Push, id: string, event: string, work: Work): Promise<Pushed<StoredGroup>> {
  return taken(() =>
    push.write(async (writing) => {
      const { db, note, lock } = writing;
      const client = push.client.name;
      const before = await groupById(db, client, id, lock);
      if (before === undefined) throw unknown();
      assertVersion(push, before.version);
      const { attributes, members, dropped } = work(before);
      const difference = changedAttributes(before.attributes, attributes);
      const isRenamed = attributes['displayName'] !== before.attributes['displayName'];
      const within = lock && isRenamed ? await lockWithin(db, client, id) : [];
      if (lock && members === undefined) await lockUsers(db, client, within);
      const effect = members === undefined ? NO_EFFECT : await changeMembers(writing, client, id, members, within);
      if (difference === undefined && effect.added + effect.removed === 0) {
        if (dropped.length > 0) note({ event: 'scim.group.unchanged', key: id, ...droppedTexts(dropped) });
        const repeats = isTold(push) ? await namedBy(db, client, id, members) : {};
        return { resource: before, users: [], ...repeats };
      }
      const modifiedAt = Math.max(push.now(), before.modifiedAt);
      const after = {
        ...before,
        attributes,
        modifiedAt,
        version: before.version + 1,
        renamed: before.renamed || isRenamed,
      };
      if (!(await replaceGroup(db, after, before.version))) throw changedMeanwhile();
      // A group of another name is another group to the rules, for everybody who is in it.
      const users = isRenamed ? await withinChanged(db, client, id, effect) : effect.users;
      note({
        event: `scim.group.${event}`,
        key: id,
        before: difference?.before ?? {},
        after: { ...difference?.after, ...shown(effect) },
        ...droppedTexts(dropped),
      });
      return { resource: after, users };
    }),
  );
}

/** These members, and no others. */
function wholly(members: readonly Member[]): MembersChange {
  const add = new Map(members.map((member) => [member.value, member]));
  return { replaceAll: true, removeWhere: [], remove: new Set(), add };
}

function shown({ added, removed }: MembersEffect): { membersAdded?: number; membersRemoved?: number } {
  return { ...(added > 0 ? { membersAdded: added } : {}), ...(removed > 0 ? { membersRemoved: removed } : {}) };
}

/** Unique keys are the database's: two at once cannot get past them. */
async function taken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (!isTakenKey(thrown, 'scim_groups', 'scim_groups_name', ['client', 'name_key'])) throw thrown;
    throw new ScimError('scim_taken', 'another group has this displayName');
  }
}

function unknown(): LatchgateError {
  return new LatchgateError('not_found', 'there is no such group');
}

/** On PostgreSQL the row is locked, and on SQLite the database: it cannot be. */
function changedMeanwhile(): LatchgateError {
  return new LatchgateError('internal', 'a locked group was changed');
}
