import { type Call, fatal, jsonBody, type Reply, refuse } from './exchange.ts';
import { checkFields, type Field } from './fields.ts';
import type { Listing } from './lists.ts';
import { nextId, type State, type UserRow } from './state.ts';

type Body = Partial<Omit<UserRow, 'id' | 'owns' | 'login_count'>>;

const TEXT = { type: 'text' } as const satisfies Field;
const PUT_FIELDS: Readonly<Record<string, Field>> = {
  username: { type: 'text', length: [1, 250] },
  first_name: TEXT,
  last_name: TEXT,
  email: TEXT,
  password: TEXT,
  active: { type: 'flag' },
  roles: { type: 'ids' },
  groups: { type: 'ids' },
};
const REQUIRED = ['username', 'first_name', 'last_name', 'email', 'password'];
const POST_FIELDS: Readonly<Record<string, Field>> = Object.fromEntries(
  Object.entries(PUT_FIELDS).map(([name, field]) => [name, { ...field, required: REQUIRED.includes(name) }]),
);

export function listUsers(state: State): Listing<UserRow> {
  const columns = ['id', 'username', 'first_name', 'last_name', 'email', 'active', 'login_count'];
  return {
    records: state.users,
    searchable: [...columns, 'roles', 'groups', 'last_login', 'fail_login_count', 'created_on', 'changed_on'],
    orderable: columns,
    show: ({ password: _, owns: __, ...user }) => ({
      ...user,
      roles: user.roles.flatMap((id) => state.roles.get(id) ?? []),
      groups: user.groups.flatMap((id) => {
        const group = state.groups.get(id);
        return group === undefined
          ? []
          : [{ id, name: group.name, label: group.label, description: group.description }];
      }),
    }),
  };
}

export function postUser(call: Call): Reply {
  const { state } = call;
  const body = jsonBody(call) as Body;
  checkFields(body, POST_FIELDS, 400);
  if (!body.roles?.length && !body.groups?.length) {
    throw refuse(400, { _schema: ["At least one of 'roles' or 'groups' must be provided and non-empty."] });
  }
  refuseUnknown('Role', 'roles', body.roles, state.roles);
  refuseUnknown('Group', 'groups', body.groups, state.groups);
  const taken = takenColumn(state, body, undefined);
  if (taken !== undefined) throw refuse(422, `UNIQUE constraint failed: ab_user.${taken}`);
  const id = nextId(state.users);
  const user = { ...EMPTY, ...body, roles: sorted(body.roles), groups: sorted(body.groups), id };
  state.users.set(id, user);
  return { status: 201, json: { id } };
}

const EMPTY = {
  username: '',
  first_name: '',
  last_name: '',
  email: '',
  password: '',
  active: true,
  login_count: null,
  owns: 0,
};

export function putUser(call: Call, id: number): Reply {
  const { state } = call;
  const body = jsonBody(call) as Body;
  checkFields(body, PUT_FIELDS, 400);
  const user = state.users.get(id);
  const { roles, groups } = body;
  if (isEmpty(roles) && isEmpty(groups)) throw refuse(400, 'User must have at least one role or group!');
  if (user === undefined) throw fatal();
  if (isEmpty(roles) && groups === undefined && user.groups.length === 0) {
    throw refuse(400, 'Cannot clear all roles unless at least one group is assigned!');
  }
  if (isEmpty(groups) && roles === undefined && user.roles.length === 0) {
    throw refuse(400, 'Cannot clear all groups unless at least one role is assigned!');
  }
  const isUnknown = [...(roles ?? [])].some((role) => !state.roles.has(role));
  if (isUnknown || [...(groups ?? [])].some((group) => !state.groups.has(group))) throw fatal();
  if (takenColumn(state, body, id) !== undefined) throw fatal();
  Object.assign(user, body);
  user.roles = sorted(user.roles);
  user.groups = sorted(user.groups);
  return { status: 200, json: { result: body } };
}

export function deleteUser({ state }: Call, id: number): Reply {
  const user = state.users.get(id);
  if (user === undefined) throw refuse(404, 'Not found');
  if (user.owns > 0) {
    throw refuse(422, 'Database exception occurred: (sqlite3.IntegrityError) FOREIGN KEY constraint failed');
  }
  state.users.delete(id);
  return { status: 200, json: { message: 'OK' } };
}

function takenColumn(state: State, body: Body, own: number | undefined): 'username' | 'email' | undefined {
  const others = [...state.users.values()].filter(({ id }) => id !== own);
  return (['username', 'email'] as const).find((column) => others.some((other) => other[column] === body[column]));
}

function refuseUnknown(
  what: 'Role' | 'Group',
  member: 'roles' | 'groups',
  ids: readonly number[] | undefined,
  known: ReadonlyMap<number, unknown>,
): void {
  const unknown = (ids ?? []).filter((id) => !known.has(id));
  if (unknown.length > 0) throw refuse(400, { [member]: [`${what}(s) with ID(s) [${unknown.join(', ')}] not found.`] });
}

function isEmpty(list: readonly number[] | undefined): boolean {
  return list !== undefined && list.length === 0;
}

function sorted(ids: readonly number[] | undefined): number[] {
  return [...new Set(ids ?? [])].sort((a, b) => a - b);
}
