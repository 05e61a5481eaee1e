import { list } from '../gooddata/check.ts';
import { bodyOf, type Call, noRole, noUser, Refusal, type Reply } from './exchange.ts';
import { fieldsView, paged } from './pages.ts';
import { roleView } from './roles.ts';
import type { Route } from './routes.ts';
import type { Organization } from './state.ts';
import { userOf } from './users.ts';
import { words } from './words.ts';

const PAGING = ['page', 'per_page', 'include_totals'];
const MEMBERS = '/organizations/{id}/members';
const ROLES = `${MEMBERS}/{user_id}/roles`;

export const ORGANIZATION_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: MEMBERS,
    scopes: ['read:organization_members'],
    query: [...PAGING, 'fields', 'include_fields'],
    handle: listMembers,
  },
  {
    method: 'POST',
    path: MEMBERS,
    scopes: ['create:organization_members'],
    body: true,
    handle: (call) => changeMembers(call, ({ members }, id) => members.set(id, members.get(id) ?? [])),
  },
  {
    method: 'DELETE',
    path: MEMBERS,
    scopes: ['delete:organization_members'],
    body: true,
    handle: (call) => changeMembers(call, ({ members }, id) => members.delete(id)),
  },
  { method: 'GET', path: ROLES, scopes: ['read:organization_member_roles'], query: PAGING, handle: listRoles },
  {
    method: 'POST',
    path: ROLES,
    scopes: ['create:organization_member_roles'],
    body: true,
    handle: (call) => changeRoles(call, (held, sent) => [...new Set([...held, ...sent])]),
  },
  {
    method: 'DELETE',
    path: ROLES,
    scopes: ['delete:organization_member_roles'],
    body: true,
    handle: (call) => changeRoles(call, (held, sent) => held.filter((id) => !sent.includes(id))),
  },
  {
    method: 'GET',
    path: '/users/{id}/organizations',
    scopes: ['read:organizations'],
    query: PAGING,
    handle: (call) => {
      const { user_id } = userOf(call);
      const own = [...call.state.organizations.values()].filter(({ members }) => members.has(user_id));
      const show = ({ id, name, more }: Organization) => ({ id, name, ...more });
      return paged(call, own, { name: 'organizations', show });
    },
  },
];

function organizationOf(call: Call): Organization {
  const organization = call.state.organizations.get(call.params['id'] ?? '');
  if (!organization) throw new Refusal(404, 'No organization found by that id or name', 'inexistent_organization');
  return organization;
}

function memberOf(call: Call): { readonly organization: Organization; readonly id: string; readonly held: string[] } {
  const organization = organizationOf(call);
  const id = call.params['user_id'] ?? '';
  const held = organization.members.get(id);
  if (!held) throw new Refusal(400, 'The user is not a member of the organization.', 'inexistent_member');
  return { organization, id, held };
}

/** Roles are shown only when `fields` asks for them. */
function listMembers(call: Call): Reply {
  const view = fieldsView(call);
  const withRoles = call.url.searchParams.get('fields')?.split(',').includes('roles') ?? false;
  const show = ([userId, roles]: [string, string[]]) => {
    const { user_id = userId, email, picture, name } = call.state.users.get(userId) ?? {};
    const held = roles.map((id) => ({ id, name: call.state.roles.get(id)?.name }));
    const all = { user_id, email, picture, name, roles: withRoles ? held : undefined };
    return view(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
  };
  return paged(call, [...organizationOf(call).members], { name: 'members', show });
}

function changeMembers(call: Call, change: (organization: Organization, id: string) => void): Reply {
  const { members } = bodyOf<{ members: string[] }>(call, { members: list(words(255), 1) }, ['members']);
  const organization = organizationOf(call);
  if (members.some((id) => !call.state.users.has(id))) throw noUser();
  for (const id of members) change(organization, id);
  return { status: 204 };
}

function listRoles(call: Call): Reply {
  const roles = memberOf(call).held.flatMap((id) => call.state.roles.get(id) ?? []);
  return paged(call, roles, { name: 'roles', show: roleView });
}

function changeRoles(call: Call, change: (held: string[], sent: string[]) => string[]): Reply {
  const { roles } = bodyOf<{ roles: string[] }>(call, { roles: list(words(255), 1) }, ['roles']);
  const { organization, id, held } = memberOf(call);
  if (roles.some((role) => !call.state.roles.has(role))) throw noRole();
  organization.members.set(id, change(held, roles));
  return { status: 204 };
}
