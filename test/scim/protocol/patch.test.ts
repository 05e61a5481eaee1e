import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';
const PATCH_OP = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

const work = { value: 'work@example.com', type: 'work', primary: true };
const home = { value: 'home@example.com', type: 'home' };
const babs: ScimObject = {
  userName: 'babs',
  active: true,
  title: 'Guide',
  name: { familyName: 'Jensen', givenName: 'Barbara' },
  emails: [work, home],
  [ENTERPRISE]: { department: 'Tours', manager: { value: 'm1', $ref: 'https://x.example/Users/m1' } },
};

function patch(operations: readonly unknown[], attributes = babs) {
  return applyPatch(userType, attributes, { schemas: [PATCH_OP], Operations: operations });
}

/** What one operation leaves, as the difference to what was there; undefined: the attribute is gone. */
function difference(op: string, path: string | undefined, ...value: unknown[]) {
  const before = JSON.stringify(babs);
  const operation = { op, ...(path === undefined ? {} : { path }), ...(value.length === 0 ? {} : { value: value[0] }) };
  const { attributes } = patch([operation]);
  expect(JSON.stringify(babs)).toBe(before);
  const names = new Set([...Object.keys(babs), ...Object.keys(attributes)]);
  const differing = [...names].filter((name) => JSON.stringify(babs[name]) !== JSON.stringify(attributes[name]));
  return Object.fromEntries(differing.map((name) => [name, attributes[name]]));
}

describe('add', () => {
  it.each([
    ['title', 'Boss', { title: 'Boss' }],
    ['nickName', 'B', { nickName: 'B' }],
    ['title', 'Guide', {}],
    [
      'name',
      { givenName: 'Babs', middleName: 'X' },
      { name: { familyName: 'Jensen', givenName: 'Babs', middleName: 'X' } },
    ],
    ['name.middleName', 'X', { name: { familyName: 'Jensen', givenName: 'Barbara', middleName: 'X' } }],
    ['emails', [{ value: 'c@d' }], { emails: [work, home, { value: 'c@d' }] }],
    ['emails', { value: 'c@d' }, { emails: [work, home, { value: 'c@d' }] }],
    // What is there is not there twice, however it is ordered.
    ['emails', [{ type: 'home', value: 'home@example.com' }], {}],
    ['emails', [], {}],
    ['emails', null, {}],
    // Of several values one is primary: the last that was said to be.
    [
      'emails',
      [{ value: 'c@d', primary: true }],
      { emails: [{ ...work, primary: false }, home, { value: 'c@d', primary: true }] },
    ],
    [
      'emails[type eq "home"].primary',
      true,
      {
        emails: [
          { ...work, primary: false },
          { ...home, primary: true },
        ],
      },
    ],
    [
      'emails[type eq "home"].display',
      'Home',
      { emails: [work, { value: home.value, display: 'Home', type: 'home' }] },
    ],
    [
      'emails[type eq "home"]',
      { display: 'Home' },
      { emails: [work, { value: home.value, display: 'Home', type: 'home' }] },
    ],
    ['emails[type eq "other"].value', 'c@d', { emails: [work, home, { value: 'c@d', type: 'other' }] }],
    ['emails[type eq "other"]', { value: 'c@d' }, { emails: [work, home, { value: 'c@d', type: 'other' }] }],
    ['phoneNumbers[type eq "mobile"].value', '555', { phoneNumbers: [{ value: '555', type: 'mobile' }] }],
    [
      'phoneNumbers[type eq "mobile" and primary eq true].value',
      '555',
      { phoneNumbers: [{ value: '555', type: 'mobile', primary: true }] },
    ],
    ['phoneNumbers.value', '555', { phoneNumbers: [{ value: '555' }] }],
    ['addresses[type eq "work"].country', 'DK', { addresses: [{ country: 'DK', type: 'work' }] }],
    [`${ENTERPRISE}:costCenter`, '4130', { [ENTERPRISE]: { ...(babs[ENTERPRISE] as object), costCenter: '4130' } }],
    [ENTERPRISE, { costCenter: '4130' }, { [ENTERPRISE]: { ...(babs[ENTERPRISE] as object), costCenter: '4130' } }],
    [`${CORE}:name.givenName`, 'Babs', { name: { familyName: 'Jensen', givenName: 'Babs' } }],
    [CORE, { title: 'Boss', [ENTERPRISE]: { department: 'x' } }, { title: 'Boss' }],
    ['NAME.GIVENNAME', 'Babs', { name: { familyName: 'Jensen', givenName: 'Babs' } }],
    ['schemas', [CORE, ENTERPRISE], {}],
    ['password', 'secret', {}],
    [
      undefined,
      { title: 'Boss', emails: [{ value: 'c@d' }] },
      { title: 'Boss', emails: [work, home, { value: 'c@d' }] },
    ],
  ])('%s %j', (path, value, expected) => {
    expect(difference('add', path, value)).toEqual(expected);
  });
});

