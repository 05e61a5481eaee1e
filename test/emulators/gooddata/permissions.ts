import { type Assigned, byId, type Ref, type State, type Workspace } from './state.ts';

export const WORKSPACE_PERMISSIONS: readonly string[] = [
  'MANAGE',
  'ANALYZE',
  'EXPORT',
  'EXPORT_TABULAR',
  'EXPORT_PDF',
  'CREATE_AUTOMATION',
  'USE_AI_ASSISTANT',
  'WRITE_KNOWLEDGE_DOCUMENTS',
  'READ_KNOWLEDGE_DOCUMENTS',
  'CREATE_FILTER_VIEW',
  'VIEW',
];
export const ORGANIZATION_PERMISSIONS: readonly string[] = ['MANAGE', 'SELF_CREATE_TOKEN', 'BASE_UI_ACCESS'];
export const DATA_SOURCE_PERMISSIONS: readonly string[] = ['MANAGE', 'USE'];

/** The groups a user is in, those above them included, in the order of their ids. */
export function groupsOf(state: State, userId: string): string[] {
  return above(
    state,
    (state.users.get(userId)?.relationships['userGroups'] ?? []).map(({ id }) => id),
  );
}

function above(state: State, ids: readonly string[]): string[] {
  const found = new Set<string>();
  const open = [...ids];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (found.has(id)) continue;
    found.add(id);
    open.push(...(state.userGroups.get(id)?.relationships['parents'] ?? []).map((parent) => parent.id));
  }
  return [...found].sort();
}

/** The assignee itself and every group through which it gets permissions. */
export function identities(state: State, assignee: Ref): Ref[] {
  const ids = assignee.type === 'user' ? groupsOf(state, assignee.id) : above(state, [assignee.id]);
  const groups = ids.filter((id) => assignee.type === 'user' || id !== assignee.id);
  return [assignee, ...groups.map((id) => ({ id, type: 'userGroup' }))];
}

/** Names of the permissions in a list that anybody among these holds, in the vendor's order. */
export function namesHeld(list: readonly Assigned[], holders: readonly Ref[], order: readonly string[]): string[] {
  const held = list.filter(({ assignee }) =>
    holders.some(({ id, type }) => id === assignee.id && type === assignee.type),
  );
  return order.filter((name) => held.some((entry) => entry.name === name));
}

export function organizationPermissionsOf(state: State, assignee: Ref): string[] {
  return namesHeld(state.organizationPermissions, identities(state, assignee), ORGANIZATION_PERMISSIONS);
}

export function isAdmin(state: State, userId: string): boolean {
  return organizationPermissionsOf(state, { id: userId, type: 'user' }).includes('MANAGE');
}

/** What a user may do in a workspace: directly, through groups, from workspaces above, or as administrator. */
export function workspacePermissionsOf(state: State, userId: string, workspace: Workspace): string[] {
  if (isAdmin(state, userId)) return ['MANAGE'];
  const holders = identities(state, { id: userId, type: 'user' });
  const lists = [workspace.permissions];
  const seen = new Set<string>();
  for (let at: Workspace | undefined = workspace; at && !seen.has(at.id); ) {
    seen.add(at.id);
    lists.push(at.hierarchyPermissions);
    at = at.parent === undefined ? undefined : state.workspaces.get(at.parent);
  }
  return namesHeld(lists.flat(), holders, WORKSPACE_PERMISSIONS);
}

/** The workspaces a user may open, in the order of their ids. */
export function workspacesOf(state: State, userId: string): { workspace: Workspace; permissions: string[] }[] {
  return [...state.workspaces.values()]
    .sort(byId)
    .map((workspace) => ({ workspace, permissions: workspacePermissionsOf(state, userId, workspace) }))
    .filter(({ permissions }) => permissions.length > 0);
}

/** The list with what this assignee holds replaced by these names; everybody else's stay as they are. */
export function reassigned(list: readonly Assigned[], assignee: Ref, names: readonly string[]): Assigned[] {
  const others = list.filter((entry) => entry.assignee.id !== assignee.id || entry.assignee.type !== assignee.type);
  return [...others, ...names.map((name) => ({ assignee: { id: assignee.id, type: assignee.type }, name }))];
}
