/** A user as Superset's table has it. */
export interface UserRow {
  readonly id: number;
  username: string;
  first_name: string;
  last_name: string;
  email: string;
  active: boolean;
  password: string;
  roles: number[];
  groups: number[];
  login_count: number | null;
  /** Charts, dashboards and the like that belong to the user: such a user cannot be deleted. */
  owns: number;
}

export interface RoleRow {
  readonly id: number;
  name: string;
}

export interface GroupRow {
  readonly id: number;
  name: string;
  label: string | null;
  description: string | null;
  roles: number[];
}

export interface State {
  readonly users: Map<number, UserRow>;
  readonly roles: Map<number, RoleRow>;
  readonly groups: Map<number, GroupRow>;
  /** What `gateway_provisioner` may do: `can_get on User` and the like. */
  readonly servicePermissions: Set<string>;
}

export interface Seed {
  readonly adminPassword?: string;
  readonly servicePassword?: string;
  /** Further roles. */
  readonly roles?: readonly string[];
}

export const SERVICE_ROLE = 'gateway_provisioner';
const SERVICE_ACCOUNT = 'latchgate';

const VIEWS = ['User', 'Role', 'Group'] as const;
const ACTIONS = ['can_info', 'can_get', 'can_post', 'can_put', 'can_delete'] as const;

/** Roles of a fresh Superset, an administrator, and the gateway's service account. */
export function initialState({ adminPassword = 'admin', servicePassword = 'service', roles = [] }: Seed): State {
  const names = ['Admin', 'Public', 'Alpha', 'Gamma', 'sql_lab', SERVICE_ROLE, ...roles];
  const users = [account(1, 'admin', adminPassword, 1), account(2, SERVICE_ACCOUNT, servicePassword, 6)];
  return {
    users: new Map(users.map((user) => [user.id, user])),
    roles: new Map(names.map((name, at) => [at + 1, { id: at + 1, name }])),
    groups: new Map(),
    servicePermissions: new Set(VIEWS.flatMap((view) => ACTIONS.map((action) => `${action} on ${view}`))),
  };
}

function account(id: number, username: string, password: string, role: number): UserRow {
  const names = { username, first_name: username, last_name: 'Account', email: `${username}@superset.invalid` };
  return { id, ...names, active: true, password, roles: [role], groups: [], login_count: null, owns: 0 };
}

/** SQLite gives the highest id plus one: that of a deleted record comes back. */
export function nextId(records: ReadonlyMap<number, unknown>): number {
  return Math.max(0, ...records.keys()) + 1;
}

export function roleNames(state: State, user: UserRow): string[] {
  const ids = [...user.roles, ...user.groups.flatMap((id) => state.groups.get(id)?.roles ?? [])];
  return [...new Set(ids)].flatMap((id) => state.roles.get(id)?.name ?? []);
}
