import { isDeepStrictEqual } from 'node:util';
import { isTakenKey } from '../directory/failure.ts';
import { LatchgateError } from '../model/errors.ts';
import { subjectOf } from './client.ts';
import { changedAttributes, droppedTexts } from './effect.ts';
import type { ScimObject } from './protocol/attribute.ts';
import { readBody } from './protocol/body.ts';
import { ScimError } from './protocol/error.ts';
import { applyPatch, switchedOffBy } from './protocol/patch.ts';
import type { Dropped } from './protocol/report.ts';
import { userType } from './protocol/resource-types.ts';
import { assertVersion, isTold, type Push, type Pushed } from './push.ts';
import { lockGroupsOf } from './store/group-locks.ts';
import { dropMembershipsOf } from './store/members.ts';
import { owedUser } from './store/owed.ts';
import { newResourceId } from './store/resource-id.ts';
import { type Attributes, insertUser, removeUser, replaceUser, type StoredUser, userById } from './store/users.ts';

/** Users as their client makes, replaces, changes and deletes them (RFC 7644 §3.3, §3.5, §3.6). All throw ScimError. */
export async function createUser(push: Push, json: unknown): Promise<Pushed<StoredUser>> {
  const { attributes, dropped } = readBody(userType, json);
  const client = push.client.name;
  const owed = isTold(push) ? await push.read((db) => owedUser(db, client, attributes)) : undefined;
  if (owed !== undefined) {
    // All of it once more: what is left out of it was never said.
    const made = await change(push, owed, 'replaced', () => ({ attributes, dropped }));
    return { ...made, isOwed: true };
  }
  const id = newResourceId(push.now());
  const foreseen = await push.beforeUser?.({ id, attributes, isNew: true });
  const now = push.now();
  const user = { client, id, createdAt: now, modifiedAt: now, version: 1, attributes };
  return taken(() =>
    push.write(async ({ db, note, tells }) => {
      const told = tells ? subjectOf(push.client, user.id, attributes['externalId']) : undefined;
      const row = await insertUser(db, user, told);
      const { userName, externalId, active } = attributes;
      note({
        event: 'scim.user.created',
        key: user.id,
        after: { userName, externalId, active },
        ...droppedTexts(dropped),
      });
      return { resource: user, users: [user.id], ...(tells ? { made: { row, attributes, foreseen } } : {}) };
    }),
  );
}

export async function replaceUserBy(push: Push, id: string, json: unknown): Promise<Pushed<StoredUser>> {
  const whole = read(json);
  return change(push, id, 'replaced', (before) => {
    if ('attributes' in whole) return { ...whole, attributes: { ...unsaid(before, json), ...whole.attributes } };
    // Who leaves has to be out, as by a PATCH.
    const away = switchedOffBy(userType, before.attributes, json, whole.refusal);
    if (away === undefined) throw whole.refusal;
    return away;
  });
}

function read(json: unknown): ReturnType<Change> | { readonly refusal: unknown } {
  try {
    const { attributes, dropped } = readBody(userType, json);
    return { attributes, dropped };
  } catch (refusal) {
    return { refusal };
  }
}

/**
 * RFC 7644 §3.5.1 lets us keep what a PUT does not say. A client that leaves these out to change a name means nobody else
 * by it, and brings nobody back. Only a null takes `externalId` away.
 */
function unsaid({ attributes: { active, externalId } }: StoredUser, json: unknown): ScimObject {
  const isTaken = Object.entries(json as object).some(
    ([name, value]) => value === null && name.toLowerCase() === 'externalid',
  );
  return {
    ...(active === undefined ? {} : { active: active as boolean }),
    ...(isTaken || externalId === undefined ? {} : { externalId: externalId as string }),
  };
}

export async function patchUser(push: Push, id: string, json: unknown): Promise<Pushed<StoredUser>> {
  return change(push, id, 'changed', (before) => applyPatch(userType, before.attributes as ScimObject, json));
}

/** The memberships go too. */
export async function deleteUser(push: Push, id: string): Promise<Pushed<StoredUser>> {
  return push.write(async ({ db, note, lock }) => {
    const client = push.client.name;
    if (lock) await lockGroupsOf(db, client, id);
    const before = await userById(db, client, id, lock);
    if (before === undefined) throw unknown();
    assertVersion(push, before.version);
    if (!(await removeUser(db, before))) throw changedMeanwhile();
    await dropMembershipsOf(db, client, id, push.now());
    const { userName, externalId } = before.attributes;
    note({ event: 'scim.user.deleted', key: id, before: { userName, externalId } });
    return { resource: before, users: [id] };
  });
}

