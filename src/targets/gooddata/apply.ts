import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import type { HttpResponse } from '../../ops/http-client.ts';
import { isValidId } from '../names.ts';
import type { StillOurs } from '../target.ts';
import type { GoodDataAccounts } from './accounts.ts';
import { type GoodDataApi, traceOf } from './api.ts';
import { toAttributes, userBody } from './documents.ts';
import type { GroupWorkspaces } from './group-workspaces.ts';
import { type GoodDataGroups, groupsIn } from './groups.ts';
import { type PersonPermissions, permissionsIn, withPermissions } from './permissions.ts';
import type { GoodDataWorkspaces } from './workspaces.ts';

export interface ApplyParts {
  readonly api: GoodDataApi;
  readonly accounts: GoodDataAccounts;
  readonly groups: GoodDataGroups;
  readonly workspaces: GoodDataWorkspaces;
  readonly permissions: PersonPermissions;
  /** What the config gives to groups: there before anybody is put into one. */
  readonly groupWorkspaces: GroupWorkspaces;
  /** `missing.groups` of the config: whether a group that vanished meanwhile is made again. */
  readonly missingGroups: 'create' | 'refuse';
  /** Asked ahead of each call that writes. Absent: nobody else is there. */
  readonly stillOurs?: StillOurs | undefined;
}

const INCLUDE = { include: 'userGroups' } as const;

/**
 * Writes one account's changes in as few calls as they take. Throws `target_conflict` when the account is not any more
 * what was read, `user_name_taken` when every id is another account's, `profile_invalid`, `group_missing`,
 * `permission_missing`.
 */
export async function applyChanges(parts: ApplyParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  if (changes.actual !== undefined) refuseProtected(changes.actual);
  await parts.stillOurs?.();
  if (changes.remove === true) return removeAccount(parts, changes, signal);
  await makeGroups(parts, changes.create, signal);
  await Promise.all(groupsIn(changes.add).map(({ name }) => parts.groupWorkspaces.ensure(name, { signal })));
  const ofGroups = { ...changes, add: groupsIn(changes.add), drop: groupsIn(changes.drop) };
  const done =
    changes.actual === undefined
      ? await createAccount(parts, ofGroups, signal)
      : await updateAccount(parts, ofGroups, changes.actual, signal);
  return changePermissions(parts, changes, done, signal);
}

/** Makes groups with what the config gives them. */
export async function makeGroups(
  { groups, groupWorkspaces }: ApplyParts,
  create: readonly Entitlement[],
  signal: AbortSignal,
): Promise<void> {
  if (create.length === 0) return;
  await groups.create(create, signal);
  await Promise.all(create.map(({ name }) => groupWorkspaces.ensure(name, { isNew: true, signal })));
}

/** After the account itself: `done` is what became of it. */
async function changePermissions(
  parts: ApplyParts,
  changes: ChangeSet,
  { outcome, account }: Applied,
  signal: AbortSignal,
): Promise<Applied> {
  const [add, drop] = [permissionsIn(changes.add), permissionsIn(changes.drop)];
  if (add.length + drop.length === 0) {
    return { outcome, account: withPermissions(account, permissionsIn(changes.actual?.entitlements ?? [])) };
  }
  // Nobody has looked at the account yet, and an id may have been another's since.
  if (changes.actual !== undefined && outcome === 'already') await readAgain(parts, changes.actual, signal);
  const done = await parts.permissions.change(account.id, { add, drop }, signal);
  return {
    outcome: done.outcome === 'applied' ? 'applied' : outcome,
    account: withPermissions(account, done.permissions),
  };
}

