import { type Check, flag, jsonObject, list, nullable, oneOf, record, text } from './check.ts';
import { type Call, notFound } from './exchange.ts';
import { workspacesOf } from './permissions.ts';
import type { Needs } from './routes.ts';
import { SETTING_TYPES } from './setting-types.ts';
import { type Attributes, type Entity, type Ref, removeGroup, removeUser } from './state.ts';

export interface Relation {
  readonly type: string;
  readonly many: boolean;
}

/** What an entity looks like from outside, where that is not simply what is stored. */
export interface View {
  readonly attributes: Attributes;
  readonly relationships: Readonly<Record<string, readonly Ref[]>>;
  readonly meta?: Attributes;
}

/** One collection of the entities API: what its members look like and where they are kept. */
export interface Collection {
  readonly type: string;
  readonly path: string;
  readonly attributes: Readonly<Record<string, Check>>;
  readonly required?: readonly string[];
  readonly relationships: Readonly<Record<string, Relation>>;
  /** Values of `include` and the relationships each of them shows; `ALL` is understood everywhere. */
  readonly includes: Readonly<Record<string, readonly string[]>>;
  readonly metaIncludes?: readonly string[];
  readonly read: Needs;
  readonly write: Needs;
  readonly methods: readonly ('POST' | 'PUT' | 'PATCH' | 'DELETE')[];
  readonly store: (call: Call) => Map<string, Entity>;
  readonly remove?: (call: Call, id: string) => void;
  readonly view?: (call: Call, entity: Entity) => View;
  /** Looks at what is about to be stored as a whole. @throws Refusal */
  readonly examine?: (call: Call, entity: Entity) => void;
  /** What the service adds by itself to a new member. */
  readonly complete?: (entity: Entity) => void;
}

const KEY = record(
  {
    alg: oneOf(['RS256', 'RS384', 'RS512']),
    kty: oneOf(['RSA']),
    use: oneOf(['sig']),
    kid: (value, at) => {
      text(255)(value, at);
      if (value === '' || (value as string).startsWith('.')) oneOf(['an id that does not start with a dot'])(value, at);
    },
    n: text(10_000),
    e: text(255),
    x5c: list(text(10_000)),
    x5t: text(255),
  },
  ['alg', 'kty', 'use', 'kid', 'n', 'e'],
);

const ALL_METHODS = ['POST', 'PUT', 'PATCH', 'DELETE'] as const;
const SETTING = { content: jsonObject(15_000), type: oneOf(SETTING_TYPES) };

export const USERS: Collection = {
  type: 'user',
  path: '/api/v1/entities/users',
  attributes: {
    authenticationId: text(255),
    email: text(255),
    firstname: text(255),
    lastname: text(255),
    systemAccount: flag,
  },
  relationships: { userGroups: { type: 'userGroup', many: true } },
  includes: { userGroups: ['userGroups'] },
  read: 'admin',
  write: 'admin',
  methods: ALL_METHODS,
  store: (call) => call.state.users,
  remove: (call, id) => removeUser(call.state, id),
};

export const USER_GROUPS: Collection = {
  type: 'userGroup',
  path: '/api/v1/entities/userGroups',
  attributes: { name: text(255) },
  relationships: { parents: { type: 'userGroup', many: true } },
  includes: { userGroups: ['parents'], parents: ['parents'] },
  read: 'admin',
  write: 'admin',
  methods: ALL_METHODS,
  store: (call) => call.state.userGroups,
  remove: (call, id) => removeGroup(call.state, id),
};

export const JWKS: Collection = {
  type: 'jwk',
  path: '/api/v1/entities/jwks',
  attributes: { content: KEY },
  required: ['content'],
  relationships: {},
  includes: {},
  read: 'login',
  write: 'admin',
  methods: ALL_METHODS,
  store: (call) => call.state.jwks,
};

export const ORGANIZATION_SETTINGS: Collection = {
  type: 'organizationSetting',
  path: '/api/v1/entities/organizationSettings',
  attributes: SETTING,
  relationships: {},
  includes: {},
  read: 'admin',
  write: 'admin',
  methods: ALL_METHODS,
  store: (call) => call.state.settings,
};

