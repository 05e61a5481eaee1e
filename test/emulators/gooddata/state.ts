/** A pointer to another object, as JSON:API linkage and permission assignees write it. */
export type Ref = { readonly id: string; readonly type: string };

export type Attributes = Record<string, unknown>;

/** One object of the entities API. `relationships` holds lists for to-one relations too; an absent name is an empty one. */
export type Entity<A extends Attributes = Attributes> = {
  readonly id: string;
  attributes: A;
  relationships: Record<string, Ref[]>;
};

export type UserAttributes = {
  authenticationId?: string;
  email?: string;
  firstname?: string;
  lastname?: string;
  systemAccount?: boolean;
};

export type User = Entity<UserAttributes>;
export type UserGroup = Entity<{ name?: string }>;

/** One permission given to one user or group. */
export type Assigned = { readonly assignee: Ref; readonly name: string };

export type Workspace = {
  readonly id: string;
  readonly name: string;
  readonly parent?: string;
  permissions: Assigned[];
  /** These reach the workspaces below this one too. */
  hierarchyPermissions: Assigned[];
  readonly userDataFilters: Map<string, Entity>;
  readonly labels: Map<string, Attributes>;
};

export type DataSource = { readonly id: string; readonly name: string; permissions: Assigned[] };

/** Everything the emulator knows; tests may read it and, to set a scene, write it. */
export type State = {
  readonly organization: { readonly id: string; attributes: Attributes; relationships: Record<string, Ref[]> };
  organizationPermissions: Assigned[];
  readonly users: Map<string, User>;
  readonly userGroups: Map<string, UserGroup>;
  readonly jwks: Map<string, Entity>;
  readonly settings: Map<string, Entity>;
  readonly identityProviders: Map<string, Entity>;
  activeIdentityProvider: string | undefined;
  readonly workspaces: Map<string, Workspace>;
  readonly dataSources: Map<string, DataSource>;
  readonly apiTokens: Map<string, Map<string, Entity>>;
  readonly userSettings: Map<string, Map<string, Entity>>;
  /** Who may see a user or a group (`SEE`), keyed by `user/ID` and `userGroup/ID`. */
  readonly sightings: Map<string, Assigned[]>;
  /** MD5 of each JWT that was logged out. */
  readonly disabledTokens: Set<string>;
  /** User id to the time, in milliseconds, of the last "log out everywhere". */
  readonly loggedOutAt: Map<string, number>;
};

export interface SeedUser extends UserAttributes {
  readonly id: string;
  readonly groups?: readonly string[];
}

export interface SeedWorkspace {
  readonly id: string;
  readonly name?: string;
  readonly parent?: string;
  readonly permissions?: readonly Assigned[];
  readonly hierarchyPermissions?: readonly Assigned[];
  readonly labels?: Readonly<Record<string, Attributes>>;
}

/** What is there at the start, beside the user `admin` in `adminGroup`, which every organization has. */
export interface Seed {
  readonly users?: readonly SeedUser[];
  readonly groups?: readonly { readonly id: string; readonly name?: string; readonly parents?: readonly string[] }[];
  readonly workspaces?: readonly SeedWorkspace[];
  readonly dataSources?: readonly { readonly id: string; readonly permissions?: readonly Assigned[] }[];
}

const ADMIN_USER = 'admin';
const ADMIN_GROUP = 'adminGroup';

export function groupRef(id: string): Ref {
  return { id, type: 'userGroup' };
}

export function userRef(id: string): Ref {
  return { id, type: 'user' };
}