async function removeAccount(parts: ApplyParts, { actual }: ChangeSet, signal: AbortSignal): Promise<Applied> {
  if (actual === undefined || !isValidId(actual.id)) throw conflict('there is no account to remove');
  // An id is free again for anybody once its account is gone. In the list, where nothing found is not the same answer as
  // nothing allowed.
  const [current] = await parts.accounts.byIds([actual.id], signal);
  const removed = { ...actual, active: false, entitlements: [] };
  if (current === undefined) return { outcome: 'already', account: removed };
  stillSame(actual, current);
  await parts.stillOurs?.();
  const response = await parts.api.call(
    { method: 'DELETE', path: `entities/users/${actual.id}`, signal },
    [200, 204, 404],
  );
  const outcome = response.status === 404 ? 'already' : 'applied';
  return { outcome, account: removed };
}

async function createAccount(parts: ApplyParts, changes: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const { desired, add } = changes;
  const groups = unique(add.map(({ name }) => name));
  const attributes = { authenticationId: desired.externalId, ...filled(toAttributes(changes.profile)) };
  for (const id of unique([changes.userName, ...desired.userNames])) {
    const body = userBody(id, attributes, groups);
    const post = () =>
      parts.api.call({ method: 'POST', path: 'entities/users', query: INCLUDE, body, signal }, [201, 400, 409]);
    let response = await post();
    if (response.status === 400 && (await restoreGroups(parts, add, signal))) response = await post();
    if (response.status === 201)
      return { outcome: 'applied', account: await parts.accounts.fromAnswer(response, signal) };
    if (response.status === 400) throw invalid(response);
    const own = await whoWasFaster(parts, id, changes, signal);
    if (own !== undefined) return completeAccount(parts, own, changes, signal);
  }
  throw new LatchgateError('user_name_taken', 'every id for this person is another account', {
    detail: { target: desired.target },
  });
}

/** After 409: this person's account if another instance just made it; undefined when the id is somebody else's. */
async function whoWasFaster(
  parts: ApplyParts,
  id: string,
  { desired }: ChangeSet,
  signal: AbortSignal,
): Promise<ActualAccount | undefined> {
  const holder = await parts.accounts.byId(id, signal);
  if (holder === undefined) throw conflict('the id was taken and is free again');
  if (!desired.matchExternalId) {
    // An id of another origin may read the same: whoever plans again sees the account, and whose it is.
    if (holder.externalId === desired.externalId) throw conflict('the id was taken meanwhile');
    return undefined;
  }
  if (holder.externalId === desired.externalId) return holder;
  const [own] = await parts.accounts.byExternalId(desired.externalId, signal);
  return own;
}

/** Only adds: what the other instance wrote was the same plan, or a later one. */
async function completeAccount(
  parts: ApplyParts,
  account: ActualAccount,
  changes: ChangeSet,
  signal: AbortSignal,
): Promise<Applied> {
  refuseProtected(account);
  const has = new Set(account.entitlements.map(({ name }) => name));
  const add = changes.add.filter(({ name }) => !has.has(name));
  if (add.length === 0) return { outcome: 'already', account };
  return updateAccount(parts, { ...changes, profile: {}, add, drop: [] }, account, signal);
}

/**
 * Writes a profile and puts the account into groups and out of them, one by one, so that what somebody else gives it
 * meanwhile stays. `isRecognized`: somebody has asked just now whether the id is still of the same person.
 */
export async function updateAccount(
  parts: ApplyParts,
  changes: ChangeSet,
  read: ActualAccount,
  signal: AbortSignal,
  isRecognized = false,
): Promise<Applied> {
  if (!isValidId(read.id)) throw conflict('the account has no id that GoodData gives');
  const attributes = toAttributes(changes.profile);
  const changesProfile = Object.keys(attributes).length > 0;
  if (!changesProfile && changes.add.length + changes.drop.length === 0) return { outcome: 'already', account: read };
  // An id is free again for anybody once its account is gone: whoever has it now is not written to.
  const current = isRecognized ? read : await readAgain(parts, read, signal);
  const moved = await moveGroups(parts, changes, current, signal);
  if (!changesProfile) return moved;
  const body = userBody(read.id, attributes);
  const call = { method: 'PATCH', path: `entities/users/${read.id}`, query: INCLUDE, body, signal } as const;
  const response = await parts.api.call(call, [200, 400, 404, 409]);
  if (response.status === 400) throw invalid(response);
  if (response.status !== 200) throw conflict('the account is gone or was changed meanwhile', response);
  return { outcome: 'applied', account: await parts.accounts.fromAnswer(response, signal) };
}

