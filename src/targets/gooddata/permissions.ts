import type { ActualAccount } from '../../model/change.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import { WORKSPACE_PERMISSIONS } from './schema.ts';
import { type Assignee, type GoodDataWorkspaces, type Held, type HeldByWorkspace, NOTHING_HELD } from './workspaces.ts';

/*
 * A permission of a person on a workspace, as an entitlement: name `VIEW`, scope the workspace, id `VIEW@sales`. It is
 * one that the user was given itself; what comes through a group or from a workspace above is none of these.
 */

const KNOWN: ReadonlySet<string> = new Set(WORKSPACE_PERMISSIONS);

/** What is to become of one person's permissions in one workspace. */
export interface Turn {
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

export interface PersonPermissions {
  /** Throws `target_conflict` when the user is not there. */
  of(user: string, signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Of every user, by id. */
  all(signal: AbortSignal): Promise<ReadonlyMap<string, readonly ActualEntitlement[]>>;
  /** Those that can be given: of a workspace that is there and by a name that there is. */
  find(entitlements: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /**
   * Gives and takes, workspace by workspace, beginning from what the user has now; then reads back. Answers with what
   * the user has. Throws `target_conflict` when the user is gone or the change did not stay, `permission_missing`.
   */
  change(user: string, changes: Changes, signal: AbortSignal): Promise<Changed>;
}

export interface Changes {
  readonly add: readonly Entitlement[];
  readonly drop: readonly Entitlement[];
}

interface Changed {
  readonly outcome: 'applied' | 'already';
  readonly permissions: readonly ActualEntitlement[];
}

export function createPersonPermissions(workspaces: GoodDataWorkspaces): PersonPermissions {
  const heldBy = async (user: string, signal: AbortSignal): Promise<HeldByWorkspace> => {
    const held = await workspaces.heldBy(userOf(user), signal);
    // A user who is gone and a token that may not ask are the same 404: no reason to take anybody's rows away.
    if (held === undefined) throw new LatchgateError('target_conflict', 'the user of these permissions is gone');
    return held;
  };

  const write = async (user: string, workspace: string, before: Held, turn: Turn, signal: AbortSignal) => {
    const permissions = turned(before.permissions, turn);
    if (permissions === undefined) return 'already';
    const assignment = { assignee: userOf(user), permissions, hierarchy: before.hierarchy };
    const done = await workspaces.assign(workspace, [assignment], signal);
    if (done === 'refused') throw new LatchgateError('target_conflict', 'the user of these permissions is gone');
    if (done === 'gone' && turn.add.length > 0) throw workspaceGone();
    return 'applied';
  };

  return {
    of: async (user, signal) => toEntitlements(await heldBy(user, signal)),
    all: async (signal) =>
      new Map([...(await workspaces.heldByUsers(signal))].map(([user, held]) => [user, toEntitlements(held)])),
    find: async (entitlements, signal) => {
      const wanted = permissionsIn(entitlements).filter(({ name }) => KNOWN.has(name));
      if (wanted.length === 0) return [];
      const there = await workspaces.existing(wanted.map(scopeOf), signal);
      return unique(wanted.filter((one) => there.has(scopeOf(one))).map((one) => toPermission(scopeOf(one), one.name)));
    },
    change: async (user, changes, signal) => {
      const before = await heldBy(user, signal);
      const turns = turnsOf(changes);
      const done = await Promise.all(
        [...turns].map(([workspace, turn]) =>
          write(user, workspace, before.get(workspace) ?? NOTHING_HELD, turn, signal),
        ),
      );
      if (!done.includes('applied')) return { outcome: 'already', permissions: toEntitlements(before) };
      const after = await heldBy(user, signal);
      for (const [workspace, turn] of turns) refuseUndone(after.get(workspace)?.permissions ?? [], turn);
      return { outcome: 'applied', permissions: toEntitlements(after) };
    },
  };
}

/** Gives and takes by workspace. */
export function turnsOf({ add, drop }: Changes): ReadonlyMap<string, Turn> {
  const turns = new Map<string, { add: string[]; drop: string[] }>();
  const turn = (workspace: string) => {
    const one = turns.get(workspace) ?? { add: [], drop: [] };
    turns.set(workspace, one);
    return one;
  };
  for (const entitlement of permissionsIn(add)) turn(scopeOf(entitlement)).add.push(entitlement.name);
  for (const entitlement of permissionsIn(drop)) turn(scopeOf(entitlement)).drop.push(entitlement.name);
  return turns;
}

/** The list after the turn; undefined when it is the same list. */
export function turned(held: readonly string[], { add, drop }: Turn): readonly string[] | undefined {
  const kept = held.filter((name) => !drop.includes(name) || add.includes(name));
  const after = [...new Set([...kept, ...add])];
  return after.length === held.length && after.every((name) => held.includes(name)) ? undefined : after;
}

/** Throws `target_conflict` when what was written is not there: the service, or somebody, thinks otherwise. */
export function refuseUndone(held: readonly string[], { add, drop }: Turn): void {
  if (add.every((name) => held.includes(name)) && !drop.some((name) => held.includes(name) && !add.includes(name)))
    return;
  throw new LatchgateError('target_conflict', 'permissions that were written are not what is there afterwards');
}

export function workspaceGone(): LatchgateError {
  return new LatchgateError('permission_missing', 'the workspace of a permission vanished while it was being given');
}

export function permissionsIn<T extends Entitlement>(entitlements: readonly T[]): readonly T[] {
  return entitlements.filter(({ kind }) => kind === 'permission');
}

function toPermission(workspace: string, name: string): ActualEntitlement {
  return { kind: 'permission', name, scope: workspace, id: `${name}@${workspace}` };
}

/** The account with these permissions in place of those it had. */
export function withPermissions(account: ActualAccount, permissions: readonly ActualEntitlement[]): ActualAccount {
  const others = account.entitlements.filter(({ kind }) => kind !== 'permission');
  return { ...account, entitlements: [...others, ...permissions] };
}

export function userOf(id: string): Assignee {
  return { id, type: 'user' };
}

function toEntitlements(held: HeldByWorkspace): readonly ActualEntitlement[] {
  return [...held].flatMap(([workspace, { permissions }]) => permissions.map((name) => toPermission(workspace, name)));
}

function scopeOf({ scope }: Entitlement): string {
  return scope ?? '';
}

function unique(entitlements: readonly ActualEntitlement[]): readonly ActualEntitlement[] {
  return [...new Map(entitlements.map((one) => [entitlementKey(one), one])).values()];
}
