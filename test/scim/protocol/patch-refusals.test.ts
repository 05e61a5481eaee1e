import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { userType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const babs: ScimObject = {
  userName: 'babs',
  title: 'Guide',
  name: { familyName: 'Jensen', givenName: 'Barbara' },
  emails: [
    { value: 'work@example.com', type: 'work', primary: true },
    { value: 'home@example.com', type: 'home' },
  ],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'm1' } },
};

function patch(operations: readonly unknown[]) {
  return applyPatch(userType, babs, { Operations: operations });
}

describe('an operation of a patch is refused', () => {
  it.each([
    ['mutability', { op: 'replace', path: 'id', value: 'x' }],
    ['mutability', { op: 'add', path: 'groups', value: [{ value: 'admins' }] }],
    ['mutability', { op: 'remove', path: 'groups' }],
    ['mutability', { op: 'remove', path: 'groups[value eq "g"]' }],
    ['mutability', { op: 'replace', path: 'meta.version', value: 'x' }],
    ['mutability', { op: 'replace', path: `${ENTERPRISE}:manager.displayName`, value: 'x' }],
    ['mutability', { op: 'remove', path: 'userName' }],
    ['mutability', { op: 'replace', path: 'userName', value: null }],
    ['mutability', { op: 'replace', value: { userName: null } }],
    ['invalidValue', { op: 'replace', path: 'userName', value: '' }],
    ['invalidValue', { op: 'replace', path: 'active', value: 'maybe' }],
    ['invalidValue', { op: 'replace', path: 'name', value: 'Babs' }],
    ['invalidValue', { op: 'add', path: 'title' }],
    ['invalidValue', { op: 'add' }],
    ['invalidValue', { op: 'replace', value: 'x' }],
    ['invalidValue', { op: 'replace', value: [{ title: 'x' }] }],
    ['invalidValue', { op: 'replace', path: ENTERPRISE, value: 'x' }],
    ['invalidValue', { op: 'replace', path: 'emails[value pr].primary', value: true }],
    ['invalidValue', { op: 'add', path: `emails[value eq "${'x'.repeat(257)}"].type`, value: 'work' }],
    ['invalidFilter', { op: 'add', path: 'emails[value eq "\\u0000"].type', value: 'work' }],
    ['noTarget', { op: 'remove' }],
    ['noTarget', { op: 'remove', value: { title: 'x' } }],
    ['noTarget', { op: 'remove', path: CORE }],
    ['noTarget', { op: 'replace', path: 'emails[type eq "other"].value', value: 'x' }],
    ['noTarget', { op: 'replace', path: 'emails[type eq "other"]', value: { value: 'x' } }],
    ['noTarget', { op: 'add', path: 'emails[type ne "work" and value sw "q"].value', value: 'x' }],
    ['noTarget', { op: 'add', path: 'name[givenName eq "x"].familyName', value: 'x' }],
    ['invalidPath', { op: 'add', path: '', value: 'x' }],
    ['invalidPath', { op: 'add', path: 5, value: 'x' }],
    ['invalidPath', { op: 'add', path: ['title'], value: 'x' }],
    ['invalidPath', { op: 'add', path: 'nothing', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'members', value: [] }],
    ['invalidPath', { op: 'add', path: '__proto__.polluted', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'constructor.prototype.polluted', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'name.__proto__', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'name.nothing', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'name.givenName.x', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'title[value eq "x"]', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"].', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"]value', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"].nothing', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"].value.x', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails[type eq "work"][value pr]', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'emails.value[type eq "work"]', value: 'x' }],
    ['invalidPath', { op: 'add', path: 'title eq "x"', value: 'x' }],
    ['invalidPath', { op: 'add', path: `${ENTERPRISE}:nothing`, value: 'x' }],
    ['invalidPath', { op: 'add', path: 'urn:example:Custom:x', value: 'x' }],
    ['invalidPath', { op: 'add', path: '/title', value: 'x' }],
    ['invalidFilter', { op: 'add', path: 'emails[]', value: 'x' }],
    ['invalidFilter', { op: 'add', path: 'emails[type]', value: 'x' }],
    ['invalidFilter', { op: 'add', path: 'emails[nothing eq "x"]', value: 'x' }],
    ['invalidFilter', { op: 'remove', path: 'emails[type eq 5]' }],
    ['invalidSyntax', { op: 'move', path: 'title', value: 'x' }],
    ['invalidSyntax', { path: 'title', value: 'x' }],
    ['invalidSyntax', { op: ['add'], path: 'title', value: 'x' }],
    ['invalidSyntax', { op: 'add', OP: 'remove', path: 'title', value: 'x' }],
    ['invalidSyntax', null],
    ['invalidSyntax', 'add'],
    ['invalidSyntax', { op: 'add', value: { title: 'a', Title: 'b' } }],
  ])('%s: %j', (scimType, operation) => {
    expect(refusalOf(() => patch([operation]))).toBe(`400 ${scimType}`);
    expect(refusalOf(() => patch([{ op: 'replace', path: 'title', value: 'Boss' }, operation]))).toBe(
      `400 ${scimType}`,
    );
  });

  it('when it would make two values primary', () => {
    const both = [
      { value: 'a', primary: true },
      { value: 'b', primary: true },
    ];
    expect(refusalOf(() => patch([{ op: 'add', path: 'emails', value: both }]))).toBe('400 invalidValue');
  });
});

describe('a patch that switches a user off', () => {
  const off = { op: 'Replace', path: 'active', value: 'False' };

  it.each([
    ['a filter that fits nothing', { op: 'replace', path: 'emails[type eq "other"].value', value: 'x' }],
    ['a schema that is not there', { op: 'replace', path: 'urn:example:2.0:User:badge', value: '7' }],
    ['a value that cannot be', { op: 'replace', path: 'name', value: 'Babs' }],
    ['a read-only attribute', { op: 'replace', path: 'meta.version', value: 'x' }],
  ])('does so beside %s', (_what, operation) => {
    for (const operations of [
      [operation, off],
      [off, operation],
    ]) {
      const { attributes, dropped } = patch(operations);
      expect(attributes).toEqual({ ...babs, active: false });
      expect(dropped).toEqual([{ path: operation.path, why: 'refused', count: 1 }]);
    }
    expect(refusalOf(() => patch([operation]))).toMatch(/^400/);
    expect(refusalOf(() => patch([operation, { ...off, value: 'True' }]))).toMatch(/^400/);
  });

  it('does so as one of the attributes of an operation without a path', () => {
    const { attributes, dropped } = patch([{ op: 'replace', value: { title: 'Lead', name: 'Babs', active: false } }]);
    expect(attributes).toEqual({ ...babs, title: 'Lead', active: false });
    expect(dropped).toEqual([{ path: 'name', why: 'refused', count: 1 }]);
  });

  it('is refused where it is not built as a patch is', () => {
    expect(refusalOf(() => patch([off, { op: 'destroy' }]))).toBe('400 invalidSyntax');
  });
});
