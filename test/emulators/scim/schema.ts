/** An attribute of RFC 7643 §7, as far as the emulator has it. */
export interface Attribute {
  readonly name: string;
  readonly type: 'string' | 'boolean' | 'complex' | 'reference';
  readonly multiValued: boolean;
  readonly required: boolean;
  readonly caseExact: boolean;
  readonly mutability: 'readWrite' | 'readOnly' | 'writeOnly' | 'immutable';
  readonly subAttributes?: readonly Attribute[];
}

export const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
export const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
export const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const text = (name: string, more: Partial<Attribute> = {}): Attribute => ({
  name,
  type: 'string',
  multiValued: false,
  required: false,
  caseExact: false,
  mutability: 'readWrite',
  ...more,
});
const complex = (name: string, subAttributes: readonly Attribute[], more: Partial<Attribute> = {}): Attribute =>
  text(name, { type: 'complex', subAttributes, ...more });
const list = (name: string, more: Partial<Attribute> = {}): Attribute =>
  complex(name, [text('value'), text('display'), text('type'), text('primary', { type: 'boolean' })], {
    multiValued: true,
    ...more,
  });

/** Attributes that every resource has (RFC 7643 §3.1). */
const COMMON: readonly Attribute[] = [
  text('id', { caseExact: true, mutability: 'readOnly' }),
  text('externalId', { caseExact: true }),
  complex(
    'meta',
    ['resourceType', 'created', 'lastModified', 'location', 'version'].map((name) => text(name, { caseExact: true })),
    { mutability: 'readOnly' },
  ),
  text('schemas', { multiValued: true, caseExact: true }),
];

const SCHEMAS: Readonly<Record<string, readonly Attribute[]>> = {
  [USER]: [
    text('userName', { required: true }),
    complex(
      'name',
      ['formatted', 'familyName', 'givenName', 'middleName', 'honorificPrefix', 'honorificSuffix'].map((name) =>
        text(name),
      ),
    ),
    ...['displayName', 'nickName', 'title', 'userType', 'preferredLanguage', 'locale', 'timezone'].map((name) =>
      text(name),
    ),
    text('profileUrl', { type: 'reference' }),
    text('active', { type: 'boolean' }),
    text('password', { mutability: 'writeOnly', caseExact: true }),
    list('emails'),
    list('phoneNumbers'),
    complex('groups', [text('value'), text('$ref', { type: 'reference' }), text('display'), text('type')], {
      multiValued: true,
      mutability: 'readOnly',
    }),
  ],
  [ENTERPRISE]: [
    ...['employeeNumber', 'costCenter', 'organization', 'division', 'department'].map((name) => text(name)),
    complex('manager', [
      text('value'),
      text('$ref', { type: 'reference' }),
      text('displayName', { mutability: 'readOnly' }),
    ]),
  ],
  [GROUP]: [
    text('displayName', { required: true }),
    complex(
      'members',
      [
        text('value', { caseExact: true, mutability: 'immutable' }),
        text('$ref', { type: 'reference', mutability: 'immutable' }),
        text('type', { mutability: 'immutable' }),
        text('display', { mutability: 'readOnly' }),
      ],
      { multiValued: true },
    ),
  ],
};

export type Kind = 'User' | 'Group';

export const CORE: Readonly<Record<Kind, string>> = { User: USER, Group: GROUP };

/** Schemas that a resource may have: its own first. */
export function schemasOf(kind: Kind): readonly string[] {
  return kind === 'User' ? [USER, ENTERPRISE] : [GROUP];
}

/** Attributes of a resource by its own schema, those of all resources included. */
export function attributesOf(schema: string, without: readonly string[] = []): readonly Attribute[] {
  const own = (SCHEMAS[schema] ?? []).filter(({ name }) => !without.includes(name));
  return schema === ENTERPRISE ? own : [...COMMON, ...own];
}

/** Names of attributes have no case (RFC 7643 §2.1). */
export function attributeNamed(attributes: readonly Attribute[] | undefined, name: string): Attribute | undefined {
  return attributes?.find((one) => one.name.toLowerCase() === name.toLowerCase());
}

/** The answer of /Schemas. */
export function schemaDocuments(without: readonly string[]): readonly unknown[] {
  return Object.entries(SCHEMAS).map(([id, attributes]) => ({
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:Schema'],
    id,
    name: id.slice(id.lastIndexOf(':') + 1),
    attributes: attributes.filter(({ name }) => !without.includes(name)),
  }));
}
