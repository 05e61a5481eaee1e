import { type Call, fatal, jsonBody, type Reply, refuse } from './exchange.ts';
import { checkFields, type Field } from './fields.ts';
import type { Listing } from './lists.ts';
import { type GroupRow, nextId, type RoleRow, type State } from './state.ts';

/*
 * Roles and groups. They refuse the same mistakes in different ways, because Superset writes the one with the generic
 * code of its framework and the other with code of its own.
 */

const ROLE_FIELDS: Readonly<Record<string, Field>> = { name: { type: 'text', required: true, length: [0, 64] } };
const GROUP_FIELDS: Readonly<Record<string, Field>> = {
  name: { type: 'text', length: [1, 100] },
  label: { type: 'text or null', length: [0, 150] },
  description: { type: 'text or null', length: [0, 512] },
  roles: { type: 'ids' },
  users: { type: 'ids' },
};

export function listRoles({ roles }: State): Listing<RoleRow> {
  return { records: roles, searchable: ['id', 'name'], orderable: ['id', 'name'], show: (role) => ({ ...role }) };
}

export function listGroups({ groups, roles, users }: State): Listing<GroupRow> {
  return {
    records: groups,
    searchable: ['id', 'name', 'label', 'description'],
    orderable: ['id', 'name', 'label', 'description'],
    show: (group) => ({
      ...group,
      roles: group.roles.flatMap((id) => roles.get(id) ?? []),
      users: [...users.values()]
        .filter((user) => user.groups.includes(group.id))
        .map(({ id, username }) => ({ id, username })),
    }),
  };
}

export function postRole(call: Call): Reply {
  const { roles } = call.state;
  const body = jsonBody(call);
  checkFields(body, ROLE_FIELDS, 422);
  const name = String(body['name']);
  if (isTaken(roles, name)) throw fatal();
  const id = nextId(roles);
  roles.set(id, { id, name });
  return { status: 201, json: { id, result: { name } } };
}

export function putRole(call: Call, id: number): Reply {
  const { roles } = call.state;
  const role = roles.get(id);
  if (role === undefined) throw refuse(404, 'Not found');
  const body = jsonBody(call);
  checkFields(body, ROLE_FIELDS, 422);
  const name = String(body['name']);
  if (isTaken(roles, name, id))
    throw refuse(422, 'Database exception occurred: UNIQUE constraint failed: ab_role.name');
  role.name = name;
  return { status: 200, json: { result: { name } } };
}

export function deleteRole({ state }: Call, id: number): Reply {
  if (!state.roles.delete(id)) throw refuse(404, 'Not found');
  for (const user of state.users.values()) user.roles = user.roles.filter((role) => role !== id);
  for (const group of state.groups.values()) group.roles = group.roles.filter((role) => role !== id);
  return { status: 200, json: { message: 'OK' } };
}

export function postGroup(call: Call): Reply {
  const { groups } = call.state;
  const body = jsonBody(call);
  checkFields(body, { ...GROUP_FIELDS, name: { type: 'text', required: true, length: [1, 100] } }, 400);
  refuseStrangers(call.state, body);
  const name = String(body['name']);
  if (isTaken(groups, name)) throw refuse(422, 'UNIQUE constraint failed: ab_group.name');
  const id = nextId(groups);
  const { label = null, description = null, roles = [] } = body as Partial<GroupRow>;
  groups.set(id, { id, name, label, description, roles: [...roles] });
  setMembers(call.state, id, body['users']);
  return { status: 201, json: { id } };
}

export function putGroup(call: Call, id: number): Reply {
  const { groups } = call.state;
  const body = jsonBody(call);
  checkFields(body, GROUP_FIELDS, 400);
  const group = groups.get(id);
  if (group === undefined) throw refuse(404, 'Not found');
  refuseStrangers(call.state, body);
  if (typeof body['name'] === 'string' && isTaken(groups, body['name'], id)) throw fatal();
  const { users, ...columns } = body;
  Object.assign(group, columns);
  setMembers(call.state, id, users);
  return { status: 200, json: { result: body } };
}

export function deleteGroup({ state }: Call, id: number): Reply {
  if (!state.groups.delete(id)) throw refuse(404, 'Not found');
  for (const user of state.users.values()) user.groups = user.groups.filter((group) => group !== id);
  return { status: 200, json: { message: 'OK' } };
}

function refuseStrangers(state: State, body: Readonly<Record<string, unknown>>): void {
  for (const [member, known] of [
    ['roles', state.roles],
    ['users', state.users],
  ] as const) {
    const unknown = ((body[member] ?? []) as readonly number[]).filter((id) => !known.has(id));
    if (unknown.length > 0) throw refuse(400, { [member]: [`ID(s) [${unknown.join(', ')}] do not exist.`] });
  }
}

function setMembers({ users }: State, id: number, members: unknown): void {
  if (!Array.isArray(members)) return;
  for (const user of users.values()) {
    const others = user.groups.filter((group) => group !== id);
    user.groups = members.includes(user.id) ? [...others, id].sort((a, b) => a - b) : others;
  }
}

function isTaken(
  records: ReadonlyMap<number, { readonly id: number; readonly name: string }>,
  name: string,
  own = 0,
): boolean {
  return [...records.values()].some((record) => record.name === name && record.id !== own);
}
