import { identifier, list, oneOf, record, reference, text } from './check.ts';
import { refuseUnknown } from './entities.ts';
import { type Call, notFound, type Reply } from './exchange.ts';
import { ORGANIZATION_PERMISSIONS, reassigned, WORKSPACE_PERMISSIONS, workspacePermissionsOf } from './permissions.ts';
import type { Route } from './routes.ts';
import { byId, groupRef, type Ref, removeGroup, removeUser, type User } from './state.ts';
import { listGroups, listUsers, nameOf, permissionRoutes } from './user-management.ts';

const ASSIGNEE = reference(['user', 'userGroup']);
const WORKSPACE_NAMES = list(oneOf(WORKSPACE_PERMISSIONS));
const USER_MANAGEMENT = '/api/v1/actions/userManagement';

interface Assignment {
  readonly assigneeIdentifier: Ref;
  readonly permissions?: readonly string[];
  readonly hierarchyPermissions?: readonly string[];
}

/** The actions API: permissions of single assignees, members of groups, bulk deletion, overviews. */
export const ACTION_ROUTES: readonly Route[] = [
  action('POST', '/api/v1/actions/workspaces/{workspaceId}/managePermissions', manageWorkspace, 'manage-workspace'),
  action('POST', '/api/v1/actions/organization/managePermissions', manageOrganization),
  action('POST', '/api/v1/actions/organization/switchActiveIdentityProvider', switchProvider),
  action('POST', `${USER_MANAGEMENT}/userGroups/{userGroupId}/addMembers`, (call) => changeMembers(call, true)),
  action('POST', `${USER_MANAGEMENT}/userGroups/{userGroupId}/removeMembers`, (call) => changeMembers(call, false)),
  action('POST', `${USER_MANAGEMENT}/removeUsersUserGroups`, removeMany),
  ...permissionRoutes(USER_MANAGEMENT),
  { ...query(`${USER_MANAGEMENT}/users`, ['workspace', 'group', 'dataSource']), handle: listUsers },
  { ...query(`${USER_MANAGEMENT}/userGroups`, ['workspace', 'dataSource']), handle: listGroups },
  {
    method: 'GET',
    path: `${USER_MANAGEMENT}/userGroups/{userGroupId}/members`,
    media: 'json',
    needs: 'admin',
    handle: (call) => ({ status: 200, json: { members: members(call).map(named) } }),
  },
  { ...query('/api/v1/actions/workspaces/{workspaceId}/users', []), needs: 'manage-workspace', handle: workspaceUsers },
  {
    ...query('/api/v1/actions/workspaces/{workspaceId}/userGroups', []),
    needs: 'manage-workspace',
    handle: workspaceGroups,
  },
];

function action(method: string, path: string, handle: Route['handle'], needs: Route['needs'] = 'admin'): Route {
  return { method, path, media: 'json', needs, body: true, handle };
}

function query(path: string, more: readonly string[]): Omit<Route, 'handle'> {
  return { method: 'GET', path, media: 'json', needs: 'admin', query: ['page', 'size', 'name', ...more] };
}

/** Sets what each named assignee has in this workspace; the permissions of everybody else stay. */
function manageWorkspace(call: Call): Reply {
  const members = { assigneeIdentifier: ASSIGNEE, permissions: WORKSPACE_NAMES, hierarchyPermissions: WORKSPACE_NAMES };
  list(record(members, ['assigneeIdentifier']))(call.body, 'assignments');
  const assignments = call.body as Assignment[];
  refuseUnknown(
    call.state,
    assignments.map(({ assigneeIdentifier }) => assigneeIdentifier),
  );
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  for (const { assigneeIdentifier, permissions, hierarchyPermissions } of assignments) {
    workspace.permissions = reassigned(workspace.permissions, assigneeIdentifier, permissions ?? []);
    workspace.hierarchyPermissions = reassigned(
      workspace.hierarchyPermissions,
      assigneeIdentifier,
      hierarchyPermissions ?? [],
    );
  }
  return { status: 204 };
}

function manageOrganization(call: Call): Reply {
  const members = { assigneeIdentifier: ASSIGNEE, permissions: list(oneOf(ORGANIZATION_PERMISSIONS)) };
  list(record(members, ['assigneeIdentifier', 'permissions']))(call.body, 'assignments');
  const assignments = call.body as Assignment[];
  refuseUnknown(
    call.state,
    assignments.map(({ assigneeIdentifier }) => assigneeIdentifier),
  );
  for (const { assigneeIdentifier, permissions } of assignments) {
    const { organizationPermissions } = call.state;
    call.state.organizationPermissions = reassigned(organizationPermissions, assigneeIdentifier, permissions ?? []);
  }
  return { status: 204 };
}

function switchProvider(call: Call): Reply {
  record({ idpId: text(255) }, ['idpId'])(call.body, 'request');
  const { idpId } = call.body as { idpId: string };
  refuseUnknown(call.state, [{ id: idpId, type: 'identityProvider' }]);
  call.state.activeIdentityProvider = idpId;
  return { status: 204 };
}

function groupOf(call: Call): string {
  const id = call.params['userGroupId'] ?? '';
  if (!call.state.userGroups.has(id)) throw notFound();
  return id;
}

function members(call: Call): User[] {
  const id = groupOf(call);
  return [...call.state.users.values()]
    .filter((user) => user.relationships['userGroups']?.some((ref) => ref.id === id))
    .sort(byId);
}

function named(user: User): { id: string; name?: string } {
  const name = nameOf(user);
  return name === undefined ? { id: user.id } : { id: user.id, name };
}

/** Adds or removes single members and touches nothing else of the users. Adding one who is in already is no error. */
function changeMembers(call: Call, add: boolean): Reply {
  const id = groupOf(call);
  record({ members: list(record({ id: identifier, name: text(511) }, ['id'])) }, ['members'])(call.body, 'request');
  const sent = (call.body as { members: { id: string }[] }).members;
  refuseUnknown(
    call.state,
    sent.map((member) => ({ id: member.id, type: 'user' })),
  );
  for (const member of sent) {
    const user = call.state.users.get(member.id) as User;
    const others = (user.relationships['userGroups'] ?? []).filter((ref) => ref.id !== id);
    user.relationships['userGroups'] = add ? [...others, groupRef(id)] : others;
  }
  return { status: 204 };
}

/** Despite its path this deletes users and groups. */
function removeMany(call: Call): Reply {
  list(ASSIGNEE)(call.body, 'request');
  const refs = call.body as Ref[];
  refuseUnknown(call.state, refs);
  for (const { id, type } of refs) {
    if (type === 'user') removeUser(call.state, id);
    else removeGroup(call.state, id);
  }
  return { status: 200 };
}

function workspaceUsers(call: Call): Reply {
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  const users = [...call.state.users.values()]
    .filter((user) => workspacePermissionsOf(call.state, user.id, workspace).length > 0)
    .sort(byId)
    .map((user) => ({
      ...named(user),
      ...(user.attributes.email === undefined ? {} : { email: user.attributes.email }),
    }));
  return { status: 200, json: { totalCount: users.length, users } };
}

function workspaceGroups(call: Call): Reply {
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  const holders = [...workspace.permissions, ...workspace.hierarchyPermissions].map(({ assignee }) => assignee);
  const userGroups = [...call.state.userGroups.values()]
    .filter((group) => holders.some(({ id, type }) => type === 'userGroup' && id === group.id))
    .sort(byId)
    .map(({ id, attributes }) => ({ id, ...attributes }));
  return { status: 200, json: { totalCount: userGroups.length, userGroups } };
}