describe('replace', () => {
  it.each([
    ['userName', 'barbara', { userName: 'barbara' }],
    ['title', null, { title: undefined }],
    ['emails', [home], { emails: [home] }],
    ['emails', [], { emails: undefined }],
    ['emails', null, { emails: undefined }],
    ['name', { givenName: 'Babs' }, { name: { familyName: 'Jensen', givenName: 'Babs' } }],
    ['name', { givenName: null }, { name: { familyName: 'Jensen' } }],
    ['name', null, { name: undefined }],
    ['name.givenName', null, { name: { familyName: 'Jensen' } }],
    ['emails[type eq "work"].value', 'c@d', { emails: [{ ...work, value: 'c@d' }, home] }],
    ['emails[type eq "WORK" and primary eq true].value', 'c@d', { emails: [{ ...work, value: 'c@d' }, home] }],
    ['emails[type eq "work"].value', null, { emails: [home] }],
    ['emails[type eq "work"]', { value: 'c@d', type: 'work' }, { emails: [{ value: 'c@d', type: 'work' }, home] }],
    [
      'emails[value co "@"].display',
      'x',
      {
        emails: [
          { value: work.value, display: 'x', type: 'work', primary: true },
          { value: home.value, display: 'x', type: 'home' },
        ],
      },
    ],
    [
      'emails.type',
      'other',
      {
        emails: [
          { ...work, type: 'other' },
          { ...home, type: 'other' },
        ],
      },
    ],
    // Two that are made the same are one.
    ['emails[value co "@"]', { value: 'c@d' }, { emails: [{ value: 'c@d' }] }],
    // The address of one manager is not that of the next.
    [`${ENTERPRISE}:manager`, { value: 'm2' }, { [ENTERPRISE]: { department: 'Tours', manager: { value: 'm2' } } }],
    [`${ENTERPRISE}:manager`, 'm2', { [ENTERPRISE]: { department: 'Tours', manager: { value: 'm2' } } }],
    [`${ENTERPRISE}:manager.value`, 'm2', { [ENTERPRISE]: { department: 'Tours', manager: { value: 'm2' } } }],
    [`${ENTERPRISE}:manager`, '', { [ENTERPRISE]: { department: 'Tours' } }],
    [
      `${ENTERPRISE}:manager[value eq "m1"].value`,
      'm2',
      { [ENTERPRISE]: { department: 'Tours', manager: { value: 'm2' } } },
    ],
    [ENTERPRISE, null, { [ENTERPRISE]: undefined }],
    [ENTERPRISE, { department: null, manager: null }, { [ENTERPRISE]: undefined }],
    [undefined, { title: null, active: false }, { title: undefined, active: false }],
  ])('%s %j', (path, value, expected) => {
    expect(difference('replace', path, value)).toEqual(expected);
  });
});

