import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { readBody } from '../../../src/scim/protocol/body.ts';
import { parseFilter } from '../../../src/scim/protocol/parse-filter.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

/* What identity providers send, as their documents and their clients write it. */

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

function patchUser(attributes: ScimObject, ...operations: readonly unknown[]) {
  return applyPatch(userType, attributes, { schemas: [PATCH_OP], Operations: operations });
}

describe('Okta', () => {
  const body = {
    schemas: [USER],
    userName: 'test.user@okta.local',
    name: { givenName: 'Test', familyName: 'User' },
    emails: [{ primary: true, value: 'test.user@okta.local', type: 'work' }],
    displayName: 'Test User',
    locale: 'en-US',
    externalId: '00ujl29u0le5T6Aj10h7',
    groups: [],
    password: '1mz050nq',
    active: true,
  };

  it('creates a user', () => {
    const { groups: _groups, password: _password, schemas: _schemas, ...kept } = body;
    expect(readBody(userType, body)).toEqual({
      attributes: { ...kept, emails: [{ value: 'test.user@okta.local', type: 'work', primary: true }] },
      members: undefined,
      dropped: [{ path: 'password', why: 'notKept', count: 1 }],
    });
  });

  it('deactivates by PUT of all that it read', () => {
    const put = { ...body, id: '23a35c27', active: false, meta: { resourceType: 'User', version: 'W/"1"' } };
    const { attributes, dropped } = readBody(userType, put);
    expect(attributes['active']).toBe(false);
    expect(dropped.map(({ path }) => path)).toEqual(['password', 'id', 'meta']);
  });

  it('deactivates by PATCH without a path', () => {
    const { attributes } = patchUser({ userName: 'x', active: true }, { op: 'replace', value: { active: false } });
    expect(attributes).toEqual({ userName: 'x', active: false });
  });

  it('sends a password, which changes nothing', () => {
    const { attributes, dropped } = patchUser({ userName: 'x' }, { op: 'replace', value: { password: 'pw' } });
    expect(attributes).toEqual({ userName: 'x' });
    expect(dropped).toEqual([{ path: 'password', why: 'notKept', count: 1 }]);
  });

  it('names a group again whenever members change, and takes one member for another', () => {
    const { attributes, members, dropped } = applyPatch(
      groupType,
      { displayName: 'Old' },
      {
        schemas: [PATCH_OP],
        Operations: [
          { op: 'replace', value: { id: 'abf4dd94', displayName: 'Test SCIM' } },
          { op: 'remove', path: 'members[value eq "89bb1940"]' },
          { op: 'add', path: 'members', value: [{ value: '23a35c27', display: 'test.user@okta.local' }] },
        ],
      },
    );
    expect(attributes).toEqual({ displayName: 'Test SCIM' });
    expect(members?.replaceAll).toBe(false);
    expect([...(members?.remove ?? [])]).toEqual(['89bb1940']);
    expect([...(members?.add.keys() ?? [])]).toEqual(['23a35c27']);
    expect(dropped.map(({ path }) => path)).toEqual(['id', 'members.display']);
  });
});

