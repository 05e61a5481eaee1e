import { list, oneOf, record, reference, text } from './check.ts';
import { refuseUnknown } from './entities.ts';
import { type Call, notFound, numberFrom, Refusal, type Reply } from './exchange.ts';
import {
  DATA_SOURCE_PERMISSIONS,
  identities,
  namesHeld,
  organizationPermissionsOf,
  reassigned,
  WORKSPACE_PERMISSIONS,
} from './permissions.ts';
import type { Route } from './routes.ts';
import { byId, groupRef, type Ref, type State, type User, userRef } from './state.ts';

interface Grants {
  readonly id: string;
  readonly permissions: readonly string[];
  readonly hierarchyPermissions?: readonly string[];
}

interface Assignments {
  readonly assignees?: readonly Ref[];
  readonly workspaces?: readonly Grants[];
  readonly dataSources?: readonly Grants[];
}

const WORKSPACE_NAMES = list(oneOf(WORKSPACE_PERMISSIONS));
const ON_WORKSPACES = list(
  record({ id: text(255), name: text(255), permissions: WORKSPACE_NAMES, hierarchyPermissions: WORKSPACE_NAMES }, [
    'id',
    'permissions',
    'hierarchyPermissions',
  ]),
);
const ON_DATA_SOURCES = list(
  record({ id: text(255), name: text(255), permissions: list(oneOf(DATA_SOURCE_PERMISSIONS)) }, ['id', 'permissions']),
);
const EVERYTHING = { dataSources: ON_DATA_SOURCES, workspaces: ON_WORKSPACES };

/** The name shown for a user; undefined when the account has none. */
export function nameOf(user: User): string | undefined {
  const name = [user.attributes.firstname, user.attributes.lastname].filter(Boolean).join(' ');
  return name === '' ? undefined : name;
}

/** Permissions seen from the side of who holds them: of one assignee, and in bulk. */
export function permissionRoutes(base: string): Route[] {
  const bulk = (path: string, handle: Route['handle']): Route => ({
    method: 'POST',
    path: `${base}/${path}`,
    media: 'json',
    needs: 'admin',
    body: true,
    handle,
  });
  return [
    ...ofAssignee(`${base}/users/{userId}/permissions`, (call) => userRef(call.params['userId'] ?? '')),
    ...ofAssignee(`${base}/userGroups/{userGroupId}/permissions`, (call) => groupRef(call.params['userGroupId'] ?? '')),
    bulk('assignPermissions', (call) => forAssignees(call, assign)),
    bulk('revokePermissions', (call) => forAssignees(call, revoke)),
  ];
}

function ofAssignee(path: string, assigneeOf: (call: Call) => Ref): Route[] {
  const existing = (call: Call) => {
    const assignee = assigneeOf(call);
    if (!(assignee.type === 'user' ? call.state.users : call.state.userGroups).has(assignee.id)) throw notFound();
    return assignee;
  };
  return [
    {
      method: 'GET',
      path,
      media: 'json',
      needs: 'admin',
      query: ['includeInherited'],
      handle: (call) => {
        const assignee = existing(call);
        const inherited = call.url.searchParams.get('includeInherited') === 'true';
        return { status: 200, json: held(call.state, inherited ? identities(call.state, assignee) : [assignee]) };
      },
    },
    {
      method: 'POST',
      path,
      media: 'json',
      needs: 'admin',
      body: true,
      handle: (call) => {
        const assignee = existing(call);
        record(EVERYTHING, ['dataSources', 'workspaces'])(call.body, 'request');
        const sent = call.body as Assignments;
        refuseUnknownObjects(call.state, sent);
        for (const workspace of call.state.workspaces.values()) {
          const names = sent.workspaces?.find(({ id }) => id === workspace.id);
          workspace.permissions = reassigned(workspace.permissions, assignee, names?.permissions ?? []);
          const hierarchy = names?.hierarchyPermissions ?? [];
          workspace.hierarchyPermissions = reassigned(workspace.hierarchyPermissions, assignee, hierarchy);
        }
        for (const dataSource of call.state.dataSources.values()) {
          const names = sent.dataSources?.find(({ id }) => id === dataSource.id)?.permissions ?? [];
          dataSource.permissions = reassigned(dataSource.permissions, assignee, names);
        }
        return { status: 204 };
      },
    },
  ];
}

function refuseUnknownObjects(state: State, sent: Assignments): void {
  for (const { id } of sent.workspaces ?? []) {
    if (!state.workspaces.has(id)) throw new Refusal(400, `The workspace with id '${id}' does not exist.`);
  }
  for (const { id } of sent.dataSources ?? []) {
    if (!state.dataSources.has(id)) throw new Refusal(400, `The dataSource with id '${id}' does not exist.`);
  }
}