/** The attributes of an identity provider, the same in the entities API and in the layout. */
export const IDENTITY_PROVIDER: Readonly<Record<string, Check>> = {
  customClaimMapping: jsonObject(10_000),
  identifiers: list(text(255)),
  idpType: oneOf(['MANAGED_IDP', 'FIM_IDP', 'DEX_IDP', 'CUSTOM_IDP']),
  oauthClientId: text(255),
  oauthClientSecret: text(255),
  oauthCustomAuthAttributes: jsonObject(10_000),
  oauthCustomScopes: nullable(list(text(255))),
  oauthIssuerId: text(255),
  oauthIssuerLocation: text(255),
  oauthSubjectIdClaim: text(255),
  samlMetadata: text(15_000),
};

/** A client secret goes in and never comes out again. */
export function withoutSecret({ oauthClientSecret: _, ...rest }: Attributes): Attributes {
  return rest;
}

export const IDENTITY_PROVIDERS: Collection = {
  type: 'identityProvider',
  path: '/api/v1/entities/identityProviders',
  attributes: IDENTITY_PROVIDER,
  relationships: {},
  includes: {},
  read: 'admin',
  write: 'admin',
  methods: ALL_METHODS,
  store: (call) => call.state.identityProviders,
  view: (_call, entity) => ({ attributes: withoutSecret(entity.attributes), relationships: {} }),
};

function ofUser(all: Map<string, Map<string, Entity>>, call: Call): Map<string, Entity> {
  const userId = call.params['userId'] ?? '';
  if (!call.state.users.has(userId)) throw notFound();
  const own = all.get(userId) ?? new Map<string, Entity>();
  all.set(userId, own);
  return own;
}

export const API_TOKENS: Collection = {
  type: 'apiToken',
  path: '/api/v1/entities/users/{userId}/apiTokens',
  attributes: {},
  relationships: {},
  includes: {},
  read: 'self',
  write: 'self',
  methods: ['POST', 'DELETE'],
  store: (call) => ofUser(call.state.apiTokens, call),
  view: (call, entity) => ({ attributes: call.method === 'POST' ? entity.attributes : {}, relationships: {} }),
  complete: (entity) => {
    entity.attributes = { bearerToken: Buffer.from(`${crypto.randomUUID()}:${entity.id}`).toString('base64') };
  },
};

export const USER_SETTINGS: Collection = {
  type: 'userSetting',
  path: '/api/v1/entities/users/{userId}/userSettings',
  attributes: SETTING,
  relationships: {},
  includes: {},
  read: 'self',
  write: 'self',
  methods: ['POST', 'PUT', 'DELETE'],
  store: (call) => ofUser(call.state.userSettings, call),
};

/** Read-only here, and only those the caller may open. */
export const WORKSPACES: Collection = {
  type: 'workspace',
  path: '/api/v1/entities/workspaces',
  attributes: { name: text(255) },
  relationships: { parent: { type: 'workspace', many: false } },
  includes: { workspaces: ['parent'], parent: ['parent'] },
  metaIncludes: ['config', 'permissions', 'hierarchy', 'dataModelDatasets'],
  read: 'login',
  write: 'admin',
  methods: [],
  store: (call) =>
    new Map(
      workspacesOf(call.state, call.caller.userId).map(({ workspace: { id, name, parent } }) => [
        id,
        {
          id,
          attributes: { name },
          relationships: parent === undefined ? {} : { parent: [{ id: parent, type: 'workspace' }] },
        },
      ]),
    ),
  view: (call, entity) => ({
    attributes: entity.attributes,
    relationships: entity.relationships,
    ...workspaceMeta(call, entity.id),
  }),
};

function workspaceMeta(call: Call, id: string): { meta?: Attributes } {
  const asked = call.url.searchParams.get('metaInclude');
  if (asked === null) return {};
  const wanted = asked.split(',');
  const has = (name: string) => wanted.some((value) => value === name || value.toLowerCase() === 'all');
  const found = workspacesOf(call.state, call.caller.userId).find(({ workspace }) => workspace.id === id);
  const children = [...call.state.workspaces.values()].filter(({ parent }) => parent === id).length;
  const meta = {
    ...(has('config') ? { config: { approximateCountAvailable: false, dataSamplingAvailable: false } } : {}),
    ...(has('permissions') ? { permissions: found?.permissions ?? [] } : {}),
    ...(has('hierarchy') ? { hierarchy: { childrenCount: children } } : {}),
    ...(has('dataModelDatasets') ? { dataModel: { datasetCount: 0 } } : {}),
  };
  return Object.keys(meta).length === 0 ? {} : { meta };
}
