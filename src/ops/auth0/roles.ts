import { LatchgateError } from '../../model/errors.ts';
import type { Auth0Api } from './api.ts';
import { type Auth0RoleRecord, membersPage, rolesPage } from './documents.ts';

/** The most that Auth0 gives. */
const PAGE_SIZE = 100;
/** More pages than this is a service that goes round in circles. */
const MAX_PAGES = 100_000;

/** Every role of the tenant. Throws `ROLE_answer_invalid` when they cannot all be read. */
export async function listRoles(api: Auth0Api, signal: AbortSignal): Promise<readonly Auth0RoleRecord[]> {
  return pagesOf(api, ['roles'], [200], signal);
}

async function pagesOf(
  api: Auth0Api,
  path: readonly string[],
  expected: readonly number[],
  signal: AbortSignal,
): Promise<readonly Auth0RoleRecord[]> {
  const roles = new Map<string, Auth0RoleRecord>();
  let total: number | undefined;
  for (let page = 0; ; page += 1) {
    const query = { per_page: PAGE_SIZE, page, include_totals: true };
    const response = await api.call({ method: 'GET', path, query, signal }, expected);
    if (response.status === 404) return [];
    const answer = api.parse(rolesPage, response);
    // One that went moves the others to pages that were read already.
    if (total !== undefined && total !== answer.total) return pagesOf(api, path, expected, signal);
    total = answer.total;
    for (const role of answer.roles) roles.set(role.id, role);
    if (roles.size >= answer.total) return [...roles.values()];
    if (answer.roles.length > 0 && page < MAX_PAGES) continue;
    throw new LatchgateError(`${api.role}_answer_invalid`, 'Auth0 counts more roles than it lists', {
      detail: { total: answer.total, listed: roles.size },
    });
  }
}

/**
 * Ids of everybody who has the role, of whatever connection, by checkpoint paging, which knows no limit of 1,000. A role
 * that is gone has nobody.
 */
export async function listMembers(api: Auth0Api, roleId: string, signal: AbortSignal): Promise<readonly string[]> {
  const members: string[] = [];
  let from: string | undefined;
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const query = { take: PAGE_SIZE, ...(from === undefined ? {} : { from }) };
    const call = { method: 'GET', path: ['roles', roleId, 'users'], query, signal } as const;
    const response = await api.call(call, [200, 404]);
    if (response.status === 404) return [];
    const { users, next } = api.parse(membersPage, response);
    members.push(...users.map(({ user_id: id }) => id));
    if (next === undefined) return members;
    from = next;
  }
  throw new LatchgateError(`${api.role}_answer_invalid`, 'the members of a role do not end', { detail: {} });
}

/** The roles of one user. Nobody, and somebody who is gone, has none. */
export async function listRolesOf(
  api: Auth0Api,
  userId: string,
  signal: AbortSignal,
): Promise<readonly Auth0RoleRecord[]> {
  return pagesOf(api, ['users', userId, 'roles'], [200, 404], signal);
}
