import { type LatchgateError, toLatchgateError } from '../../model/errors.ts';
import type { Log } from '../../ops/log.ts';
import { deriveId } from '../names.ts';
import { waitFor } from '../shared-work.ts';
import { EVERY_WORKSPACE } from './schema.ts';
import { type Assignment, type GoodDataWorkspaces, type HeldByWorkspace, NOTHING_HELD } from './workspaces.ts';

/** `targets.T.workspaces`: group → workspace or `*` → permissions. */
export type WorkspacesConfig = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/**
 * Permissions that the config gives to groups. Only ever adds: what a group has beyond the config, and what anybody else
 * has, stays. `*` is given once on each workspace that is below no other, with its hierarchy: that reaches every
 * workspace there is, and those that are made below them later.
 */
export interface GroupWorkspaces {
  /**
   * Makes true what the config says of this group, once until the next `ensureAll`; `isNew`: it was just made, and what
   * is known of it does not count. Throws `target_unavailable`, `target_refused`; what cannot be given because there is
   * no such workspace, or does not stay, is logged and keeps nobody out.
   */
  ensure(group: string, options: { readonly isNew?: boolean; readonly signal: AbortSignal }): Promise<void>;
  /** The same anew for every group of the config that is there: at the start, hourly and before a sync. */
  ensureAll(signal: AbortSignal): Promise<void>;
}

export interface GroupWorkspacesOptions {
  readonly target: string;
  readonly config: WorkspacesConfig;
  readonly workspaces: GoodDataWorkspaces;
  readonly log: Pick<Log, 'warn'>;
}

/** For the work on one group, which several callers share; each of its calls has a timeout of its own. */
const LONGEST_MS = 10 * 60_000;

type Names = { readonly permissions: Set<string>; readonly hierarchy: Set<string> };

export function createGroupWorkspaces(options: GroupWorkspacesOptions): GroupWorkspaces {
  const byGroup = byGroupId(options.config);
  const known = new Map<string, Promise<void>>();

  const begin = (group: string): Promise<void> => {
    const work = makeTrue(options, group, byGroup.get(group) ?? new Map(), AbortSignal.timeout(LONGEST_MS));
    known.set(group, work);
    work.catch(() => {
      if (known.get(group) === work) known.delete(group);
    });
    return work;
  };

  return {
    ensure: async (group, { isNew = false, signal }) => {
      if (!byGroup.has(group)) return;
      const work = isNew ? begin(group) : (known.get(group) ?? begin(group));
      await waitFor(work, signal);
    },
    ensureAll: async (signal) => {
      const failures: LatchgateError[] = [];
      // One after the other: nobody waits for it, and the organisation has other things to do.
      for (const group of byGroup.keys()) {
        await waitFor(begin(group), signal).catch((thrown: unknown) => failures.push(toLatchgateError(thrown)));
        if (signal.aborted) break;
      }
      const [failure] = failures;
      if (failure !== undefined) throw failure;
    },
  };
}

/** Two spellings that are one group in GoodData are one here too. */
function byGroupId(config: WorkspacesConfig): ReadonlyMap<string, ReadonlyMap<string, readonly string[]>> {
  const groups = new Map<string, Map<string, readonly string[]>>();
  for (const [name, given] of Object.entries(config)) {
    const id = deriveId(name);
    const group = groups.get(id) ?? new Map<string, readonly string[]>();
    groups.set(id, group);
    for (const [workspace, names] of Object.entries(given)) {
      group.set(workspace, [...(group.get(workspace) ?? []), ...names]);
    }
  }
  return groups;
}

async function makeTrue(
  { target, workspaces, log }: GroupWorkspacesOptions,
  group: string,
  given: ReadonlyMap<string, readonly string[]>,
  signal: AbortSignal,
): Promise<void> {
  const assignee = { id: group, type: 'userGroup' } as const;
  const held = await workspaces.heldBy(assignee, signal);
  if (held === undefined) return;
  const wanted = await wantedBy(workspaces, given, signal);
  const lacking = [...wanted].filter(([workspace, names]) => !has(held, workspace, names));
  if (lacking.length === 0) return;
  for (const [workspace, names] of lacking) {
    const { permissions, hierarchy } = held.get(workspace) ?? NOTHING_HELD;
    const assignment: Assignment = {
      assignee,
      permissions: [...new Set([...permissions, ...names.permissions])],
      hierarchy: [...new Set([...hierarchy, ...names.hierarchy])],
    };
    const done = await workspaces.assign(workspace, [assignment], signal);
    if (done === 'gone') log.warn('a workspace of the config is not there', { target, group, workspace });
  }
  const after = await workspaces.heldBy(assignee, signal);
  for (const [workspace, names] of lacking) {
    if (after !== undefined && has(after, workspace, names)) continue;
    log.warn('a group does not have the permissions that the config gives it', { target, group, workspace });
  }
}

async function wantedBy(
  workspaces: GoodDataWorkspaces,
  given: ReadonlyMap<string, readonly string[]>,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Names>> {
  const wanted = new Map<string, Names>();
  const names = (workspace: string): Names => {
    const one = wanted.get(workspace) ?? { permissions: new Set<string>(), hierarchy: new Set<string>() };
    wanted.set(workspace, one);
    return one;
  };
  const everywhere = given.get(EVERY_WORKSPACE) ?? [];
  const roots = everywhere.length === 0 ? [] : await workspaces.roots(signal);
  for (const root of roots) for (const name of everywhere) names(root).hierarchy.add(name);
  for (const [workspace, list] of given) {
    if (workspace === EVERY_WORKSPACE) continue;
    for (const name of list) names(workspace).permissions.add(name);
  }
  return wanted;
}

/** What reaches the workspaces below holds in the workspace itself too. */
function has(held: HeldByWorkspace, workspace: string, names: Names): boolean {
  const { permissions, hierarchy } = held.get(workspace) ?? NOTHING_HELD;
  return (
    [...names.hierarchy].every((name) => hierarchy.includes(name)) &&
    [...names.permissions].every((name) => permissions.includes(name) || hierarchy.includes(name))
  );
}
