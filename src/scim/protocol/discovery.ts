import { RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG } from '../../ops/scim/urns.ts';
import type { Attribute, Attributes, Schema } from './attribute.ts';
import { type ResourceType, resourceTypes } from './resource-types.ts';
import { serviceSchemas } from './service-schemas.ts';

/** JSON of an answer of discovery. Nothing in it is null: Entra ID takes no nulls in schemas. */
export type Served = Readonly<Record<string, unknown>>;

export interface ServiceLimits {
  /** Operations of one bulk request. */
  readonly bulkOperations: number;
  /** Bytes of a request body. */
  readonly bodyBytes: number;
  /** Resources of one page. */
  readonly results: number;
  readonly documentationUri?: string;
}

/** Every schema, those of the answers of discovery too. */
export const schemas: readonly Schema[] = [
  ...resourceTypes.flatMap(({ schema, extensions }) => [schema, ...extensions]),
  ...serviceSchemas,
];

/** `GET /Schemas/{id}` (RFC 7643 §7). `base` has no trailing slash. */
export function schemaResource(schema: Schema, base: string): Served {
  const { id, name, description, attributes } = schema;
  return {
    schemas: [SCHEMA],
    id,
    name,
    description,
    attributes: attributesOf(attributes),
    meta: { resourceType: 'Schema', location: `${base}/Schemas/${id}` },
  };
}

/** `GET /ResourceTypes/{id}` (RFC 7643 §6). */
export function resourceTypeResource(type: ResourceType, base: string): Served {
  const { name, description, endpoint, schema, extensions } = type;
  return {
    schemas: [RESOURCE_TYPE],
    id: name,
    name,
    description,
    endpoint,
    schema: schema.id,
    schemaExtensions: extensions.map(({ id }) => ({ schema: id, required: false })),
    meta: { resourceType: 'ResourceType', location: `${base}/ResourceTypes/${name}` },
  };
}

/** `GET /ServiceProviderConfig` (RFC 7643 §5). */
export function serviceProviderConfig(limits: ServiceLimits, base: string): Served {
  const { bulkOperations, bodyBytes, results, documentationUri } = limits;
  return {
    schemas: [SERVICE_PROVIDER_CONFIG],
    ...(documentationUri === undefined ? {} : { documentationUri }),
    patch: { supported: true },
    bulk: { supported: true, maxOperations: bulkOperations, maxPayloadSize: bodyBytes },
    filter: { supported: true, maxResults: results },
    changePassword: { supported: false },
    sort: { supported: true },
    etag: { supported: true },
    authenticationSchemes: [
      {
        type: 'oauthbearertoken',
        name: 'Bearer token',
        description: 'A token of `latchgate scim token`, in the header Authorization (RFC 6750).',
        specUri: 'https://www.rfc-editor.org/info/rfc6750',
        primary: true,
      },
    ],
    meta: { resourceType: 'ServiceProviderConfig', location: `${base}/ServiceProviderConfig` },
  };
}

function attributesOf(attributes: Attributes): readonly Served[] {
  return [...attributes.values()].map(attributeResource);
}

function attributeResource(attribute: Attribute): Served {
  const { name, type, multiValued, description, required, canonicalValues, referenceTypes } = attribute;
  const isText = type === 'string' || type === 'reference' || type === 'binary';
  return {
    name,
    type,
    ...(type === 'complex' ? { subAttributes: attributesOf(attribute.subAttributes) } : {}),
    multiValued,
    description,
    required,
    ...(canonicalValues === undefined ? {} : { canonicalValues }),
    ...(isText ? { caseExact: attribute.caseExact } : {}),
    mutability: attribute.mutability,
    returned: attribute.returned,
    uniqueness: attribute.uniqueness,
    ...(referenceTypes === undefined ? {} : { referenceTypes }),
  };
}