function held(state: State, holders: readonly Ref[]) {
  const dataSources = [...state.dataSources.values()].sort(byId).map(({ id, name, permissions }) => ({
    id,
    name,
    permissions: namesHeld(permissions, holders, DATA_SOURCE_PERMISSIONS),
  }));
  const workspaces = [...state.workspaces.values()]
    .sort(byId)
    .map(({ id, name, permissions, hierarchyPermissions }) => ({
      hierarchyPermissions: namesHeld(hierarchyPermissions, holders, WORKSPACE_PERMISSIONS),
      id,
      name,
      permissions: namesHeld(permissions, holders, WORKSPACE_PERMISSIONS),
    }));
  return {
    dataSources: dataSources.filter((entry) => entry.permissions.length > 0),
    workspaces: workspaces.filter((entry) => entry.permissions.length + entry.hierarchyPermissions.length > 0),
  };
}

type Change = (held: readonly string[], sent: readonly string[]) => readonly string[];

/** In the objects named, what an assignee had is replaced by what is sent. */
const assign: Change = (_held, sent) => sent;
const revoke: Change = (held, sent) => held.filter((name) => !sent.includes(name));

function forAssignees(call: Call, change: Change): Reply {
  const assignees = list(reference(['user', 'userGroup']), 1);
  record({ assignees, ...EVERYTHING }, ['assignees'])(call.body, 'request');
  const sent = call.body as Assignments;
  refuseUnknown(call.state, sent.assignees ?? []);
  refuseUnknownObjects(call.state, sent);
  for (const assignee of sent.assignees ?? []) {
    for (const { id, permissions, hierarchyPermissions } of sent.workspaces ?? []) {
      const workspace = call.state.workspaces.get(id);
      if (!workspace) continue;
      const direct = namesHeld(workspace.permissions, [assignee], WORKSPACE_PERMISSIONS);
      const below = namesHeld(workspace.hierarchyPermissions, [assignee], WORKSPACE_PERMISSIONS);
      workspace.permissions = reassigned(workspace.permissions, assignee, change(direct, permissions));
      const after = change(below, hierarchyPermissions ?? []);
      workspace.hierarchyPermissions = reassigned(workspace.hierarchyPermissions, assignee, after);
    }
    for (const { id, permissions } of sent.dataSources ?? []) {
      const dataSource = call.state.dataSources.get(id);
      if (!dataSource) continue;
      const before = namesHeld(dataSource.permissions, [assignee], DATA_SOURCE_PERMISSIONS);
      dataSource.permissions = reassigned(dataSource.permissions, assignee, change(before, permissions));
    }
  }
  return { status: 200 };
}

interface Item {
  readonly id: string;
  readonly name?: string;
  readonly userGroups?: readonly { readonly id: string }[];
  readonly workspaces: readonly { readonly id: string }[];
  readonly dataSources: readonly { readonly id: string }[];
}

function pageOf<T extends Item>(call: Call, items: readonly T[]): { totalCount: number; shown: T[] } {
  const wanted = (name: string) => call.url.searchParams.get(name);
  const [name, workspace, dataSource, group] = [
    wanted('name'),
    wanted('workspace'),
    wanted('dataSource'),
    wanted('group'),
  ];
  const matching = items.filter(
    (item) =>
      (name === null || (item.name ?? '').toLowerCase().includes(name.toLowerCase())) &&
      (workspace === null || item.workspaces.some(({ id }) => id === workspace)) &&
      (dataSource === null || item.dataSources.some(({ id }) => id === dataSource)) &&
      (group === null || (item.userGroups ?? []).some(({ id }) => id === group)),
  );
  const [page, size] = [numberFrom(call.url, 'page', 0), numberFrom(call.url, 'size', 20)];
  return { totalCount: matching.length, shown: matching.slice(page * size, (page + 1) * size) };
}

/** Users with their groups and their own permissions, in one call. */
export function listUsers(call: Call): Reply {
  const { state } = call;
  const items = [...state.users.values()].sort(byId).map((user) => {
    const name = nameOf(user);
    return {
      ...held(state, [userRef(user.id)]),
      ...(user.attributes.email === undefined ? {} : { email: user.attributes.email }),
      id: user.id,
      ...(name === undefined ? {} : { name }),
      organizationAdmin: organizationPermissionsOf(state, userRef(user.id)).includes('MANAGE'),
      systemAccount: user.attributes.systemAccount ?? false,
      userGroups: (user.relationships['userGroups'] ?? []).map(({ id }) => ({
        id,
        ...state.userGroups.get(id)?.attributes,
      })),
    };
  });
  const { totalCount, shown } = pageOf(call, items);
  return { status: 200, json: { totalCount, users: shown } };
}

export function listGroups(call: Call): Reply {
  const { state } = call;
  const items = [...state.userGroups.values()].sort(byId).map(({ id, attributes }) => ({
    ...held(state, [groupRef(id)]),
    id,
    ...attributes,
    organizationAdmin: organizationPermissionsOf(state, groupRef(id)).includes('MANAGE'),
    userCount: [...state.users.values()].filter((user) =>
      user.relationships['userGroups']?.some((ref) => ref.id === id),
    ).length,
  }));
  const { totalCount, shown } = pageOf(call, items);
  return { status: 200, json: { totalCount, userGroups: shown } };
}
