import { LatchgateError } from '../../../src/model/errors.ts';
import type { Attribute, Attributes } from '../../../src/scim/protocol/attribute.ts';
import {
  resourceTypeResource,
  type Served,
  schemaResource,
  schemas,
  serviceProviderConfig,
} from '../../../src/scim/protocol/discovery.ts';
import { errorBody, ScimError } from '../../../src/scim/protocol/error.ts';
import { etagOf, namesEtag } from '../../../src/scim/protocol/etag.ts';
import { resourceOf } from '../../../src/scim/protocol/resource.ts';
import { groupType, resourceTypes, userType } from '../../../src/scim/protocol/resource-types.ts';

const BASE = 'https://bi.example.com/scim/v2';
const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

describe('an error', () => {
  it.each([
    ['scim_filter_invalid', 400, 'invalidFilter'],
    ['scim_path_invalid', 400, 'invalidPath'],
    ['scim_value_invalid', 400, 'invalidValue'],
    ['scim_syntax_invalid', 400, 'invalidSyntax'],
    ['scim_no_target', 400, 'noTarget'],
    ['scim_mutability', 400, 'mutability'],
    ['scim_too_many', 400, 'tooMany'],
    ['scim_taken', 409, 'uniqueness'],
    ['scim_reference_circular', 409, 'invalidValue'],
    ['scim_too_large', 413, undefined],
    ['scim_version_mismatch', 412, undefined],
  ] as const)('of code %s has the status %i and the type %s', (code, status, scimType) => {
    const error = new ScimError(code, 'because');
    expect(error).toMatchObject({ code, status });
    expect(JSON.parse(JSON.stringify(errorBody(error)))).toEqual({
      schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'],
      ...(scimType === undefined ? {} : { scimType }),
      detail: 'because',
      status: String(status),
    });
  });

  it('of another kind says no more than its code does', () => {
    const body = errorBody(new LatchgateError('state_unavailable', 'connect 10.0.0.7 refused'));
    expect(body).toMatchObject({ status: '503', detail: 'The state database does not answer.' });
    expect(body).not.toHaveProperty('scimType');
  });
});

describe('an entity tag', () => {
  it('is weak', () => {
    expect(etagOf(7)).toBe('W/"7"');
  });

  it.each([
    ['*', true],
    [' * ', true],
    ['W/"7"', true],
    ['w/"7"', true],
    ['"7"', true],
    ['"1", W/"7" ,"9"', true],
    ['W/"77"', false],
    ['W/"8"', false],
    ['7', false],
    ['', false],
    [',', false],
    ['"*"', false],
  ])('is named by %j: %j', (header, named) => {
    expect(namesEtag(header, 'W/"7"')).toBe(named);
  });
});

describe('a resource', () => {
  const times = { created: new Date('2026-01-02T03:04:05Z'), lastModified: new Date('2026-02-03T04:05:06Z') };

  it('of a user says where it is, what it is and in which groups', () => {
    const attributes = { userName: 'babs', [ENTERPRISE]: { department: 'Tours' } };
    const groups = [
      { id: 'g1', type: 'Group', display: 'Tours', how: 'indirect' },
      { id: 'g 2', type: 'Group' },
    ] as const;
    expect(resourceOf(userType, { id: 'u/1', attributes, ...times, version: 3, groups }, BASE)).toEqual({
      schemas: [USER, ENTERPRISE],
      id: 'u/1',
      userName: 'babs',
      groups: [
        { value: 'g1', $ref: `${BASE}/Groups/g1`, display: 'Tours', type: 'indirect' },
        { value: 'g 2', $ref: `${BASE}/Groups/g%202`, type: 'direct' },
      ],
      [ENTERPRISE]: { department: 'Tours' },
      meta: {
        resourceType: 'User',
        created: '2026-01-02T03:04:05.000Z',
        lastModified: '2026-02-03T04:05:06.000Z',
        location: `${BASE}/Users/u%2F1`,
        version: 'W/"3"',
      },
    });
  });

  it('of a group has its members', () => {
    const members = [
      { id: 'u1', type: 'User', display: 'Babs' },
      { id: 'g2', type: 'Group' },
    ] as const;
    const stored = { id: 'g1', attributes: { displayName: 'Tours' }, ...times, version: 1 };
    expect(resourceOf(groupType, { ...stored, members }, BASE)).toMatchObject({
      schemas: [GROUP],
      members: [
        { value: 'u1', $ref: `${BASE}/Users/u1`, type: 'User', display: 'Babs' },
        { value: 'g2', $ref: `${BASE}/Groups/g2`, type: 'Group' },
      ],
    });
    expect(resourceOf(groupType, stored, BASE)).not.toHaveProperty('members');
  });
});

