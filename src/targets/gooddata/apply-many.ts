import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import type { Entitlement } from '../../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { isValidId } from '../names.ts';
import { type ApplyParts, applyChanges, entitlementsAfter, makeGroups, stillSame, updateAccount } from './apply.ts';
import { groupsIn } from './groups.ts';
import { permissionsIn, refuseUndone, type Turn, turned, turnsOf, userOf, workspaceGone } from './permissions.ts';
import type { Assignment } from './workspaces.ts';

/*
 * Memberships go group by group and permissions workspace by workspace, with everybody concerned in one call. Single
 * members are added and removed, so whatever else an account has stays as it is; whether an id is still of the same
 * person is asked ahead of that, of many in one call.
 */

/** People in one call: an answer in good time, and little to do again when one of them is refused. */
const MEMBERS_AT_ONCE = 500;
/** Calls about single accounts at the same time. */
const ACCOUNTS_AT_ONCE = 8;

/** One set on its way. */
interface Row {
  readonly set: ChangeSet;
  readonly actual: ActualAccount;
  /** What one of its calls came to; the first failure stands. */
  failure?: LatchgateError;
  /** Refused together with others: done once more alone, which says why. */
  isAlone: boolean;
}

/** Users to be put into a group or taken out of it. */
interface Move {
  readonly group: Entitlement;
  readonly to: 'in' | 'out';
  readonly rows: Row[];
}

/**
 * Writes the changes of several accounts in as few calls as they take together. The answers are in the order of the
 * sets, each a failure of that set alone.
 */
export async function applyMany(
  parts: ApplyParts,
  sets: readonly ChangeSet[],
  signal: AbortSignal,
): Promise<readonly (Applied | LatchgateError)[]> {
  const rows = sets.map(toRow);
  const together = rows.filter((row) => row !== undefined);
  await recognize(parts, together.filter(isGoing), signal);
  await makeMissing(parts, together.filter(isGoing), signal);
  // Out first: whoever changes sides has too little for a moment, never too much.
  for (const move of [...movesOf(together, 'out'), ...movesOf(together, 'in')]) await carryOut(parts, move, signal);
  for (const [workspace, turns] of turnsIn(together)) await turnWorkspace(parts, workspace, turns, signal);
  return inTurns(sets, async (set, at) => {
    try {
      return await finish(parts, set, rows[at], signal);
    } catch (thrown) {
      return toLatchgateError(thrown);
    }
  });
}

/** An id is free again for anybody once its account is gone: whoever has it now is not given or rid of anything. */
async function recognize({ accounts }: ApplyParts, rows: readonly Row[], signal: AbortSignal): Promise<void> {
  for (const chunk of chunksOf(rows.filter(({ set }) => changesSomething(set)))) {
    await guarded(chunk, async () => {
      const ids = chunk.map(({ actual }) => actual.id);
      const there = new Map((await accounts.byIds(ids, signal)).map((account) => [account.id, account]));
      for (const row of chunk) {
        await guarded([row], async () => void stillSame(row.actual, there.get(row.actual.id)));
      }
    });
  }
}

function changesSomething({ add, drop, profile }: ChangeSet): boolean {
  return add.length + drop.length + Object.keys(profile).length > 0;
}

/** In the order of the items, so many at a time. */
async function inTurns<T, R>(items: readonly T[], work: (item: T, at: number) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  const waiting = items.entries();
  const worker = async () => {
    for (const [at, item] of waiting) results[at] = await work(item, at);
  };
  await Promise.all(Array.from({ length: ACCOUNTS_AT_ONCE }, worker));
  return results;
}

/** Undefined for accounts to be made or removed, and for those that are never written to: they go one by one. */
function toRow(set: ChangeSet): Row | undefined {
  const { actual } = set;
  if (actual === undefined || actual.isProtected || set.remove === true || !isValidId(actual.id)) return undefined;
  return { set, actual, isAlone: false };
}

/** What is left for one account: all of it, or its profile alone. */
async function finish(
  parts: ApplyParts,
  set: ChangeSet,
  row: Row | undefined,
  signal: AbortSignal,
): Promise<Applied | LatchgateError> {
  if (row?.failure !== undefined) return row.failure;
  if (row === undefined || row.isAlone) return applyChanges(parts, set, signal);
  await parts.stillOurs?.();
  const done = await updateAccount(parts, { ...set, add: [], drop: [] }, row.actual, signal, true);
  const after = entitlementsAfter(row.actual, set);
  // Whoever was written to by itself was answered with the groups of this moment.
  const groups = groupsIn(done.outcome === 'applied' ? done.account.entitlements : after);
  const account = { ...done.account, entitlements: [...groups, ...permissionsIn(after)] };
  const isMoved = set.add.length + set.drop.length > 0;
  return { outcome: isMoved ? 'applied' : done.outcome, account };
}

/** Groups that are to be made, and what the config gives to those that somebody is put into. */
async function makeMissing(parts: ApplyParts, rows: readonly Row[], signal: AbortSignal): Promise<void> {
  const missing = byName(rows, ({ create }) => groupsIn(create));
  const given = byName(rows, ({ add }) => groupsIn(add));
  for (const { group, rows: concerned } of missing) {
    await guarded(concerned, () => makeGroups(parts, [group], signal));
  }
  for (const { group, rows: concerned } of given) {
    await guarded(concerned, () => parts.groupWorkspaces.ensure(group.name, { signal }));
  }
}