describe('remove', () => {
  it.each([
    ['title', { title: undefined }],
    ['nickName', {}],
    ['name', { name: undefined }],
    ['name.givenName', { name: { familyName: 'Jensen' } }],
    ['name.middleName', {}],
    ['nickName', {}],
    ['emails', { emails: undefined }],
    ['emails[type eq "work"]', { emails: [home] }],
    ['emails[type eq "other"]', {}],
    ['emails[type eq "work" or type eq "home"]', { emails: undefined }],
    ['emails[not (type eq "work")]', { emails: [work] }],
    ['emails[type eq "work"].primary', { emails: [{ value: work.value, type: 'work' }, home] }],
    // Without its value an address is none.
    ['emails[type eq "work"].value', { emails: [home] }],
    ['emails.value', { emails: undefined }],
    [`${ENTERPRISE}:department`, { [ENTERPRISE]: { manager: { value: 'm1', $ref: 'https://x.example/Users/m1' } } }],
    [`${ENTERPRISE}:manager[value eq "m1"]`, { [ENTERPRISE]: { department: 'Tours' } }],
    [`${ENTERPRISE}:manager[value eq "m2"]`, {}],
    [ENTERPRISE, { [ENTERPRISE]: undefined }],
  ])('%s', (path, expected) => {
    expect(difference('remove', path)).toEqual(expected);
  });

  it.each([
    ['emails', [{ value: 'WORK@example.com' }], { emails: [home] }],
    ['emails', [{ value: 'work@example.com', type: 'home' }], {}],
    ['emails', 'home@example.com', { emails: [work] }],
    ['emails', [], {}],
    ['title', 'anything', { title: undefined }],
  ])('%s, of which %j is named in the value', (path, value, expected) => {
    expect(difference('remove', path, value)).toEqual(expected);
  });
});

describe('a patch', () => {
  it.each([
    [[]],
    [null],
    ['x'],
    [{}],
    [{ Operations: [] }],
    [{ Operations: { op: 'add', path: 'title', value: 'x' } }],
    [{ schemas: [CORE], Operations: [{ op: 'add', path: 'title', value: 'x' }] }],
    [{ schemas: 5, Operations: [{ op: 'add', path: 'title', value: 'x' }] }],
    [{ operations: [], Operations: [{ op: 'add', path: 'title', value: 'x' }] }],
  ])('%j is refused', (body) => {
    expect(refusalOf(() => applyPatch(userType, babs, body))).toBe('400 invalidSyntax');
  });

  it('is done in the order of its operations', () => {
    const { attributes } = patch([
      { op: 'remove', path: 'emails' },
      { op: 'add', path: 'emails', value: [{ value: 'a@b', type: 'work' }] },
      { op: 'replace', path: 'emails[type eq "work"].value', value: 'c@d' },
      { op: 'add', path: 'name.givenName', value: 'x' },
      { op: 'remove', path: 'name.givenName' },
    ]);
    expect(attributes).toMatchObject({ emails: [{ value: 'c@d', type: 'work' }], name: { familyName: 'Jensen' } });
    expect(attributes['name']).toEqual({ familyName: 'Jensen' });
  });

  it('leaves out of an object without a path what is not to be changed, and says so', () => {
    const value = {
      id: 'x',
      title: 'Boss',
      groups: [{ value: 'admins' }],
      shoe: 42,
      [ENTERPRISE]: { desk: 1 },
      'shoe[size eq 1]': 2,
    };
    const { attributes, dropped } = patch([{ op: 'replace', value }]);
    expect(attributes).toEqual({ ...babs, title: 'Boss' });
    expect(dropped.map(({ path, why }) => `${path} ${why}`)).toEqual([
      'id readOnly',
      'groups readOnly',
      'shoe unknown',
      `${ENTERPRISE}:desk unknown`,
      'shoe[size eq 1] unknown',
    ]);
  });

  it('of a group may not be one of a user', () => {
    expect(
      refusalOf(() =>
        applyPatch(groupType, { displayName: 'g' }, { Operations: [{ op: 'add', path: 'emails', value: 'x' }] }),
      ),
    ).toBe('400 invalidPath');
  });

  it('looks at so many values and no more', () => {
    const emails = Array.from({ length: 900 }, (_, index) => ({ value: `${index}@example.com`, type: 'other' }));
    const operations = Array.from({ length: 200 }, () => ({ op: 'remove', path: 'emails[type eq "x"]' }));
    expect(refusalOf(() => patch(operations.slice(0, 25), { ...babs, emails }))).toBeUndefined();
    expect(refusalOf(() => patch(operations, { ...babs, emails }))).toBe('413 -');
  });

  it('has so many operations and no more', () => {
    const operations = Array.from({ length: 10_001 }, () => ({ op: 'remove', path: 'title' }));
    expect(refusalOf(() => patch(operations.slice(1)))).toBeUndefined();
    expect(refusalOf(() => patch(operations))).toBe('413 -');
  });
});