describe('discovery', () => {
  const served = (id: string): Served => {
    const schema = schemas.find((one) => one.id === id);
    if (schema === undefined) throw new Error(`${id} is served`);
    return schemaResource(schema, BASE);
  };
  const namesOf = (attributes: unknown): readonly string[] =>
    (attributes as readonly Served[]).map(({ name }) => String(name));

  it('serves the schemas of RFC 7643 §8.7 whole', () => {
    expect(namesOf(served(USER)['attributes']).join(' ')).toBe(
      'userName name displayName nickName profileUrl title userType preferredLanguage locale timezone active password emails phoneNumbers ims photos addresses groups entitlements roles x509Certificates',
    );
    expect(namesOf(served(ENTERPRISE)['attributes']).join(' ')).toBe(
      'employeeNumber costCenter organization division department manager',
    );
    expect(namesOf(served(GROUP)['attributes']).join(' ')).toBe('displayName members');
    expect(schemas.map(({ name }) => name).join(' ')).toBe(
      'User EnterpriseUser Group ServiceProviderConfig ResourceType Schema',
    );
  });

  it('describes an attribute as RFC 7643 §7 says', () => {
    const [userName] = served(USER)['attributes'] as readonly Served[];
    expect(userName).toEqual({
      name: 'userName',
      type: 'string',
      multiValued: false,
      description: expect.any(String),
      required: true,
      caseExact: false,
      mutability: 'readWrite',
      returned: 'default',
      uniqueness: 'server',
    });
    const [, members] = served(GROUP)['attributes'] as readonly Served[];
    expect(members).toMatchObject({ type: 'complex', multiValued: true });
    expect(members?.['subAttributes']).toContainEqual(
      expect.objectContaining({
        name: '$ref',
        type: 'reference',
        caseExact: true,
        referenceTypes: ['User', 'Group'],
        mutability: 'immutable',
      }),
    );
  });

  it('has no null anywhere, which Entra ID does not take', () => {
    const limits = { bulkOperations: 100, bodyBytes: 1_048_576, results: 200 };
    const all = [
      ...schemas.map((schema) => schemaResource(schema, BASE)),
      ...resourceTypes.map((type) => resourceTypeResource(type, BASE)),
      serviceProviderConfig(limits, BASE),
    ];
    expect(JSON.stringify(all)).not.toContain('null');
    // `undefined` would be left out by JSON, and here is none.
    expect(JSON.parse(JSON.stringify(all))).toStrictEqual(all);
  });

  it('is itself as the schemas that it serves say', () => {
    const config = serviceProviderConfig(
      { bulkOperations: 100, bodyBytes: 1_048_576, results: 200, documentationUri: 'https://x.example' },
      BASE,
    );
    const check = (json: unknown, attributes: Attributes, where: string): void => {
      const object = json as Served;
      for (const [name, value] of Object.entries(object)) {
        if (where === '' && ['schemas', 'meta', 'id'].includes(name)) continue;
        const attribute = attributes.get(name.toLowerCase());
        expect([`${where}${name}`, attribute?.name]).toEqual([`${where}${name}`, name]);
        if (attribute !== undefined) checkValue(value, attribute, `${where}${name}`);
      }
      for (const { name, required } of attributes.values()) {
        if (required) expect([`${where}${name}`, Object.hasOwn(object, name)]).toEqual([`${where}${name}`, true]);
      }
    };
    const checkValue = (value: unknown, attribute: Attribute, where: string): void => {
      expect([where, Array.isArray(value)]).toEqual([where, attribute.multiValued]);
      for (const one of Array.isArray(value) ? value : [value]) {
        if (attribute.type === 'complex') check(one, attribute.subAttributes, `${where}.`);
        else {
          const type = { boolean: 'boolean', integer: 'number' }[String(attribute.type)] ?? 'string';
          expect([where, typeof one]).toEqual([where, type]);
        }
      }
    };
    const schemaOf = (name: string): Attributes => schemas.find((one) => one.name === name)?.attributes ?? new Map();
    check(config, schemaOf('ServiceProviderConfig'), '');
    for (const type of resourceTypes) check(resourceTypeResource(type, BASE), schemaOf('ResourceType'), '');
    for (const schema of schemas) {
      // RFC 7643 §8.7.2 describes sub-attributes of attributes and not those of its own sub-attributes.
      if (schema.name !== 'Schema') check(schemaResource(schema, BASE), schemaOf('Schema'), '');
    }
  });
});
