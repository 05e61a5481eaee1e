import { RESOURCE_TYPE, SCHEMA, SERVICE_PROVIDER_CONFIG } from '../../ops/scim/urns.ts';
import { type Attribute, attribute, byName, type Schema } from './attribute.ts';

/*
 * What discovery answers, as schemas (RFC 7643 §8.7.2): for clients to read. No request is read by them, for all of it
 * is read-only.
 */

type Options = Parameters<typeof attribute>[2];

function given(name: string, description: string, options: Options = {}): Attribute {
  return attribute(name, description, { mutability: 'readOnly', ...options });
}

const REQUIRED = { required: true } as const;

function feature(name: string, description: string, more: readonly Attribute[] = []): Attribute {
  const supported = given('supported', 'Whether it is there.', { type: 'boolean', ...REQUIRED });
  return given(name, description, { type: 'complex', ...REQUIRED, subAttributes: [supported, ...more] });
}

function number(name: string, description: string): Attribute {
  return given(name, description, { type: 'integer', ...REQUIRED });
}

function address(
  name: string,
  description: string,
  referenceTypes: readonly string[],
  options: Options = {},
): Attribute {
  return given(name, description, { type: 'reference', referenceTypes, ...options });
}

const serviceProviderConfig: Schema = {
  id: SERVICE_PROVIDER_CONFIG,
  name: 'ServiceProviderConfig',
  description: 'What this service can do',
  attributes: byName([
    address('documentationUri', 'The address of the documentation.', ['external']),
    feature('patch', 'PATCH.'),
    feature('bulk', 'Several operations in one request.', [
      number('maxOperations', 'How many operations.'),
      number('maxPayloadSize', 'How many bytes.'),
    ]),
    feature('filter', 'Filters.', [number('maxResults', 'How many resources in one answer.')]),
    feature('changePassword', 'Changes of passwords.'),
    feature('sort', 'Sorting.'),
    feature('etag', 'Entity tags.'),
    given('authenticationSchemes', 'How clients say who they are.', {
      type: 'complex',
      multiValued: true,
      ...REQUIRED,
      subAttributes: [
        given('type', 'The kind.', {
          ...REQUIRED,
          canonicalValues: ['oauth', 'oauth2', 'oauthbearertoken', 'httpbasic'],
        }),
        given('name', 'The name.', REQUIRED),
        given('description', 'What it is.', REQUIRED),
        address('specUri', 'The address of its specification.', ['external']),
        address('documentationUri', 'The address of its documentation.', ['external']),
        given('primary', 'Whether it is the preferred one.', { type: 'boolean' }),
      ],
    }),
  ]),
};

const resourceType: Schema = {
  id: RESOURCE_TYPE,
  name: 'ResourceType',
  description: 'A type of resource',
  attributes: byName([
    given('id', 'The name of the type.'),
    given('name', 'The name of the type.', REQUIRED),
    given('description', 'What it is.'),
    address('endpoint', 'Where it is, below the base address.', ['uri'], REQUIRED),
    address('schema', 'Its schema.', ['uri'], REQUIRED),
    given('schemaExtensions', 'Its extensions.', {
      type: 'complex',
      multiValued: true,
      subAttributes: [
        address('schema', 'The schema of the extension.', ['uri'], REQUIRED),
        given('required', 'Whether every resource has it.', { type: 'boolean', ...REQUIRED }),
      ],
    }),
  ]),
};

function described(subAttributes: readonly Attribute[]): readonly Attribute[] {
  return [
    given('name', 'The name.', { ...REQUIRED, caseExact: true }),
    given('type', 'The type of its values.', {
      ...REQUIRED,
      canonicalValues: ['string', 'complex', 'boolean', 'decimal', 'integer', 'dateTime', 'reference', 'binary'],
    }),
    given('multiValued', 'Whether it has several values.', { type: 'boolean', ...REQUIRED }),
    given('description', 'What it is.'),
    given('required', 'Whether every resource has it.', { type: 'boolean' }),
    given('canonicalValues', 'Values to choose from.', { multiValued: true, caseExact: true }),
    given('caseExact', 'Whether case is a difference.', { type: 'boolean' }),
    given('mutability', 'Who changes it.', { canonicalValues: ['readOnly', 'readWrite', 'immutable', 'writeOnly'] }),
    given('returned', 'When it is in answers.', { canonicalValues: ['always', 'never', 'default', 'request'] }),
    given('uniqueness', 'Among which resources it is unique.', { canonicalValues: ['none', 'server', 'global'] }),
    given('referenceTypes', 'What its addresses are of.', { multiValued: true, caseExact: true }),
    ...subAttributes,
  ];
}

const schema: Schema = {
  id: SCHEMA,
  name: 'Schema',
  description: 'A schema',
  attributes: byName([
    given('id', 'The URN of the schema.', REQUIRED),
    given('name', 'The name of the schema.', REQUIRED),
    given('description', 'What it is.'),
    given('attributes', 'Its attributes.', {
      type: 'complex',
      multiValued: true,
      ...REQUIRED,
      subAttributes: described([
        given('subAttributes', 'Its sub-attributes.', {
          type: 'complex',
          multiValued: true,
          subAttributes: described([]),
        }),
      ]),
    }),
  ]),
};

export const serviceSchemas: readonly Schema[] = [serviceProviderConfig, resourceType, schema];
