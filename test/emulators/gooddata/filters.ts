import { type Check, flag, identifier, list, record, reference, text } from './check.ts';
import type { Collection, View } from './collections.ts';
import { entityRoutes, refuseUnknown } from './entities.ts';
import { type Call, notFound, Refusal } from './exchange.ts';
import type { Route } from './routes.ts';
import { byId, type Entity, type Ref, type Workspace } from './state.ts';

const ATTRIBUTES: Readonly<Record<string, Check>> = {
  areRelationsValid: flag,
  maql: text(10_000),
  tags: list(text(255)),
  title: text(255),
};

function workspaceOf(call: Call): Workspace {
  const workspace = call.state.workspaces.get(call.params['workspaceId'] ?? '');
  if (!workspace) throw notFound();
  return workspace;
}

function view(call: Call, entity: Entity): View {
  const workspace = workspaceOf(call);
  const { areRelationsValid: _, ...attributes } = entity.attributes;
  const labels = [...String(attributes['maql']).matchAll(/\{label\/([.A-Za-z0-9_-]+)\}/g)].map(
    (match) => match[1] ?? '',
  );
  const asked = call.method === 'GET' && call.headers['x-gdc-validate-relations'] === 'true';
  const valid = labels.every((id) => workspace.labels.has(id));
  return {
    attributes: { ...(asked ? { areRelationsValid: valid } : {}), ...attributes },
    relationships: { ...entity.relationships, labels: labels.map((id) => ({ id, type: 'label' })) },
    meta: { origin: { originId: workspace.id, originType: 'NATIVE' } },
  };
}

/** Row filters: a MAQL condition for one user or one group. */
const USER_DATA_FILTERS: Collection = {
  type: 'userDataFilter',
  path: '/api/v1/entities/workspaces/{workspaceId}/userDataFilters',
  attributes: ATTRIBUTES,
  required: ['maql'],
  relationships: { user: { type: 'user', many: false }, userGroup: { type: 'userGroup', many: false } },
  includes: {
    users: ['user'],
    user: ['user'],
    userGroups: ['userGroup'],
    userGroup: ['userGroup'],
    labels: ['labels'],
    facts: [],
    attributes: [],
    metrics: [],
    datasets: [],
    parameters: [],
  },
  metaIncludes: ['origin'],
  read: 'view-workspace',
  write: 'manage-workspace',
  methods: ['POST', 'PUT', 'PATCH', 'DELETE'],
  store: (call) => workspaceOf(call).userDataFilters,
  view,
  examine: (_call, entity) => {
    if (entity.relationships['user']?.length && entity.relationships['userGroup']?.length) {
      throw new Refusal(400, 'A filter is for a user or for a group, not for both.');
    }
  },
};

const LAYOUT = '/api/v1/layout/workspaces/{workspaceId}/userDataFilters';
const DECLARED = record(
  {
    userDataFilters: list(
      record(
        {
          id: identifier,
          maql: text(10_000),
          tags: list(text(255)),
          title: text(255),
          user: reference(['user']),
          userGroup: reference(['userGroup']),
        },
        ['id', 'maql', 'title'],
      ),
    ),
  },
  ['userDataFilters'],
);

type Declared = { id: string; user?: Ref; userGroup?: Ref; [attribute: string]: unknown };

/** Row filters in the entities API and in the layout, where PUT replaces all of them. */
export const FILTER_ROUTES: readonly Route[] = [
  ...entityRoutes(USER_DATA_FILTERS),
  {
    method: 'GET',
    path: LAYOUT,
    media: 'json',
    needs: 'manage-workspace',
    handle: (call) => {
      const userDataFilters = [...workspaceOf(call).userDataFilters.values()].sort(byId).map((filter) => ({
        id: filter.id,
        ...filter.attributes,
        ...(filter.relationships['user']?.[0] ? { user: filter.relationships['user'][0] } : {}),
        ...(filter.relationships['userGroup']?.[0] ? { userGroup: filter.relationships['userGroup'][0] } : {}),
      }));
      return { status: 200, json: { userDataFilters } };
    },
  },
  {
    method: 'PUT',
    path: LAYOUT,
    media: 'json',
    needs: 'manage-workspace',
    body: true,
    handle: (call) => {
      DECLARED(call.body, 'layout');
      const { userDataFilters } = call.body as { userDataFilters: Declared[] };
      refuseUnknown(
        call.state,
        userDataFilters.flatMap(({ user, userGroup }) => [user, userGroup].filter((ref) => ref !== undefined)),
      );
      const store = workspaceOf(call).userDataFilters;
      store.clear();
      for (const { id, user, userGroup, ...attributes } of userDataFilters) {
        const relationships = { ...(user ? { user: [user] } : {}), ...(userGroup ? { userGroup: [userGroup] } : {}) };
        store.set(id, { id, attributes, relationships });
      }
      return { status: 204 };
    },
  },
];
