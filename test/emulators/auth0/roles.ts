import { list, text } from '../gooddata/check.ts';
import { badQuery, bodyOf, type Call, noRole, noUser, Refusal, type Reply } from './exchange.ts';
import { numberFrom, paged } from './pages.ts';
import type { Route } from './routes.ts';
import type { Role } from './state.ts';
import { words } from './words.ts';

const ROLE = { name: words(255), description: text(1_000) };
const PAGING = ['page', 'per_page', 'include_totals'];

export const ROLE_ROUTES: readonly Route[] = [
  { method: 'GET', path: '/roles', scopes: ['read:roles'], query: [...PAGING, 'name_filter'], handle: listRoles },
  { method: 'POST', path: '/roles', scopes: ['create:roles'], body: true, handle: createRole },
  {
    method: 'GET',
    path: '/roles/{id}',
    scopes: ['read:roles'],
    handle: (call) => ({ status: 200, json: roleView(roleOf(call)) }),
  },
  { method: 'PATCH', path: '/roles/{id}', scopes: ['update:roles'], body: true, handle: updateRole },
  {
    method: 'DELETE',
    path: '/roles/{id}',
    scopes: ['delete:roles'],
    handle: (call) => {
      call.state.roles.delete(roleOf(call).id);
      return { status: 200, json: {} };
    },
  },
  {
    method: 'GET',
    path: '/roles/{id}/users',
    scopes: ['read:users', 'read:roles', 'read:role_members'],
    query: [...PAGING, 'from', 'take'],
    handle: listMembers,
  },
  {
    method: 'POST',
    path: '/roles/{id}/users',
    scopes: ['create:role_members', 'update:roles'],
    body: true,
    handle: assignMembers,
  },
];

export function roleView({ members: _, ...shown }: Role): Omit<Role, 'members'> {
  return shown;
}

/** @throws Refusal 404 */
function roleOf(call: Call): Role {
  const role = call.state.roles.get(call.params['id'] ?? '');
  if (!role) throw noRole();
  return role;
}

/** `name_filter` is a part of the name, in any case. */
function listRoles(call: Call): Reply {
  const wanted = call.url.searchParams.get('name_filter')?.toLowerCase() ?? '';
  const roles = [...call.state.roles.values()].filter(({ name }) => name.toLowerCase().includes(wanted));
  return paged(call, roles, { name: 'roles', show: roleView });
}

function createRole(call: Call): Reply {
  const body = bodyOf<{ name: string; description?: string }>(call, ROLE, ['name']);
  refuseTaken(call, body.name);
  const role: Role = { id: call.newId('role'), ...body, members: new Map() };
  call.state.roles.set(role.id, role);
  return { status: 200, json: roleView(role) };
}

function updateRole(call: Call): Reply {
  const body = bodyOf<{ name?: string; description?: string }>(call, ROLE);
  const role = roleOf(call);
  if (body.name !== undefined && body.name !== role.name) refuseTaken(call, body.name);
  Object.assign(role, body);
  return { status: 200, json: roleView(role) };
}

function refuseTaken(call: Call, name: string): void {
  const taken = [...call.state.roles.values()].some((role) => role.name === name);
  if (taken) throw new Refusal(409, `The specified role name "${name}" is already in use.`, 'role_conflict');
}

interface Member {
  readonly userId: string;
  readonly at: number;
}

/** By page number for the first 1,000; by `take` and `from` without an end, the last page then has no `next`. */
function listMembers(call: Call): Reply {
  const members = [...roleOf(call).members]
    .map(([userId, at]): Member => ({ userId, at }))
    .sort((a, b) => a.at - b.at || (a.userId < b.userId ? -1 : 1));
  const show = ({ userId }: Member) => {
    const { user_id, email, picture, name } = call.state.users.get(userId) ?? { user_id: userId };
    return Object.fromEntries(Object.entries({ user_id, email, picture, name }).filter(([, v]) => v !== undefined));
  };
  const { searchParams } = call.url;
  if (!searchParams.has('take') && !searchParams.has('from')) return paged(call, members, { name: 'users', show });
  const take = numberFrom(call.url, 'take', 50, 1, 100);
  const from = searchParams.get('from');
  const start = from === null ? 0 : startAfter(members, from);
  const page = members.slice(start, start + take);
  const last = page.at(-1);
  const next = last !== undefined && start + take < members.length ? { next: checkpoint(last) } : {};
  return { status: 200, json: { users: page.map(show), ...next } };
}

/** The recorded shape: base64 of the moment in microseconds and the id of the last member shown. */
function checkpoint({ userId, at }: Member): string {
  const moment = new Date(at).toISOString().replace('T', ' ').replace('Z', '000UTC');
  return Buffer.from(`${moment},${userId}`).toString('base64').replace(/=+$/, '');
}

function startAfter(members: readonly Member[], from: string): number {
  const [moment = '', userId = ''] = Buffer.from(from, 'base64').toString().split(/,(.*)/s);
  const at = Date.parse(moment.replace(' ', 'T').replace('000UTC', 'Z'));
  if (Number.isNaN(at)) throw badQuery('Invalid checkpoint on property from');
  const index = members.findIndex((member) => member.at > at || (member.at === at && member.userId > userId));
  return index === -1 ? members.length : index;
}

function assignMembers(call: Call): Reply {
  const { users } = bodyOf<{ users: string[] }>(call, { users: list(words(255), 1) }, ['users']);
  const role = roleOf(call);
  if (users.some((id) => !call.state.users.has(id))) throw noUser();
  for (const id of users) role.members.set(id, role.members.get(id) ?? call.now);
  return { status: 200, json: {} };
}