/** Out first: whoever changes sides has too little for a moment, never too much. */
async function moveGroups(
  parts: ApplyParts,
  changes: ChangeSet,
  current: ActualAccount,
  signal: AbortSignal,
): Promise<Applied> {
  const there = new Set(current.entitlements.map(({ id }) => id));
  const out = unique(changes.drop.map(({ id }) => id)).filter((id) => there.has(id));
  const into = changes.add.filter(({ name }) => !there.has(name) || out.includes(name));
  const move = (group: string, to: 'in' | 'out') => parts.groups.change(group, [current.id], to, signal);
  const left = await Promise.all(out.map((id) => move(id, 'out')));
  if (left.includes('refused')) throw conflict('the account is gone');
  await Promise.all(
    into.map(async (group) => {
      const first = await move(group.name, 'in');
      if (first === 'done') return;
      const isRestored = first === 'gone' && (await restoreGroups(parts, [group], signal));
      if (!isRestored || (await move(group.name, 'in')) !== 'done') throw conflict('the account is gone');
    }),
  );
  const outcome = out.length + into.length > 0 ? 'applied' : 'already';
  return { outcome, account: { ...current, entitlements: entitlementsAfter(current, changes) } };
}

/** As the account is when these changes are made. */
export function entitlementsAfter(
  { entitlements }: ActualAccount,
  { add, drop }: Pick<ChangeSet, 'add' | 'drop'>,
): readonly ActualEntitlement[] {
  const gone = new Set(drop.map((entitlement) => entitlementKey(entitlement)));
  const kept = entitlements.filter((entitlement) => !gone.has(entitlementKey(entitlement)));
  const there = new Set(kept.map((entitlement) => entitlementKey(entitlement)));
  const added = add.filter((entitlement) => !there.has(entitlementKey(entitlement)));
  return [
    ...kept,
    ...added.map((one) => ({ ...one, id: one.scope === undefined ? one.name : `${one.name}@${one.scope}` })),
  ];
}

async function readAgain({ accounts }: ApplyParts, read: ActualAccount, signal: AbortSignal): Promise<ActualAccount> {
  return stillSame(read, await accounts.byId(read.id, signal));
}

/** What is there now under the id of an account that was read before. Throws `target_conflict`, `account_protected`. */
export function stillSame(read: ActualAccount, current: ActualAccount | undefined): ActualAccount {
  if (current === undefined) throw conflict('the account is gone');
  if (current.externalId !== read.externalId) throw conflict('the account is another person’s now');
  refuseProtected(current);
  return current;
}

/** Makes the groups that vanished since the plan, and says whether there were any. */
async function restoreGroups(parts: ApplyParts, wanted: readonly Entitlement[], signal: AbortSignal): Promise<boolean> {
  if (wanted.length === 0) return false;
  const there = new Set((await parts.groups.find(wanted, signal)).map(({ id }) => id));
  const gone = wanted.filter(({ name }) => !there.has(name));
  if (gone.length === 0) return false;
  if (parts.missingGroups === 'refuse') {
    throw new LatchgateError('group_missing', 'a group vanished while it was being given', {
      detail: { groups: gone.length },
    });
  }
  await makeGroups(parts, gone, signal);
  return true;
}

function refuseProtected(account: ActualAccount): void {
  if (!account.isProtected) return;
  throw new LatchgateError('account_protected', 'a service account or our own is never written to', {
    detail: { account: account.id },
  });
}

function conflict(message: string, response?: HttpResponse): LatchgateError {
  return new LatchgateError('target_conflict', message, response === undefined ? {} : { detail: traceOf(response) });
}

function invalid(response: HttpResponse): LatchgateError {
  return new LatchgateError('profile_invalid', 'GoodData does not take these values', { detail: traceOf(response) });
}

function filled(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''));
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
