import { z } from 'zod';
import { LatchgateError } from '../../model/errors.ts';
import { isValidId } from '../names.ts';
import { type GoodDataApi, parseAnswer } from './api.ts';
import { chunks, isIn } from './rsql.ts';

const PAGE_SIZE = 500;
/** More pages than this is a service that goes round in circles. */
const MAX_PAGES = 2_000;
const JSON_MEDIA = 'application/json';

/** Who holds permissions. */
export interface Assignee {
  readonly id: string;
  readonly type: 'user' | 'userGroup';
}

/** What one assignee was given in one workspace itself; `hierarchy` also reaches the workspaces below it. */
export interface Held {
  readonly permissions: readonly string[];
  readonly hierarchy: readonly string[];
}

/** By workspace. */
export type HeldByWorkspace = ReadonlyMap<string, Held>;

export interface Assignment extends Held {
  readonly assignee: Assignee;
}

/** Workspaces of one organisation, and who has which permission there. */
export interface GoodDataWorkspaces {
  /** What this assignee was given itself, not through groups; undefined: there is none of this id. */
  heldBy(assignee: Assignee, signal: AbortSignal): Promise<HeldByWorkspace | undefined>;
  /** The same of every user there is, by user id. */
  heldByUsers(signal: AbortSignal): Promise<ReadonlyMap<string, HeldByWorkspace>>;
  /** What everybody was given in one workspace; undefined: there is no such workspace. */
  heldIn(workspace: string, signal: AbortSignal): Promise<((assignee: Assignee) => Held) | undefined>;
  /**
   * Sets what each of these has in the workspace; nobody else's permissions change. `refused`: an assignee is not there
   * (which one is not said), `gone`: the workspace is not there.
   */
  assign(
    workspace: string,
    assignments: readonly Assignment[],
    signal: AbortSignal,
  ): Promise<'done' | 'refused' | 'gone'>;
  /** Which of these are there. */
  existing(ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>>;
  /** Those that are below no other: what is given with their hierarchy reaches every workspace. */
  roots(signal: AbortSignal): Promise<readonly string[]>;
}

const assigned = z.object({
  id: z.string(),
  permissions: z.array(z.string()),
  hierarchyPermissions: z.array(z.string()),
  accessSource: z.string().nullish(),
});
const heldAnswer = z.object({ workspaces: z.array(assigned) });
const usersAnswer = z.object({ users: z.array(z.object({ id: z.string(), workspaces: z.array(assigned) })) });
const layoutEntries = z.array(z.object({ assignee: z.object({ id: z.string(), type: z.string() }), name: z.string() }));
const layoutAnswer = z.object({
  permissions: layoutEntries.optional(),
  hierarchyPermissions: layoutEntries.optional(),
});
const workspaceList = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      relationships: z
        .object({ parent: z.object({ data: z.object({ id: z.string() }).nullish() }).optional() })
        .optional(),
    }),
  ),
});

export const NOTHING_HELD: Held = { permissions: [], hierarchy: [] };

