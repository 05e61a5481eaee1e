import { list, nullable, oneOf, record, reference, text } from './check.ts';
import { refuseUnknown } from './entities.ts';
import { type Call, notFound, Refusal, type Reply } from './exchange.ts';
import { organizationPermissionsOf } from './permissions.ts';
import type { Route } from './routes.ts';
import type { Attributes, Ref } from './state.ts';

const ORGANIZATION = '/api/v1/entities/admin/organizations/{id}';

const ATTRIBUTES = record({
  name: nullable(text(255)),
  hostname: text(255),
  allowedOrigins: list(text(10_000)),
  earlyAccess: nullable(text(255)),
  earlyAccessValues: nullable(list(text(255))),
});

/** The organization itself, the redirect that finds it, and `/api/v1/profile`. */
export const ORGANIZATION_ROUTES: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/entities/organization',
    media: 'entities',
    needs: 'login',
    query: ['metaInclude'],
    handle: ({ state, url }) => ({
      status: 302,
      headers: { Location: `/api/v1/entities/admin/organizations/${state.organization.id}${url.search}` },
    }),
  },
  {
    method: 'GET',
    path: ORGANIZATION,
    media: 'entities',
    needs: 'admin',
    query: ['filter', 'include', 'metaInclude'],
    handle: (call) => show(call, { dataCenter: '', region: '' }),
  },
  ...(['PATCH', 'PUT'] as const).map(
    (method): Route => ({
      method,
      path: ORGANIZATION,
      media: 'entities',
      needs: 'admin',
      query: ['filter', 'include'],
      body: true,
      handle: change,
    }),
  ),
  { method: 'GET', path: '/api/v1/profile', media: 'json', needs: 'login', handle: profile },
];

function show(call: Call, readOnly: Attributes): Reply {
  const { id, attributes, relationships } = call.state.organization;
  if (call.params['id'] !== id) throw notFound();
  const wanted = (call.url.searchParams.get('include') ?? '').split(',');
  const provider = relationships['identityProvider']?.[0];
  const shown = provider && wanted.some((name) => ['ALL', 'identityProvider', 'identityProviders'].includes(name));
  const meta = call.url.searchParams.has('metaInclude')
    ? { meta: { permissions: organizationPermissionsOf(call.state, { id: call.caller.userId, type: 'user' }) } }
    : {};
  const data = {
    attributes: { ...attributes, ...readOnly },
    id,
    ...meta,
    ...(shown ? { relationships: { identityProvider: { data: provider } } } : {}),
    type: 'organization',
  };
  return { status: 200, json: { data, links: { self: `${call.url.origin}${call.url.pathname}${call.url.search}` } } };
}

function change(call: Call): Reply {
  const { organization } = call.state;
  if (call.params['id'] !== organization.id) throw notFound();
  const linkage = record({ data: nullable(reference(['identityProvider'])) }, ['data']);
  const members = {
    id: oneOf([organization.id]),
    type: oneOf(['organization']),
    attributes: ATTRIBUTES,
    relationships: record({ identityProvider: linkage }),
  };
  record({ data: record(members, ['id', 'type']) }, ['data'])(call.body, 'document');
  const { data } = call.body as {
    data: { attributes?: Attributes; relationships?: { identityProvider?: { data: Ref | null } } };
  };
  const provider = data.relationships?.identityProvider?.data;
  if (provider) refuseUnknown(call.state, [provider]);
  if (provider !== undefined) organization.relationships['identityProvider'] = provider ? [provider] : [];
  organization.attributes =
    call.method === 'PUT' ? { ...data.attributes } : { ...organization.attributes, ...data.attributes };
  return show(call, {});
}

/** Who the caller is and what the caller may do in the organization; the only call that every account may make. */
function profile(call: Call): Reply {
  const { state, caller, url } = call;
  const user = state.users.get(caller.userId);
  if (!user) throw new Refusal(404, `User with ID='${caller.userId}' is not registered`);
  const stored = [user.attributes.firstname, user.attributes.lastname].filter(Boolean).join(' ');
  return {
    status: 200,
    json: {
      entitlements: [],
      features: { context: { earlyAccess: '', earlyAccessValues: [] }, items: {} },
      links: {
        organization: `${url.origin}/api/v1/entities/admin/organizations/${state.organization.id}`,
        self: `${url.origin}/api/v1/profile`,
        user: `${url.origin}/api/v1/entities/users/${user.id}`,
      },
      name: caller.name ?? (stored === '' ? user.id : stored),
      organizationId: state.organization.id,
      organizationName: String(state.organization.attributes['name'] ?? ''),
      permissions: organizationPermissionsOf(state, { id: user.id, type: 'user' }),
      telemetryConfig: { context: { deploymentId: '', organizationHash: '', userHash: '' }, services: {} },
      userId: user.id,
    },
  };
}
