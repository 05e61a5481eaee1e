/** A role that a user is to have. */
export interface Pair {
  readonly user: string;
  readonly role: string;
}

/** One call that gives: one role to many users, or many roles to one user. */
export type Assignment =
  | { readonly by: 'role'; readonly role: string; readonly users: readonly string[] }
  | { readonly by: 'user'; readonly user: string; readonly roles: readonly string[] };

/**
 * The fewest calls that give every pair once: a least vertex cover of the graph of users and roles, found from a largest
 * matching (Kőnig's theorem). Users come first where it makes no difference. Pure.
 */
export function fewestAssignments(pairs: readonly Pair[]): readonly Assignment[] {
  const rolesOf = grouped(
    pairs,
    ({ user }) => user,
    ({ role }) => role,
  );
  const usersOf = grouped(
    pairs,
    ({ role }) => role,
    ({ user }) => user,
  );
  // Roles are few and users many: matched from the side of the roles, each search is short.
  const roleOfUser = new Map<string, string>();
  for (const role of usersOf.keys()) augment(role, usersOf, roleOfUser, new Set());
  const matched = new Set(roleOfUser.values());
  const reached = { roles: new Set<string>(), users: new Set<string>() };
  const queue = [...usersOf.keys()].filter((role) => !matched.has(role));
  for (let role = queue.pop(); role !== undefined; role = queue.pop()) {
    if (reached.roles.has(role)) continue;
    reached.roles.add(role);
    for (const user of usersOf.get(role) ?? []) {
      if (reached.users.has(user)) continue;
      reached.users.add(user);
      const next = roleOfUser.get(user);
      if (next !== undefined) queue.push(next);
    }
  }
  // The cover: roles that were not reached, and users that were.
  const byRole = [...usersOf].flatMap(([role, users]): Assignment[] =>
    reached.roles.has(role) ? [] : [{ by: 'role', role, users }],
  );
  const byUser = [...reached.users].flatMap((user): Assignment[] => {
    const roles = (rolesOf.get(user) ?? []).filter((role) => reached.roles.has(role));
    return roles.length === 0 ? [] : [{ by: 'user', user, roles }];
  });
  return [...byUser, ...byRole.map(asUserWhenAlone)];
}

/** One user of one role: the call by user says more when it fails. */
function asUserWhenAlone(assignment: Assignment): Assignment {
  if (assignment.by !== 'role') return assignment;
  const [user, ...more] = assignment.users;
  return user === undefined || more.length > 0 ? assignment : { by: 'user', user, roles: [assignment.role] };
}

/** Finds a user for the role, moving those that others have on to another one of theirs. */
function augment(
  role: string,
  usersOf: ReadonlyMap<string, readonly string[]>,
  roleOfUser: Map<string, string>,
  seen: Set<string>,
): boolean {
  for (const user of usersOf.get(role) ?? []) {
    if (seen.has(user)) continue;
    seen.add(user);
    const holder = roleOfUser.get(user);
    if (holder !== undefined && !augment(holder, usersOf, roleOfUser, seen)) continue;
    roleOfUser.set(user, role);
    return true;
  }
  return false;
}

function grouped<T>(list: readonly T[], key: (one: T) => string, value: (one: T) => string): Map<string, string[]> {
  const groups = new Map<string, Set<string>>();
  for (const one of list) {
    const group = groups.get(key(one));
    if (group === undefined) groups.set(key(one), new Set([value(one)]));
    else group.add(value(one));
  }
  return new Map([...groups].map(([name, values]) => [name, [...values]]));
}
