import { type Check, flag, identifier, jsonObject, list, oneOf, record, reference, text } from './check.ts';
import { IDENTITY_PROVIDER, withoutSecret } from './collections.ts';
import { refuseUnknown } from './entities.ts';
import { type Call, notFound, Refusal, type Reply } from './exchange.ts';
import { ORGANIZATION_PERMISSIONS, WORKSPACE_PERMISSIONS } from './permissions.ts';
import type { Route } from './routes.ts';
import { SETTING_TYPES } from './setting-types.ts';
import {
  type Assigned,
  type Attributes,
  byId,
  type Entity,
  type Ref,
  removeGroup,
  removeUser,
  type State,
} from './state.ts';

type DeclaredUser = {
  id: string;
  authId?: string;
  userGroups?: Ref[];
  permissions?: Assigned[];
  settings?: { id: string; type?: string; content?: Attributes }[];
  [attribute: string]: unknown;
};
type DeclaredGroup = { id: string; name?: string; parents?: Ref[]; permissions?: Assigned[] };

function assigned(names: readonly string[]): Check {
  return list(record({ assignee: reference(['user', 'userGroup']), name: oneOf(names) }, ['assignee', 'name']));
}

const SIGHT = assigned(['SEE']);
const GROUP_LIST = list(
  record({ id: identifier, name: text(255), parents: list(reference(['userGroup'])), permissions: SIGHT }, ['id']),
);
const USER_LIST = list(
  record(
    {
      id: identifier,
      authId: text(255),
      email: text(255),
      firstname: text(255),
      lastname: text(255),
      systemAccount: flag,
      userGroups: list(reference(['userGroup'])),
      permissions: SIGHT,
      settings: list(record({ id: identifier, type: oneOf(SETTING_TYPES), content: jsonObject(15_000) }, ['id'])),
    },
    ['id'],
  ),
);

/** The declarative API. Each PUT replaces the whole: what is left out of it is deleted. */
export const LAYOUT_ROUTES: readonly Route[] = [
  ...pair('/api/v1/layout/users', showUsers, (call) => {
    record({ users: USER_LIST }, ['users'])(call.body, 'layout');
    replaceUsers(call.state, (call.body as { users: DeclaredUser[] }).users, new Set(call.state.userGroups.keys()));
  }),
  ...pair('/api/v1/layout/userGroups', showGroups, (call) => {
    record({ userGroups: GROUP_LIST }, ['userGroups'])(call.body, 'layout');
    replaceGroups(call.state, (call.body as { userGroups: DeclaredGroup[] }).userGroups);
  }),
  ...pair(
    '/api/v1/layout/usersAndUserGroups',
    (state) => ({ ...showGroups(state), ...showUsers(state) }),
    (call) => {
      record({ users: USER_LIST, userGroups: GROUP_LIST }, ['users', 'userGroups'])(call.body, 'layout');
      const { users, userGroups } = call.body as { users: DeclaredUser[]; userGroups: DeclaredGroup[] };
      const known = new Set(userGroups.map(({ id }) => id));
      refuseStrangers(users, known);
      replaceGroups(call.state, userGroups);
      replaceUsers(call.state, users, known);
    },
  ),
  ...pair(
    '/api/v1/layout/organization/permissions',
    (state) => inOrder(state.organizationPermissions),
    (call) => {
      assigned(ORGANIZATION_PERMISSIONS)(call.body, 'layout');
      call.state.organizationPermissions = known(call, call.body as Assigned[]);
    },
  ),
  ...pair('/api/v1/layout/identityProviders', showProviders, replaceProviders),
  ...sightings('user'),
  ...sightings('userGroup'),
  {
    method: 'GET',
    path: '/api/v1/layout/workspaces/{workspaceId}/permissions',
    media: 'json',
    needs: 'manage-workspace',
    handle: showWorkspace,
  },
  {
    method: 'PUT',
    path: '/api/v1/layout/workspaces/{workspaceId}/permissions',
    media: 'json',
    needs: 'manage-workspace',
    body: true,
    handle: replaceWorkspace,
  },
];

function pair(path: string, show: (state: State) => unknown, replace: (call: Call) => void): Route[] {
  const handle = (call: Call): Reply => {
    replace(call);
    return { status: 204 };
  };
  return [
    { method: 'GET', path, media: 'json', needs: 'admin', handle: ({ state }) => ({ status: 200, json: show(state) }) },
    { method: 'PUT', path, media: 'json', needs: 'admin', body: true, handle },
  ];
}

function showUsers(state: State) {
  const users = [...state.users.values()].sort(byId).map(({ id, attributes, relationships }) => {
    const { authenticationId, ...rest } = attributes;
    const settings = [...(state.userSettings.get(id)?.values() ?? [])].sort(byId);
    return {
      ...(authenticationId === undefined ? {} : { authId: authenticationId }),
      ...rest,
      id,
      permissions: state.sightings.get(`user/${id}`) ?? [],
      settings: settings.map((setting) => ({ id: setting.id, ...setting.attributes })),
      userGroups: relationships['userGroups'] ?? [],
    };
  });
  return { users };
}

function showGroups(state: State) {
  const userGroups = [...state.userGroups.values()].sort(byId).map(({ id, attributes, relationships }) => ({
    id,
    ...attributes,
    ...(relationships['parents']?.length ? { parents: relationships['parents'] } : {}),
    permissions: state.sightings.get(`userGroup/${id}`) ?? [],
  }));
  return { userGroups };
}

