import { readBody } from '../../../src/scim/protocol/body.ts';
import { applyPatch } from '../../../src/scim/protocol/patch.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { MAX_VALUES } from '../../../src/scim/protocol/value.ts';
import { refusalOf } from './refusal.ts';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
const GROUP = 'urn:ietf:params:scim:schemas:core:2.0:Group';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

function attributesOf(body: object) {
  return readBody(userType, { userName: 'babs', ...body }).attributes;
}

describe('a user that is sent whole', () => {
  it('is kept in the names of the schema, whatever their case', () => {
    const body = {
      SCHEMAS: [CORE.toUpperCase(), ENTERPRISE],
      USERNAME: 'Babs',
      externalid: 'e1',
      Name: { GIVENNAME: 'Barbara' },
      Emails: [{ Value: 'babs@example.com', TYPE: 'work', Primary: true }],
      [ENTERPRISE.toLowerCase()]: { Department: 'Tours' },
    };
    expect(readBody(userType, body)).toEqual({
      attributes: {
        userName: 'Babs',
        externalId: 'e1',
        name: { givenName: 'Barbara' },
        emails: [{ value: 'babs@example.com', type: 'work', primary: true }],
        [ENTERPRISE]: { department: 'Tours' },
      },
      members: undefined,
      dropped: [],
    });
  });

  it('loses what is ours to say, what nobody knows and the password, and says so', () => {
    const body = {
      id: 'x',
      meta: { resourceType: 'User' },
      groups: [{ value: 'admins' }],
      userName: 'babs',
      password: 'secret',
      shoeSize: 42,
      name: { nick: 'b', givenName: 'Barbara' },
      [ENTERPRISE]: { manager: { value: 'm', displayName: 'Boss' }, desk: 7 },
      'urn:example:Custom': { a: 1 },
    };
    const { attributes, dropped } = readBody(userType, body);
    expect(attributes).toEqual({
      userName: 'babs',
      name: { givenName: 'Barbara' },
      [ENTERPRISE]: { manager: { value: 'm' } },
    });
    expect(dropped).toEqual([
      { path: 'id', why: 'readOnly', count: 1 },
      { path: 'meta', why: 'readOnly', count: 1 },
      { path: 'groups', why: 'readOnly', count: 1 },
      { path: 'password', why: 'notKept', count: 1 },
      { path: 'shoeSize', why: 'unknown', count: 1 },
      { path: 'name.nick', why: 'unknown', count: 1 },
      { path: `${ENTERPRISE}:manager.displayName`, why: 'readOnly', count: 1 },
      { path: `${ENTERPRISE}:desk`, why: 'unknown', count: 1 },
      { path: 'urn:example:Custom', why: 'unknown', count: 1 },
    ]);
    expect(JSON.stringify(dropped)).not.toContain('secret');
  });

  it('may have names that objects have, which are unknown like others', () => {
    const body = JSON.parse(
      '{"userName":"babs","__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":"x","name":{"__proto__":{"polluted":1},"givenName":"B"},"emails":[{"__proto__":{"primary":true},"value":"b@example.com"}]}',
    );
    const { attributes, dropped } = readBody(userType, body);
    expect(attributes).toEqual({ userName: 'babs', name: { givenName: 'B' }, emails: [{ value: 'b@example.com' }] });
    expect(dropped.map(({ path }) => path)).toEqual([
      '__proto__',
      'constructor',
      'toString',
      'name.__proto__',
      'emails.__proto__',
    ]);
    expect(Object.keys(Object.prototype)).toEqual([]);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it.each([
    // Okta sends what it was given; nothing in these is news.
    ['no groups', { groups: [] }, {}],
    // Entra ID: nulls are attributes that are not there, also such as belong to the extension.
    ['nulls', { title: null, department: null, manager: null, emails: null, name: { givenName: null } }, {}],
    ['a null in a list', { emails: [null, { value: 'a@b' }] }, { emails: [{ value: 'a@b' }] }],
    [
      'a value that is null',
      {
        phoneNumbers: [
          { type: 'work', value: null },
          { type: 'fax', primary: true },
        ],
      },
      {},
    ],
    ['an empty list', { emails: [] }, {}],
    ['a text for a boolean', { active: 'False' }, { active: false }],
    [
      'a text for a boolean within',
      { emails: [{ value: 'a@b', primary: 'True' }] },
      { emails: [{ value: 'a@b', primary: true }] },
    ],
    ['a manager that is a text', { [ENTERPRISE]: { manager: 'm1' } }, { [ENTERPRISE]: { manager: { value: 'm1' } } }],
    ['a manager that is empty', { [ENTERPRISE]: { manager: '' } }, {}],
    [
      'a manager in a list',
      { [ENTERPRISE]: { manager: [{ value: 'm1' }] } },
      { [ENTERPRISE]: { manager: { value: 'm1' } } },
    ],
    ['one for a list', { emails: { value: 'a@b' } }, { emails: [{ value: 'a@b' }] }],
    ['texts for objects', { roles: ['admin', 'user'] }, { roles: [{ value: 'admin' }, { value: 'user' }] }],
    ['the same twice', { roles: ['admin', { value: 'admin' }] }, { roles: [{ value: 'admin' }] }],
    ['types of its own', { roles: [{ value: 'x', type: 'any' }] }, { roles: [{ value: 'x', type: 'any' }] }],
    ['a URN before a name', { [`${ENTERPRISE}:employeeNumber`]: '7' }, { [ENTERPRISE]: { employeeNumber: '7' } }],
    ['the core URN before a name', { [`${CORE}:title`]: 'Dr' }, { title: 'Dr' }],
    [
      'names with dots',
      { 'name.givenName': 'B', 'name.familyName': 'J' },
      { name: { givenName: 'B', familyName: 'J' } },
    ],
    ['empty texts', { title: '', nickName: ' ' }, { title: '', nickName: ' ' }],
    ['texts as they are', { title: '  Ünïcode \u{1f600}\n' }, { title: '  Ünïcode \u{1f600}\n' }],
    ['an empty extension', { [ENTERPRISE]: {} }, {}],
    ['an extension that is null', { [ENTERPRISE]: null }, {}],
  ])('may have %s', (_what, body, attributes) => {
    const read = readBody(userType, { userName: 'babs', ...body });
    expect(read.attributes).toEqual({ userName: 'babs', ...attributes });
    expect(read.dropped).toEqual([]);
  });

  it.each([
    ['no object', [], 'invalidSyntax'],
    ['null', null, 'invalidSyntax'],
    ['a text', 'userName', 'invalidSyntax'],
    ['the schema of something else', { schemas: [GROUP], userName: 'babs' }, 'invalidSyntax'],
    ['no schema', { schemas: [], userName: 'babs' }, 'invalidSyntax'],
    ['one attribute twice', { userName: 'babs', active: true, Active: false }, 'invalidSyntax'],
    ['one sub-attribute twice', { userName: 'babs', name: { givenName: 'a', GivenName: 'b' } }, 'invalidSyntax'],
    ['nothing', {}, 'invalidValue'],
    ['no userName', { schemas: [CORE], displayName: 'x' }, 'invalidValue'],
    ['a userName that is null', { userName: null }, 'invalidValue'],
    ['an empty userName', { userName: ' ' }, 'invalidValue'],
    ['a userName that is a number', { userName: 5 }, 'invalidValue'],
    ['a long userName', { userName: 'x'.repeat(257) }, 'invalidValue'],
    ['a NUL', { userName: 'a\0b' }, 'invalidValue'],
    ['half a surrogate pair', { userName: 'babs', title: '\ud800' }, 'invalidValue'],
    ['a boolean that is none', { userName: 'babs', active: 'yes' }, 'invalidValue'],
    ['a number for a boolean', { userName: 'babs', active: 0 }, 'invalidValue'],
    ['an empty text for a boolean', { userName: 'babs', active: '' }, 'invalidValue'],
    ['a list for a text', { userName: 'babs', title: ['a', 'b'] }, 'invalidValue'],
    ['an object for a text', { userName: 'babs', title: { text: 'a' } }, 'invalidValue'],
    ['a text for an object', { userName: 'babs', name: 'Babs' }, 'invalidValue'],
    ['a number in a list', { userName: 'babs', emails: [5] }, 'invalidValue'],
    ['lists in a list', { userName: 'babs', emails: [['a@b']] }, 'invalidValue'],
    ['a text for addresses', { userName: 'babs', addresses: ['Main Street'] }, 'invalidValue'],
    ['no base64', { userName: 'babs', x509Certificates: [{ value: '?' }] }, 'invalidValue'],
    ['an extension that is no object', { userName: 'babs', [ENTERPRISE]: 'x' }, 'invalidValue'],
    [
      'two primary values',
      {
        userName: 'babs',
        emails: [
          { value: 'a', primary: true },
          { value: 'b', primary: true },
        ],
      },
      'invalidValue',
    ],
  ])('is refused with %s', (_what, body, scimType) => {
    expect(refusalOf(() => readBody(userType, body))).toBe(`400 ${scimType}`);
  });

  it('has so many values of one attribute', () => {
    const emails = Array.from({ length: MAX_VALUES + 1 }, (_, index) => ({ value: `${index}@example.com` }));
    expect(attributesOf({ emails: emails.slice(1) })['emails']).toHaveLength(MAX_VALUES);
    expect(refusalOf(() => attributesOf({ emails }))).toBe('413 -');
  });

  it('names a hundred unknown attributes and counts the others', () => {
    const unknown = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`x${index}${'y'.repeat(200)}`, 1]));
    const { dropped } = readBody(userType, { userName: 'babs', ...unknown });
    expect(dropped).toHaveLength(101);
    expect(dropped[0]?.path).toHaveLength(129);
    expect(dropped.at(-1)).toEqual({ path: '…', why: 'unknown', count: 50 });
  });

  it('has so many names and no more, and so has a patch that switches off', () => {
    const named = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x${at}`, 1]));
    expect(attributesOf(named(9_000))).toEqual({ userName: 'babs' });
    expect(refusalOf(() => attributesOf(named(10_001)))).toBe('413 -');
    const off = { op: 'replace', value: { name: 7, active: false, ...named(10_001) } };
    expect(refusalOf(() => applyPatch(userType, { userName: 'babs' }, { Operations: [off] }))).toBe('413 -');
  });

  it('is what it is when it is read again', () => {
    const { attributes } = readBody(userType, {
      userName: 'babs',
      name: { familyName: 'J', givenName: 'B' },
      emails: [{ type: 'work', value: 'a@b' }],
      [ENTERPRISE]: { manager: 'm', department: 'd' },
    });
    expect(readBody(userType, JSON.parse(JSON.stringify(attributes))).attributes).toEqual(attributes);
  });
});

describe('a group that is sent whole', () => {
  const membersOf = (members: unknown) => readBody(groupType, { displayName: 'Tours', members }).members;

  it.each([
    ['a list', [{ value: 'u1' }, { value: 'u2' }], ['u1', 'u2']],
    ['ids', ['u1', 'u2'], ['u1', 'u2']],
    ['one', { value: 'u1' }, ['u1']],
    ['an id alone', 'u1', ['u1']],
    ['a value in a value', [{ value: { value: 'u1' } }], ['u1']],
    ['one twice', [{ value: 'u1' }, { value: 'u1', type: 'User' }], ['u1']],
    ['references that are null (Entra ID)', [{ $ref: null, value: 'u1' }], ['u1']],
    ['names of any kind', [{ value: '__proto__' }, { value: 'constructor' }], ['__proto__', 'constructor']],
  ])('has members as %s', (_what, members, ids) => {
    expect(membersOf(members)?.map(({ value }) => value)).toEqual(ids);
  });

  it('says what members are, when it says so in words of the schema', () => {
    const members = [
      { value: 'a', type: 'user' },
      { value: 'b', type: 'Group' },
      { value: 'c', type: 'Robot' },
    ];
    expect(membersOf(members)).toEqual([{ value: 'a', type: 'User' }, { value: 'b', type: 'Group' }, { value: 'c' }]);
  });

  it('leaves the members alone when it does not say them, which is not to have none', () => {
    expect(readBody(groupType, { displayName: 'Tours' }).members).toBeUndefined();
    expect(membersOf(null)).toBeUndefined();
    expect(membersOf([])).toEqual([]);
  });

  it.each([
    ['an empty id', [{ value: '' }]],
    ['no id', [{ display: 'Babs' }]],
    ['an id that is null', [{ value: null }]],
    ['a null', [null]],
    ['a number', [5]],
    ['an id that is a number', [{ value: 5 }]],
  ])('is refused with %s among the members', (_what, members) => {
    expect(refusalOf(() => membersOf(members))).toBe('400 invalidValue');
  });

  it('counts what members say of themselves once for all', () => {
    const members = Array.from({ length: 3_000 }, (_, index) => ({ value: `u${index}`, display: `User ${index}` }));
    const { dropped, members: read } = readBody(groupType, { schemas: [GROUP], displayName: 'Tours', members });
    expect(dropped).toEqual([{ path: 'members.display', why: 'readOnly', count: 3_000 }]);
    expect(read).toHaveLength(3_000);
  });

  it('may have the schema that Entra ID adds', () => {
    const schemas = [GROUP, 'http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group'];
    expect(readBody(groupType, { schemas, displayName: 'Tours', externalId: 'e' })).toEqual({
      attributes: { displayName: 'Tours', externalId: 'e' },
      members: undefined,
      dropped: [],
    });
  });
});