export function createWorkspaces(api: GoodDataApi): GoodDataWorkspaces {
  /** Page after page until a short one. */
  const pages = async <T>(what: string, next: (page: string) => Promise<readonly T[]>): Promise<readonly T[]> => {
    const all: T[] = [];
    for (let page = 0; page < MAX_PAGES; page += 1) {
      const found = await next(String(page));
      all.push(...found);
      if (found.length < PAGE_SIZE) return all;
    }
    throw new LatchgateError('target_answer_invalid', `the list of ${what} does not end`);
  };

  return {
    heldBy: async ({ id, type }, signal) => {
      if (!isValidId(id)) return undefined;
      const path = `actions/userManagement/${type === 'user' ? 'users' : 'userGroups'}/${id}/permissions`;
      const response = await api.call({ method: 'GET', path, media: JSON_MEDIA, signal }, [200, 404]);
      return response.status === 404 ? undefined : byWorkspace(parseAnswer(heldAnswer, response).workspaces);
    },
    heldByUsers: async (signal) => {
      const path = 'actions/userManagement/users';
      const users = await pages('permissions', async (page) => {
        const query = { page, size: String(PAGE_SIZE) };
        const response = await api.call({ method: 'GET', path, query, media: JSON_MEDIA, signal }, [200]);
        return parseAnswer(usersAnswer, response).users;
      });
      return new Map(users.map(({ id, workspaces }) => [id, byWorkspace(workspaces)]));
    },
    heldIn: async (workspace, signal) => {
      if (!isValidId(workspace)) return undefined;
      const path = `layout/workspaces/${workspace}/permissions`;
      const response = await api.call({ method: 'GET', path, media: JSON_MEDIA, signal }, [200, 404]);
      return response.status === 404 ? undefined : byAssignee(parseAnswer(layoutAnswer, response));
    },
    assign: async (workspace, assignments, signal) => {
      if (!isValidId(workspace)) return 'gone';
      const body = assignments.map(({ assignee, permissions, hierarchy }) => ({
        assigneeIdentifier: { id: assignee.id, type: assignee.type },
        permissions,
        hierarchyPermissions: hierarchy,
      }));
      const path = `actions/workspaces/${workspace}/managePermissions`;
      const call = { method: 'POST', path, body, media: JSON_MEDIA, signal } as const;
      const { status } = await api.call(call, [200, 204, 400, 404]);
      if (status === 404) return 'gone';
      return status === 400 ? 'refused' : 'done';
    },
    existing: async (ids, signal) => {
      const wanted = [...new Set(ids)].filter(isValidId);
      const found = await Promise.all(
        chunks(wanted).map(async (chunk) => {
          const query = { filter: isIn('id', chunk), size: String(PAGE_SIZE) };
          const response = await api.call({ method: 'GET', path: 'entities/workspaces', query, signal }, [200]);
          return parseAnswer(workspaceList, response).data;
        }),
      );
      const there = new Set(found.flat().map(({ id }) => id));
      return new Set(wanted.filter((id) => there.has(id)));
    },
    roots: async (signal) => {
      const all = await pages('workspaces', async (page) => {
        const query = { page, size: String(PAGE_SIZE), sort: 'id', include: 'parent' };
        const response = await api.call({ method: 'GET', path: 'entities/workspaces', query, signal }, [200]);
        return parseAnswer(workspaceList, response).data;
      });
      const ids = new Set(all.map(({ id }) => id));
      const isBelow = (parent: string | undefined): boolean => parent !== undefined && ids.has(parent);
      return [
        ...new Set(all.filter(({ relationships }) => !isBelow(relationships?.parent?.data?.id)).map(({ id }) => id)),
      ];
    },
  };
}

/** What came by another way (a group, a workspace above) is not the assignee's own. */
function byWorkspace(listed: readonly z.output<typeof assigned>[]): HeldByWorkspace {
  const own = listed.filter(({ accessSource }) => !accessSource || accessSource === 'DIRECT');
  return new Map(own.map(({ id, permissions, hierarchyPermissions: hierarchy }) => [id, { permissions, hierarchy }]));
}

function byAssignee({
  permissions = [],
  hierarchyPermissions = [],
}: z.output<typeof layoutAnswer>): (assignee: Assignee) => Held {
  const names = (entries: z.output<typeof layoutEntries>) => {
    const byKey = new Map<string, string[]>();
    for (const { assignee, name } of entries) {
      const key = `${assignee.type}/${assignee.id}`;
      byKey.set(key, [...(byKey.get(key) ?? []), name]);
    }
    return byKey;
  };
  const [direct, below] = [names(permissions), names(hierarchyPermissions)];
  return ({ id, type }) => ({
    permissions: direct.get(`${type}/${id}`) ?? [],
    hierarchy: below.get(`${type}/${id}`) ?? [],
  });
}