function refuseDoubles(entries: readonly { readonly id: string }[]): void {
  const seen = new Set<string>();
  for (const { id } of entries) {
    if (seen.has(id)) throw new Refusal(400, `The id '${id}' is there twice.`);
    seen.add(id);
  }
}

function refuseStrangers(users: readonly DeclaredUser[], groups: ReadonlySet<string>): void {
  refuseDoubles(users);
  for (const ref of users.flatMap(({ userGroups }) => userGroups ?? [])) {
    if (!groups.has(ref.id)) throw new Refusal(400, `The userGroup with id '${ref.id}' does not exist.`);
  }
}

function replaceUsers(state: State, users: readonly DeclaredUser[], groups: ReadonlySet<string>): void {
  refuseStrangers(users, groups);
  const kept = new Set(users.map(({ id }) => id));
  for (const id of [...state.users.keys()]) if (!kept.has(id)) removeUser(state, id);
  for (const { id, authId, userGroups, permissions, settings, ...rest } of users) {
    const attributes = { ...(authId === undefined ? {} : { authenticationId: authId }), ...rest };
    state.users.set(id, { id, attributes, relationships: { userGroups: userGroups ?? [] } });
    state.sightings.set(`user/${id}`, permissions ?? []);
    const own = (settings ?? []).map(({ id: settingId, ...content }): [string, Entity] => [
      settingId,
      { id: settingId, attributes: content, relationships: {} },
    ]);
    state.userSettings.set(id, new Map(own));
  }
}

function replaceGroups(state: State, groups: readonly DeclaredGroup[]): void {
  refuseDoubles(groups);
  const kept = new Set(groups.map(({ id }) => id));
  for (const ref of groups.flatMap(({ parents }) => parents ?? [])) {
    if (!kept.has(ref.id)) throw new Refusal(400, `The userGroup with id '${ref.id}' does not exist.`);
  }
  for (const id of [...state.userGroups.keys()]) if (!kept.has(id)) removeGroup(state, id);
  for (const { id, name, parents, permissions } of groups) {
    const attributes = name === undefined ? {} : { name };
    state.userGroups.set(id, { id, attributes, relationships: { parents: parents ?? [] } });
    state.sightings.set(`userGroup/${id}`, permissions ?? []);
  }
}

/** Permissions are listed by assignee: users before groups, each in the order of ids. */
function inOrder(list: readonly Assigned[]): Assigned[] {
  return [...list].sort((a, b) => {
    if (a.assignee.type !== b.assignee.type) return a.assignee.type === 'user' ? -1 : 1;
    return byId(a.assignee, b.assignee);
  });
}

function known(call: Call, list: readonly Assigned[]): Assigned[] {
  refuseUnknown(
    call.state,
    list.map(({ assignee }) => assignee),
  );
  return [...list];
}

function showWorkspace(call: Call): Reply {
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  const hierarchyPermissions = inOrder(workspace.hierarchyPermissions);
  return { status: 200, json: { hierarchyPermissions, permissions: inOrder(workspace.permissions) } };
}

function replaceWorkspace(call: Call): Reply {
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  const each = assigned(WORKSPACE_PERMISSIONS);
  record({ permissions: each, hierarchyPermissions: each })(call.body, 'layout');
  const sent = call.body as { permissions?: Assigned[]; hierarchyPermissions?: Assigned[] };
  const [permissions, hierarchy] = [known(call, sent.permissions ?? []), known(call, sent.hierarchyPermissions ?? [])];
  workspace.permissions = permissions;
  workspace.hierarchyPermissions = hierarchy;
  return { status: 204 };
}

function sightings(type: 'user' | 'userGroup'): Route[] {
  const [path, parameter] = type === 'user' ? ['users', 'userId'] : ['userGroups', 'userGroupId'];
  const key = ({ state, params }: Call) => {
    const id = params[parameter] ?? '';
    if (!(type === 'user' ? state.users : state.userGroups).has(id)) throw notFound();
    return `${type}/${id}`;
  };
  const common = { path: `/api/v1/layout/${path}/{${parameter}}/permissions`, media: 'json', needs: 'admin' } as const;
  return [
    {
      ...common,
      method: 'GET',
      handle: (call) => ({ status: 200, json: { permissions: call.state.sightings.get(key(call)) ?? [] } }),
    },
    {
      ...common,
      method: 'PUT',
      body: true,
      handle: (call) => {
        record({ permissions: SIGHT })(call.body, 'layout');
        const sent = (call.body as { permissions?: Assigned[] }).permissions ?? [];
        call.state.sightings.set(key(call), known(call, sent));
        return { status: 204 };
      },
    },
  ];
}

function showProviders(state: State) {
  return [...state.identityProviders.values()]
    .sort(byId)
    .map(({ id, attributes }) => ({ id, ...withoutSecret(attributes) }));
}

function replaceProviders(call: Call): void {
  list(record({ id: identifier, ...IDENTITY_PROVIDER }, ['id']))(call.body, 'layout');
  const providers = call.body as { id: string; [attribute: string]: unknown }[];
  refuseDoubles(providers);
  call.state.identityProviders.clear();
  for (const { id, ...attributes } of providers)
    call.state.identityProviders.set(id, { id, attributes, relationships: {} });
}
