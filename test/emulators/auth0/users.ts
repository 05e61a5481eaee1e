import { list } from '../gooddata/check.ts';
import { badQuery, bodyOf, type Call, noRole, noUser, type Reply } from './exchange.ts';
import { parseQuery } from './lucene.ts';
import { fieldsView, paged } from './pages.ts';
import { roleView } from './roles.ts';
import type { Route } from './routes.ts';
import { type Role, removeUser, type State, settleSearch, type User } from './state.ts';
import { createUser, updateUser } from './user-writes.ts';
import { words } from './words.ts';

const FIELDS = ['fields', 'include_fields'];
const PAGING = ['page', 'per_page', 'include_totals'];

export const USER_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/users',
    scopes: ['read:users'],
    query: [...PAGING, ...FIELDS, 'sort', 'connection', 'q', 'search_engine', 'primary_order'],
    handle: listUsers,
  },
  { method: 'POST', path: '/users', scopes: ['create:users'], body: true, handle: createUser },
  {
    method: 'GET',
    path: '/users-by-email',
    scopes: ['read:users'],
    query: ['email', ...FIELDS],
    handle: byEmail,
  },
  {
    method: 'GET',
    path: '/users/{id}',
    scopes: ['read:users'],
    query: FIELDS,
    handle: (call) => ({ status: 200, json: fieldsView(call)(userOf(call)) }),
  },
  {
    method: 'PATCH',
    path: '/users/{id}',
    scopes: ['update:users', 'update:users_app_metadata'],
    body: true,
    handle: updateUser,
  },
  {
    method: 'DELETE',
    path: '/users/{id}',
    scopes: ['delete:users'],
    handle: (call) => {
      removeUser(call.state, call.params['id'] ?? '', call);
      return { status: 204 };
    },
  },
  { method: 'GET', path: '/users/{id}/roles', scopes: ['read:users', 'read:roles'], query: PAGING, handle: listRoles },
  {
    method: 'POST',
    path: '/users/{id}/roles',
    scopes: ['update:users', 'create:role_members'],
    body: true,
    handle: (call) => changeRoles(call, (role, id) => role.members.set(id, role.members.get(id) ?? call.now)),
  },
  {
    method: 'DELETE',
    path: '/users/{id}/roles',
    scopes: ['update:users', 'delete:role_members'],
    body: true,
    handle: (call) => changeRoles(call, (role, id) => role.members.delete(id)),
  },
];

/** @throws Refusal 404 `inexistent_user` */
export function userOf(call: Call): User {
  const user = call.state.users.get(call.params['id'] ?? '');
  if (!user) throw noUser();
  return user;
}

interface Sorted {
  readonly key: string;
  readonly rows: readonly User[];
}

/** The last answer and the last order: page after page is asked of the same. */
const answers = new WeakMap<State, Sorted>();
const orders = new WeakMap<State, Sorted>();

/** What the search index knows: behind the writes by its lag, and no further than the first 1,000 rows of any query. */
function listUsers(call: Call): Reply {
  const { state, url } = call;
  settleSearch(state, call.now);
  const engine = url.searchParams.get('search_engine') ?? 'v3';
  if (engine !== 'v3') throw badQuery(`search_engine ${engine} is not available`);
  if (url.searchParams.has('connection')) throw badQuery('connection cannot be used with search_engine v3');
  const [q, sort] = [url.searchParams.get('q') ?? '', url.searchParams.get('sort') ?? 'created_at:1'];
  if (!/^[a-zA-Z0-9_.]+:-?1$/.test(sort)) throw badQuery('String does not match pattern on property sort');
  const key = `${state.search.version}\n${sort}\n${q}`;
  const known = answers.get(state);
  const rows = known?.key === key ? known.rows : search(inOrder(state, sort), q);
  answers.set(state, { key, rows });
  return paged(call, rows, {
    name: 'users',
    withLength: true,
    minPerPage: 0,
    show: fieldsView(call),
    lost: (user) => state.search.lost.has(user.user_id),
  });
}

function search(rows: readonly User[], q: string): readonly User[] {
  return q.trim() === '' ? rows : rows.filter(parseQuery(q));
}

function inOrder(state: State, sort: string): readonly User[] {
  const key = `${state.search.version}\n${sort}`;
  const known = orders.get(state);
  if (known?.key === key) return known.rows;
  const [field = '', order] = sort.split(':');
  const direction = order === '-1' ? -1 : 1;
  const of = (user: User) => String(user[field] ?? '');
  const rows = [...state.search.rows.values()].sort((a, b) => {
    if (of(a) !== of(b)) return of(a) < of(b) ? -direction : direction;
    return a.user_id < b.user_id ? -1 : 1;
  });
  orders.set(state, { key, rows });
  return rows;
}

/** Exact, as it is stored: the database keeps addresses in lower case. */
function byEmail(call: Call): Reply {
  const email = call.url.searchParams.get('email');
  if (email === null) throw badQuery('Missing required property: email');
  const found = [...call.state.users.values()].filter((user) => user.email === email);
  return { status: 200, json: found.map(fieldsView(call)) };
}

function listRoles(call: Call): Reply {
  const { user_id } = userOf(call);
  const held = [...call.state.roles.values()].filter(({ members }) => members.has(user_id));
  return paged(call, held, { name: 'roles', show: roleView });
}

function changeRoles(call: Call, change: (role: Role, userId: string) => void): Reply {
  const { roles } = bodyOf<{ roles: string[] }>(call, { roles: list(words(255), 1) }, ['roles']);
  const { user_id } = userOf(call);
  const found = roles.map((id) => call.state.roles.get(id));
  if (found.some((role) => role === undefined)) throw noRole();
  for (const role of found) if (role) change(role, user_id);
  return { status: 204 };
}