/** The organization as a fresh installation has it, plus the seed, plus one API token that belongs to `admin`. */
export function initialState(organization: string, token: string, seed: Seed): State {
  const state: State = {
    organization: {
      id: organization,
      attributes: {
        name: 'Default Organization',
        hostname: 'localhost',
        allowedOrigins: [],
        earlyAccess: 'enableAlerting',
        earlyAccessValues: ['enableAlerting', 'enableUserManagement'],
      },
      relationships: {},
    },
    organizationPermissions: ['MANAGE', 'SELF_CREATE_TOKEN'].map((name) => ({ assignee: groupRef(ADMIN_GROUP), name })),
    users: new Map(),
    userGroups: new Map(),
    jwks: new Map(),
    settings: new Map(),
    identityProviders: new Map(),
    activeIdentityProvider: undefined,
    workspaces: new Map(),
    dataSources: new Map(),
    apiTokens: new Map(),
    userSettings: new Map(),
    sightings: new Map(),
    disabledTokens: new Set(),
    loggedOutAt: new Map(),
  };
  state.userGroups.set(ADMIN_GROUP, { id: ADMIN_GROUP, attributes: {}, relationships: {} });
  state.users.set(ADMIN_USER, {
    id: ADMIN_USER,
    attributes: {},
    relationships: { userGroups: [groupRef(ADMIN_GROUP)] },
  });
  const bootstrap = { id: 'bootstrap', attributes: { bearerToken: token }, relationships: {} };
  state.apiTokens.set(ADMIN_USER, new Map([[bootstrap.id, bootstrap]]));
  plant(state, seed);
  return state;
}

function plant(state: State, seed: Seed): void {
  for (const { id, name, parents } of seed.groups ?? []) {
    const relationships: Record<string, Ref[]> = parents ? { parents: parents.map(groupRef) } : {};
    state.userGroups.set(id, { id, attributes: name === undefined ? {} : { name }, relationships });
  }
  for (const { id, groups, ...attributes } of seed.users ?? []) {
    state.users.set(id, { id, attributes, relationships: { userGroups: (groups ?? []).map(groupRef) } });
  }
  for (const workspace of seed.workspaces ?? []) {
    state.workspaces.set(workspace.id, {
      id: workspace.id,
      name: workspace.name ?? workspace.id,
      ...(workspace.parent === undefined ? {} : { parent: workspace.parent }),
      permissions: [...(workspace.permissions ?? [])],
      hierarchyPermissions: [...(workspace.hierarchyPermissions ?? [])],
      userDataFilters: new Map(),
      labels: new Map(Object.entries(workspace.labels ?? {})),
    });
  }
  for (const { id, permissions } of seed.dataSources ?? []) {
    state.dataSources.set(id, { id, name: id, permissions: [...(permissions ?? [])] });
  }
}

/** Deletes a user with everything that hangs on it: permissions, tokens, settings, row filters. */
export function removeUser(state: State, id: string): void {
  state.users.delete(id);
  state.apiTokens.delete(id);
  state.userSettings.delete(id);
  forget(state, userRef(id));
}

/** Deletes a group; its members and child groups stay, without it. */
export function removeGroup(state: State, id: string): void {
  state.userGroups.delete(id);
  forget(state, groupRef(id));
}

function forget(state: State, gone: Ref): void {
  const isOther = (ref: Ref) => ref.id !== gone.id || ref.type !== gone.type;
  const kept = (list: Assigned[]) => list.filter(({ assignee }) => isOther(assignee));
  state.organizationPermissions = kept(state.organizationPermissions);
  for (const workspace of state.workspaces.values()) {
    workspace.permissions = kept(workspace.permissions);
    workspace.hierarchyPermissions = kept(workspace.hierarchyPermissions);
    for (const filter of [...workspace.userDataFilters.values()]) {
      if (!Object.values(filter.relationships).flat().every(isOther)) workspace.userDataFilters.delete(filter.id);
    }
  }
  for (const dataSource of state.dataSources.values()) dataSource.permissions = kept(dataSource.permissions);
  state.sightings.delete(`${gone.type}/${gone.id}`);
  for (const [key, list] of state.sightings) state.sightings.set(key, kept(list));
  for (const holder of [...state.users.values(), ...state.userGroups.values()]) {
    for (const [name, refs] of Object.entries(holder.relationships)) holder.relationships[name] = refs.filter(isOther);
  }
}

/** Compares ids the way listings are ordered: by code unit, so that the order is the same everywhere. */
export function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0;
}

/** Who gets in when the organization's own login hands over this authentication id: the first user id in the alphabet. */
export function userWhoLogsIn(state: State, authenticationId: string): string | undefined {
  return [...state.users.values()].filter((user) => user.attributes.authenticationId === authenticationId).sort(byId)[0]
    ?.id;
}