describe('Entra ID', () => {
  it.each([
    [userType, 'userName eq "Test_User_dfeef4c5-5681-4387-b016-bdf221e82081"'],
    [userType, 'externalId eq "jyoung"'],
    [userType, 'emails[type eq "work"].value eq "jyoung@example.com"'],
    [userType, 'id eq "5171a35d" and manager eq "2819c223"'],
    [userType, `id eq "5171a35d" and ${ENTERPRISE}:manager eq "2819c223"`],
    [groupType, 'id eq "3f4c" and members eq "2819c223"'],
    [groupType, 'displayName eq "BI Admins"'],
  ])('looks a $name up by %s', (type, filter) => {
    expect(refusalOf(() => parseFilter(type, filter))).toBeUndefined();
  });

  it('creates a user with everything that it has not', () => {
    const body = {
      schemas: [USER, ENTERPRISE],
      externalId: 'jyoung',
      userName: 'Test_User@example.com',
      active: 'True',
      addresses: null,
      displayName: null,
      department: null,
      manager: null,
      emails: [
        { primary: true, type: 'work', value: 'a@example.com' },
        { type: 'other', value: null },
      ],
      meta: { resourceType: 'User' },
      name: { formatted: 'givenName familyName', familyName: 'familyName', givenName: null },
      roles: [],
      [ENTERPRISE]: { department: null, manager: null },
    };
    expect(readBody(userType, body).attributes).toEqual({
      externalId: 'jyoung',
      userName: 'Test_User@example.com',
      active: true,
      emails: [{ value: 'a@example.com', type: 'work', primary: true }],
      name: { formatted: 'givenName familyName', familyName: 'familyName' },
    });
  });

  const user: ScimObject = {
    userName: 'x',
    active: true,
    emails: [{ value: 'a@example.com', type: 'work' }],
    addresses: [{ formatted: 'A', type: 'work' }],
  };

  it('disables by a text, on its own or wrapped', () => {
    expect(patchUser(user, { op: 'Replace', path: 'active', value: 'False' }).attributes['active']).toBe(false);
    const wrapped = { op: 'Replace', path: 'active', value: [{ $ref: null, value: 'False' }] };
    expect(patchUser(user, wrapped).attributes['active']).toBe(false);
  });

  it('updates by paths, in its own capitals, also what is not there yet', () => {
    const { attributes } = patchUser(
      user,
      { op: 'Replace', path: 'emails[type eq "work"].Value', value: 'b@example.com' },
      { op: 'Replace', path: 'addresses[type eq "work"].Formatted', value: 'B' },
      { op: 'Add', path: 'emails[type eq "other"].Value', value: 'c@example.com' },
      { op: 'Add', path: 'phoneNumbers[type eq "mobile"].value', value: '+45' },
      { op: 'Add', path: 'name.givenName', value: 'Babs' },
      { op: 'Replace', path: 'displayName', value: [{ $ref: null, value: 'Babs J' }] },
      { op: 'Add', path: 'manager', value: [{ $ref: 'https://x.example/Users/m1', value: 'm0' }] },
      { op: 'Replace', path: `${ENTERPRISE}:manager`, value: 'm1' },
      { op: 'Add', path: `${ENTERPRISE}:department`, value: 'Tours' },
    );
    expect(attributes).toEqual({
      userName: 'x',
      active: true,
      displayName: 'Babs J',
      name: { givenName: 'Babs' },
      emails: [
        { value: 'b@example.com', type: 'work' },
        { value: 'c@example.com', type: 'other' },
      ],
      addresses: [{ formatted: 'B', type: 'work' }],
      phoneNumbers: [{ value: '+45', type: 'mobile' }],
      [ENTERPRISE]: { manager: { value: 'm1' }, department: 'Tours' },
    });
  });

  it('updates without a path, by names with dots, URNs and brackets', () => {
    const { attributes, dropped } = patchUser(user, {
      op: 'replace',
      value: {
        displayName: 'Babs',
        'name.givenName': 'Barbara',
        'name.familyName': 'Jensen',
        'emails[type eq "work"].value': 'b@example.com',
        [`${ENTERPRISE}:employeeNumber`]: '7',
        [ENTERPRISE]: { department: 'Tours' },
        active: 'False',
      },
    });
    expect(attributes).toMatchObject({
      displayName: 'Babs',
      name: { givenName: 'Barbara', familyName: 'Jensen' },
      emails: [{ value: 'b@example.com', type: 'work' }],
      [ENTERPRISE]: { employeeNumber: '7', department: 'Tours' },
      active: false,
    });
    expect(dropped).toEqual([]);
  });

  it('adds and removes members of a group in values', () => {
    const group = { schemas: [GROUP], displayName: 'Tours', externalId: '8aa1a0c0' };
    const { attributes } = readBody(groupType, group);
    const { members } = applyPatch(groupType, attributes, {
      schemas: [PATCH_OP],
      Operations: [
        {
          op: 'Add',
          path: 'members',
          value: [
            { $ref: null, value: 'u1' },
            { $ref: null, value: 'u2' },
          ],
        },
        { op: 'Remove', path: 'members', value: [{ $ref: null, value: 'u3' }] },
      ],
    });
    expect(members).toMatchObject({ replaceAll: false, removeWhere: [] });
    expect([...(members?.add.keys() ?? [])]).toEqual(['u1', 'u2']);
    expect([...(members?.remove ?? [])]).toEqual(['u3']);
  });
});
