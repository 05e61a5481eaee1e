import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { readProjection } from '../../../src/scim/protocol/projection.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

const USER = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const always = { schemas: [USER, ENTERPRISE], id: '1' };
const babs: ScimObject = {
  ...always,
  userName: 'babs',
  name: { givenName: 'Barbara', familyName: 'Jensen' },
  emails: [{ value: 'a@b', type: 'work' }, { value: 'c@d' }],
  groups: [{ value: 'g1', display: 'Tours' }],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'm', displayName: 'Boss' } },
  meta: { resourceType: 'User', version: 'W/"1"' },
};

describe('an answer', () => {
  it.each([
    ['userName', { userName: 'babs' }],
    [' USERNAME , nothing', { userName: 'babs' }],
    ['nothing', {}],
    [',', {}],
    ['name.givenName', { name: { givenName: 'Barbara' } }],
    ['name.givenName,name', { name: babs['name'] }],
    ['name.middleName', {}],
    ['emails', { emails: babs['emails'] }],
    ['emails.type', { emails: [{ type: 'work' }] }],
    ['emails.type,emails.value', { emails: babs['emails'] }],
    ['meta.version', { meta: { version: 'W/"1"' } }],
    ['password', {}],
    [ENTERPRISE, { [ENTERPRISE]: babs[ENTERPRISE] }],
    [`${ENTERPRISE}:department`, { [ENTERPRISE]: { department: 'Tours' } }],
    [`${ENTERPRISE}:manager.value`, { [ENTERPRISE]: { manager: { value: 'm' } } }],
    [`${ENTERPRISE}:costCenter`, {}],
    [`${ENTERPRISE},${ENTERPRISE}:manager.value`, { [ENTERPRISE]: babs[ENTERPRISE] }],
    [`${USER}:userName`, { userName: 'babs' }],
    [['userName', 'groups.display'], { userName: 'babs', groups: [{ display: 'Tours' }] }],
  ])('has of attributes=%j what is named, and what is always there', (attributes, expected) => {
    expect(readProjection(userType, attributes, undefined).apply(babs)).toEqual({ ...always, ...expected });
  });

  it.each([
    ['emails,groups,meta,name', { userName: 'babs', [ENTERPRISE]: babs[ENTERPRISE] }],
    ['id,schemas,nothing', babs],
    [
      `emails.value,groups,meta,name.givenName,${ENTERPRISE}`,
      { userName: 'babs', name: { familyName: 'Jensen' }, emails: [{ type: 'work' }] },
    ],
    [
      `userName,name,emails,groups,meta,${ENTERPRISE}:manager.displayName`,
      { [ENTERPRISE]: { department: 'Tours', manager: { value: 'm' } } },
    ],
    [`${USER},meta`, { [ENTERPRISE]: babs[ENTERPRISE] }],
  ])('lacks of excludedAttributes=%j what is named, but what is always there', (excluded, expected) => {
    expect(readProjection(userType, undefined, excluded).apply(babs)).toEqual({ ...always, ...expected });
  });

  it('may be told both', () => {
    const projection = readProjection(userType, 'name,userName', 'name.givenName,userName');
    expect(projection.apply(babs)).toEqual({ ...always, name: { familyName: 'Jensen' } });
  });

  it.each([[undefined], [null], ['']])('is whole when it is told %j', (nothing) => {
    expect(readProjection(userType, nothing, nothing).apply(babs)).toEqual(babs);
  });

  it('says what need not be read', () => {
    expect(readProjection(groupType, undefined, undefined).has('members')).toBe(true);
    expect(readProjection(groupType, undefined, 'members').has('members')).toBe(false);
    expect(readProjection(groupType, 'displayName', undefined).has('members')).toBe(false);
    expect(readProjection(groupType, 'members.value', undefined).has('members')).toBe(true);
    expect(readProjection(groupType, 'displayName', undefined).has('id')).toBe(true);
    expect(readProjection(userType, undefined, undefined).has('password')).toBe(false);
    expect(readProjection(userType, undefined, undefined).has('members')).toBe(false);
  });

  it('has the names of members only when they are asked for', () => {
    const group = { id: 'g', members: [{ value: 'u1', display: 'Babs' }, { value: 'u2' }] };
    const shown = (attributes?: string) => readProjection(groupType, attributes, undefined).apply(group)['members'];
    expect(shown()).toEqual([{ value: 'u1' }, { value: 'u2' }]);
    expect(shown('members')).toEqual([{ value: 'u1' }, { value: 'u2' }]);
    expect(shown('members,members.display')).toEqual(group.members);
    expect(shown('members.display')).toEqual([{ display: 'Babs' }]);
    expect(readProjection(groupType, undefined, undefined).has('members.display')).toBe(false);
    expect(readProjection(groupType, 'members.display', undefined).has('members.display')).toBe(true);
  });

  it('is refused by what names nothing', () => {
    expect(refusalOf(() => readProjection(userType, [5], undefined))).toBe('400 invalidValue');
    expect(refusalOf(() => readProjection(userType, undefined, {}))).toBe('400 invalidValue');
    expect(refusalOf(() => readProjection(userType, 'x,'.repeat(600), undefined))).toBe('413 -');
  });
});
