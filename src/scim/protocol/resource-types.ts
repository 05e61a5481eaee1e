import { type Attributes, attribute, byName, MAX_KEY_CHARACTERS, type Schema } from './attribute.ts';
import { enterpriseSchema } from './enterprise-schema.ts';
import { groupSchema } from './group-schema.ts';
import { userSchema } from './user-schema.ts';

export interface ResourceType {
  readonly name: 'User' | 'Group';
  readonly endpoint: '/Users' | '/Groups';
  readonly description: string;
  readonly schema: Schema;
  readonly extensions: readonly Schema[];
  /** Those of the schema and those that every resource has. */
  readonly attributes: Attributes;
}

/** RFC 7643 §3.1 and `schemas` of §3. They are part of no schema that is served. */
const common: Attributes = byName([
  attribute('schemas', 'The schemas of the resource.', {
    type: 'reference',
    multiValued: true,
    mutability: 'readOnly',
    returned: 'always',
  }),
  attribute('id', 'The id that this service gave.', {
    caseExact: true,
    mutability: 'readOnly',
    returned: 'always',
    uniqueness: 'server',
  }),
  attribute('externalId', 'The id that the client gave.', { caseExact: true, maxLength: MAX_KEY_CHARACTERS }),
  attribute('meta', 'What this service says of the resource.', {
    type: 'complex',
    mutability: 'readOnly',
    subAttributes: [
      attribute('resourceType', 'The name of its type.', { mutability: 'readOnly', caseExact: true }),
      attribute('created', 'When it was made.', { type: 'dateTime', mutability: 'readOnly' }),
      attribute('lastModified', 'When it was last changed.', { type: 'dateTime', mutability: 'readOnly' }),
      attribute('location', 'Its address.', { type: 'reference', mutability: 'readOnly' }),
      attribute('version', 'Its entity tag.', { mutability: 'readOnly', caseExact: true }),
    ],
  }),
]);

export const userType: ResourceType = {
  name: 'User',
  endpoint: '/Users',
  description: 'User Account',
  schema: userSchema,
  extensions: [enterpriseSchema],
  attributes: new Map([...common, ...userSchema.attributes]),
};

export const groupType: ResourceType = {
  name: 'Group',
  endpoint: '/Groups',
  description: 'Group',
  schema: groupSchema,
  extensions: [],
  attributes: new Map([...common, ...groupSchema.attributes]),
};

export const resourceTypes: readonly ResourceType[] = [userType, groupType];