type Change = (before: StoredUser) => { readonly attributes: ScimObject; readonly dropped: readonly Dropped[] };

async function change(push: Push, id: string, event: string, work: Change): Promise<Pushed<StoredUser>> {
  await meet(push, id, work);
  try {
    return await write(push, id, event, work);
  } catch (thrown) {
    if (!(thrown instanceof ScimError && thrown.code === 'scim_taken')) throw thrown;
    // Who leaves has to be out, whoever has the name by now that the request gives them.
    return write(push, id, event, (before) => {
      const { attributes, dropped } = work(before);
      if (before.attributes['active'] === false || attributes['active'] !== false) throw thrown;
      return withKeysOf(before.attributes, attributes, dropped);
    });
  }
}

/** The change without what another user may have. */
function withKeysOf(before: Attributes, after: Attributes, dropped: readonly Dropped[]): ReturnType<Change> {
  const keys = ['userName', 'externalId'].filter((name) => before[name] !== after[name]);
  const others = Object.entries(after).filter(([name]) => !keys.includes(name));
  const kept = Object.entries(before).filter(([name]) => keys.includes(name));
  const refused = keys.map((path): Dropped => ({ path, why: 'refused', count: 1 }));
  return { attributes: Object.fromEntries([...kept, ...others]), dropped: [...dropped, ...refused] };
}

function write(push: Push, id: string, event: string, work: Change): Promise<Pushed<StoredUser>> {
  return taken(() =>
    push.write(async ({ db, note, lock }) => {
      const before = await userById(db, push.client.name, id, lock);
      if (before === undefined) throw unknown();
      assertVersion(push, before.version);
      const { attributes, dropped } = work(before);
      const difference = changedAttributes(before.attributes, attributes);
      if (difference === undefined) {
        if (dropped.length > 0) note({ event: 'scim.user.unchanged', key: id, ...droppedTexts(dropped) });
        return { resource: before, users: [], repeats: [id] };
      }
      const modifiedAt = Math.max(push.now(), before.modifiedAt);
      const after = { ...before, attributes, modifiedAt, version: before.version + 1 };
      if (!(await replaceUser(db, after, before))) throw changedMeanwhile();
      note({ event: `scim.user.${event}`, key: id, ...difference, ...droppedTexts(dropped) });
      return { resource: after, users: [id] };
    }),
  );
}

/**
 * Looks for accounts that were there before, of somebody who comes to a target by this change: ahead of the transaction,
 * because targets are slow. What is wrong with the change itself the transaction says.
 */
async function meet(push: Push, id: string, work: Change): Promise<void> {
  if (push.beforeUser === undefined) return;
  const before = await push.read((db) => userById(db, push.client.name, id));
  if (before === undefined) return;
  assertVersion(push, before.version);
  const { attributes } = work(before);
  if (isAnother(before.attributes, attributes)) await push.beforeUser({ id, attributes, isNew: false });
}

/**
 * An account may be taken for theirs that was not before: they are active by it, or have another name or address. Of
 * another `externalId` the account that was theirs is somebody else's, which is what the client says.
 */
function isAnother(before: Attributes, after: Attributes): boolean {
  if (after['active'] === false) return false;
  return (
    before['active'] === false || ['userName', 'emails'].some((name) => !isDeepStrictEqual(before[name], after[name]))
  );
}

/** Unique keys are the database's: two at once cannot get past them. */
async function taken<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    const isOf = (index: string, column: string) => isTakenKey(thrown, 'scim_users', index, ['client', column]);
    if (isOf('scim_users_name', 'user_name')) throw new ScimError('scim_taken', 'another user has this userName');
    if (isOf('scim_users_external', 'external_id'))
      throw new ScimError('scim_taken', 'another user has this externalId');
    throw thrown;
  }
}

function unknown(): LatchgateError {
  return new LatchgateError('not_found', 'there is no such user');
}

/** On PostgreSQL the row is locked, and on SQLite the database: it cannot be. */
function changedMeanwhile(): LatchgateError {
  return new LatchgateError('internal', 'a locked user was changed');
}
