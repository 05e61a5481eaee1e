import type { Auth0Api } from '../../ops/auth0/api.ts';
import { listMembers, listRoles } from '../../ops/auth0/roles.ts';

/** Who has which roles of the tenant. */
export interface Memberships {
  /** Names, sorted. */
  rolesOf(userId: string): readonly string[];
  /** Everybody with a role who is not among these. */
  others(listed: ReadonlySet<string>): readonly string[];
}

const NONE: readonly string[] = [];

/** Reads roles by role, 100 members a call, and not by user, which is a call for each. Roles of organizations are not read. */
export async function readMemberships(api: Auth0Api, signal: AbortSignal): Promise<Memberships> {
  const roles = [...(await listRoles(api, signal))].sort((a, b) => (a.name < b.name ? -1 : 1));
  const held = new Map<string, readonly string[]>();
  // People with the same roles share one list: there are few combinations, and many people.
  const combinations = new Map<readonly string[], Map<string, readonly string[]>>([[NONE, new Map()]]);
  const withRole = (before: readonly string[], name: string): readonly string[] => {
    const further = combinations.get(before);
    const known = further?.get(name);
    if (known !== undefined) return known;
    const made = [...before, name];
    further?.set(name, made);
    combinations.set(made, new Map());
    return made;
  };
  for (const { id, name } of roles) {
    for (const userId of new Set(await listMembers(api, id, signal))) {
      held.set(userId, withRole(held.get(userId) ?? NONE, name));
    }
  }
  return {
    rolesOf: (userId) => held.get(userId) ?? NONE,
    others: (listed) => [...held.keys()].filter((id) => !listed.has(id)),
  };
}