function movesOf(rows: readonly Row[], to: Move['to']): readonly Move[] {
  const named = byName(rows, ({ add, drop }) => groupsIn(to === 'in' ? add : drop));
  return named.map(({ group, rows: concerned }) => ({ group, to, rows: concerned }));
}

function byName(
  rows: readonly Row[],
  groupsOf: (set: ChangeSet) => readonly Entitlement[],
): readonly { readonly group: Entitlement; readonly rows: Row[] }[] {
  const found = new Map<string, { readonly group: Entitlement; readonly rows: Row[] }>();
  for (const row of rows) {
    for (const group of groupsOf(row.set)) {
      const entry = found.get(group.name) ?? { group, rows: [] };
      found.set(group.name, entry);
      entry.rows.push(row);
    }
  }
  return [...found.values()];
}

async function carryOut(parts: ApplyParts, { group, to, rows }: Move, signal: AbortSignal): Promise<void> {
  for (const chunk of chunksOf(rows.filter(isGoing))) {
    await guarded(chunk, async () => {
      const move = async (some: readonly Row[]) => {
        await parts.stillOurs?.();
        const ids = some.map(({ actual }) => actual.id);
        return parts.groups.change(group.name, ids, to, signal);
      };
      const first = await move(chunk);
      if (first === 'done') return;
      if (first === 'gone' && !(await isRestored(parts, group, to, signal))) return;
      await inHalves(first === 'gone' ? [chunk] : halvesOf(chunk), async (some) => (await move(some)) === 'done');
    });
  }
}

/** The group vanished: made again for those who are to get in; whoever was to get out is out. */
async function isRestored(
  { groups, missingGroups, ...parts }: ApplyParts,
  group: Entitlement,
  to: Move['to'],
  signal: AbortSignal,
): Promise<boolean> {
  const [there] = await groups.find([group], signal);
  // It is there after all: a user is not.
  if (there !== undefined) return true;
  if (to === 'out') return false;
  if (missingGroups === 'refuse') {
    throw new LatchgateError('group_missing', 'a group vanished while it was being given', { detail: { groups: 1 } });
  }
  await makeGroups({ groups, missingGroups, ...parts }, [group], signal);
  return true;
}

/** Tries each list; one that is refused is halved, until those who are refused stand alone. */
async function inHalves(
  lists: readonly (readonly Row[])[],
  write: (rows: readonly Row[]) => Promise<boolean>,
): Promise<void> {
  for (const rows of lists) {
    const [only] = rows;
    if (only === undefined) continue;
    if (await write(rows)) continue;
    if (rows.length === 1) only.isAlone = true;
    else await inHalves(halvesOf(rows), write);
  }
}

function halvesOf(rows: readonly Row[]): readonly (readonly Row[])[] {
  if (rows.length < 2) return [rows];
  const middle = Math.ceil(rows.length / 2);
  return [rows.slice(0, middle), rows.slice(middle)];
}

/** What is to become of whose permissions, by workspace. */
function turnsIn(rows: readonly Row[]): ReadonlyMap<string, ReadonlyMap<Row, Turn>> {
  const turns = new Map<string, Map<Row, Turn>>();
  for (const row of rows) {
    for (const [workspace, turn] of turnsOf(row.set)) {
      const those = turns.get(workspace) ?? new Map<Row, Turn>();
      turns.set(workspace, those.set(row, turn));
    }
  }
  return turns;
}

/** Everybody's permissions in one workspace: read, written together, read back. */
async function turnWorkspace(
  { workspaces, stillOurs }: ApplyParts,
  workspace: string,
  turns: ReadonlyMap<Row, Turn>,
  signal: AbortSignal,
): Promise<void> {
  const concerned = [...turns].filter(([row]) => isGoing(row));
  const rows = concerned.map(([row]) => row);
  await guarded(rows, async () => {
    const before = await workspaces.heldIn(workspace, signal);
    if (before === undefined) {
      // What was to be taken went with the workspace.
      for (const [row, turn] of concerned) if (turn.add.length > 0) row.failure = workspaceGone();
      return;
    }
    const assignments = new Map<Row, Assignment>();
    for (const [row, turn] of concerned) {
      const assignee = userOf(row.actual.id);
      const { permissions: held, hierarchy } = before(assignee);
      const permissions = turned(held, turn);
      if (permissions !== undefined) assignments.set(row, { assignee, permissions, hierarchy });
    }
    if (assignments.size === 0) return;
    await inHalves(chunksOf([...assignments.keys()]), async (some) => {
      const those = some.flatMap((row) => assignments.get(row) ?? []);
      await stillOurs?.();
      return (await workspaces.assign(workspace, those, signal)) === 'done';
    });
    const after = await workspaces.heldIn(workspace, signal);
    for (const [row, turn] of concerned.filter(([one]) => assignments.has(one) && isGoing(one))) {
      await guarded([row], async () => refuseUndone(after?.(userOf(row.actual.id)).permissions ?? [], turn));
    }
  });
}

function chunksOf(rows: readonly Row[]): readonly (readonly Row[])[] {
  const chunks: Row[][] = [];
  for (let at = 0; at < rows.length; at += MEMBERS_AT_ONCE) chunks.push(rows.slice(at, at + MEMBERS_AT_ONCE));
  return chunks;
}

/** What fails fails for these alone. */
async function guarded(rows: readonly Row[], work: () => Promise<void>): Promise<void> {
  if (rows.length === 0) return;
  try {
    await work();
  } catch (thrown) {
    const failure = toLatchgateError(thrown);
    for (const row of rows) row.failure ??= failure;
  }
}

function isGoing({ failure, isAlone }: Row): boolean {
  return failure === undefined && !isAlone;
}
