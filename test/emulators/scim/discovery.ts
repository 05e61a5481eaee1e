import type { Options } from './options.ts';
import type { Reply } from './refusal.ts';
import { schemaDocuments } from './schema.ts';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0';

/** RFC 7644 §4; undefined for other endpoints. */
export function discover(endpoint: string, options: Options): Reply | undefined {
  if (endpoint === 'ServiceProviderConfig') return { status: 200, json: configOf(options) };
  if (endpoint === 'ResourceTypes') return listed(resourceTypes());
  return endpoint === 'Schemas' ? listed(schemaDocuments(options.lacks)) : undefined;
}

function configOf({ patch, filter, bulk, etag }: Options): unknown {
  return {
    schemas: [`${CORE}:ServiceProviderConfig`],
    patch: { supported: patch },
    bulk: { supported: bulk !== undefined, ...(bulk ?? { maxOperations: 0, maxPayloadSize: 0 }) },
    // One that does not look at filters does not know it.
    filter: { supported: filter !== false, maxResults: 200 },
    changePassword: { supported: false },
    sort: { supported: false },
    etag: { supported: etag !== false },
    authenticationSchemes: [{ type: 'oauthbearertoken', name: 'OAuth Bearer Token', description: 'A token' }],
  };
}

function resourceTypes(): readonly unknown[] {
  return ['User', 'Group'].map((name) => ({
    schemas: [`${CORE}:ResourceType`],
    id: name,
    name,
    endpoint: `/${name}s`,
    schema: `${CORE}:${name}`,
  }));
}

function listed(Resources: readonly unknown[]): Reply {
  const schemas = ['urn:ietf:params:scim:api:messages:2.0:ListResponse'];
  const json = { schemas, totalResults: Resources.length, itemsPerPage: Resources.length, startIndex: 1, Resources };
  return { status: 200, json };
}
