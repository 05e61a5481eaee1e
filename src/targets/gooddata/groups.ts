import type { ActualEntitlement, Entitlement } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import { deriveId, isValidId } from '../names.ts';
import { type GoodDataApi, parseAnswer } from './api.ts';
import { groupList, groupName, toGroup } from './documents.ts';
import { chunks, isIn } from './rsql.ts';

/** Groups of one organisation, by their ids. */
export interface GoodDataGroups {
  /** Which of these are there. Throws `entitlement_conflict` when one of the ids belongs to another group name. */
  find(groups: readonly Entitlement[], signal: AbortSignal): Promise<readonly ActualEntitlement[]>;
  /** Makes them, empty. One that another instance made meanwhile is fine. */
  create(groups: readonly Entitlement[], signal: AbortSignal): Promise<void>;
  /**
   * Puts these users into a group, or takes them out, in one call; the other members stay. `refused`: one of the users is
   * not there (which one is not said), `gone`: the group is not there.
   */
  change(
    group: string,
    users: readonly string[],
    to: 'in' | 'out',
    signal: AbortSignal,
  ): Promise<'done' | 'refused' | 'gone'>;
}

export function createGroups(api: GoodDataApi): GoodDataGroups {
  const findChunk = async (ids: readonly string[], signal: AbortSignal) => {
    const query = { filter: isIn('id', ids), size: '500' };
    const response = await api.call({ method: 'GET', path: 'entities/userGroups', query, signal }, [200]);
    return parseAnswer(groupList, response).data;
  };

  return {
    find: async (groups, signal) => {
      const wanted = new Map(groupsIn(groups).map((group) => [group.name, group]));
      const found = await Promise.all(chunks([...wanted.keys()]).map((ids) => findChunk(ids, signal)));
      return found.flat().flatMap(({ id, attributes }) => {
        const group = wanted.get(id);
        if (group === undefined) return [];
        refuseForeignName(group, attributes?.name);
        return [toGroup(id, attributes?.name)];
      });
    },
    create: async (groups, signal) => {
      const unique = [...new Map(groups.map((group) => [group.name, group])).values()];
      await Promise.all(
        unique.map((group) => {
          const body = { data: { id: group.name, type: 'userGroup', attributes: { name: groupName(group) } } };
          return api.call({ method: 'POST', path: 'entities/userGroups', body, signal }, [201, 409]);
        }),
      );
    },
    change: async (group, users, to, signal) => {
      if (!isValidId(group)) return 'gone';
      const action = to === 'in' ? 'addMembers' : 'removeMembers';
      const path = `actions/userManagement/userGroups/${group}/${action}`;
      const body = { members: users.map((id) => ({ id })) };
      const call = { method: 'POST', path, body, media: 'application/json', signal } as const;
      const { status } = await api.call(call, [200, 204, 400, 404]);
      if (status === 404) return 'gone';
      return status === 400 ? 'refused' : 'done';
    },
  };
}

export function groupsIn<T extends Entitlement>(entitlements: readonly T[]): readonly T[] {
  return entitlements.filter(({ kind }) => kind === 'group');
}

/**
 * A group called N under the id that N itself derives was made for N: giving it for another text would let one text
 * stand in for the other. Any other name is one that people chose for a group that they know by its id.
 */
function refuseForeignName(group: Entitlement, name: string | null | undefined): void {
  if (!name || name === groupName(group) || deriveId(name) !== group.name) return;
  throw new LatchgateError('entitlement_conflict', 'the id of the group belongs to a group of another name', {
    detail: { kind: 'group' },
  });
}
