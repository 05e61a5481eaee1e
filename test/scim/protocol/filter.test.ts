import type { ScimObject } from '../../../src/scim/protocol/attribute.ts';
import { compileFilter } from '../../../src/scim/protocol/evaluate.ts';
import { attributesOf } from '../../../src/scim/protocol/filter.ts';
import {
  MAX_FILTER_CHARACTERS,
  MAX_FILTER_DEPTH,
  MAX_FILTER_TERMS,
  parseFilter,
} from '../../../src/scim/protocol/parse-filter.ts';
import { groupType, userType } from '../../../src/scim/protocol/resource-types.ts';
import { refusalOf } from './refusal.ts';

const CORE = 'urn:ietf:params:scim:schemas:core:2.0:User';
const ENTERPRISE = 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User';

const barbara: ScimObject = {
  schemas: [CORE, ENTERPRISE],
  id: 'Ab12',
  externalId: 'Ext-7',
  userName: 'BJensen@example.com',
  name: { givenName: 'Barbara', familyName: 'Jensen "Babs" \\ O\'Malley' },
  title: '',
  active: true,
  emails: [
    { value: 'bjensen@example.com', type: 'work', primary: true },
    { value: 'babs@home.example', type: 'home' },
  ],
  addresses: [{ locality: 'Hollywood', type: 'work' }],
  [ENTERPRISE]: { department: 'Tour Operations', manager: { value: 'M1' } },
  meta: { created: '2011-05-13T04:42:34.000Z', lastModified: '2026-01-02T03:04:05.000Z' },
};

function fits(filter: string, resource: ScimObject = barbara): boolean {
  return compileFilter(parseFilter(userType, filter))(resource);
}

describe('a filter', () => {
  it.each([
    // Case by the schema (RFC 7643 §2.2, §4.1).
    ['userName eq "bjensen@EXAMPLE.com"', true],
    ['USERNAME EQ "bjensen@example.com"', true],
    ['id eq "Ab12"', true],
    ['id eq "ab12"', false],
    ['externalId eq "Ext-7"', true],
    ['externalId eq "ext-7"', false],
    // Every operator.
    ['userName ne "bjensen@example.com"', false],
    ['userName ne "x"', true],
    ['userName co "JENSEN@"', true],
    ['userName sw "bj"', true],
    ['userName ew ".COM"', true],
    ['userName sw "jensen"', false],
    ['userName gt "bj"', true],
    ['userName ge "BJENSEN@example.com"', true],
    ['userName lt "bjensen@example.com"', false],
    ['userName le "bjensen@example.com"', true],
    ['userName pr', true],
    // Empty is not present.
    ['title pr', false],
    ['nickName pr', false],
    ['name pr', true],
    ['emails pr', true],
    ['photos pr', false],
    ['name.middleName pr', false],
    // No value.
    ['nickName eq "x"', false],
    ['nickName ne "x"', true],
    ['nickName eq null', true],
    ['nickName ne null', false],
    ['userName eq null', false],
    ['userName ne NULL', true],
    // Booleans, and Entra ID's way to write them.
    ['active eq true', true],
    ['active eq "True"', true],
    ['active ne false', true],
    ['active eq False', false],
    // Times are instants.
    ['meta.created eq "2011-05-13T04:42:34Z"', true],
    ['meta.created eq "2011-05-13T06:42:34+02:00"', true],
    ['meta.lastModified gt "2026-01-02T03:04:04Z"', true],
    ['meta.lastModified lt "2026-01-02T03:04:04Z"', false],
    ['meta.lastModified ge "2026-01-02T04:04:05.000+01:00"', true],
    // Several values: one that fits is enough.
    ['emails eq "BABS@home.example"', true],
    ['emails.value eq "babs@home.example"', true],
    ['emails co "example"', true],
    ['emails.type eq "other"', false],
    ['emails.type ne "work"', true],
    ['schemas eq "urn:ietf:params:scim:schemas:core:2.0:User"', true],
    // One value fits the whole of the brackets.
    ['emails[type eq "work" and value co "home"]', false],
    ['emails.type eq "work" and emails.value co "home"', true],
    ['emails[type eq "home" and value co "home"]', true],
    ['emails[not (type eq "work")]', true],
    ['emails[not (type eq "work" or type eq "home")]', false],
    ['emails[primary eq true].value eq "bjensen@example.com"', true],
    ['emails[type eq "home"].value eq "bjensen@example.com"', false],
    ['emails[type eq "work"].display pr', false],
    ['addresses[type eq "work"].locality sw "holly"', true],
    ['name[givenName eq "barbara" and familyName sw "jensen"]', true],
    // URNs in any case.
    [`${CORE}:userName sw "b"`, true],
    [`${CORE.toUpperCase()}:NAME.GIVENNAME eq "barbara"`, true],
    [`${ENTERPRISE}:department eq "tour operations"`, true],
    [`${ENTERPRISE}:manager eq "M1"`, true],
    [`${ENTERPRISE}:manager.value eq "m1"`, false],
    [`${ENTERPRISE}:manager[value eq "M1"]`, true],
    [`${ENTERPRISE}:employeeNumber pr`, false],
    ['department eq "tour operations" and manager eq "M1"', true],
    [`${CORE}:emails[type eq "work"].value sw "bj"`, true],
    // Grouping and precedence.
    ['userName eq "x" and title pr or active eq true', true],
    ['userName eq "x" and (title pr or active eq true)', false],
    ['active eq true or userName eq "x" and title pr', true],
    ['(active eq true or userName eq "x") and title pr', false],
    ['not (title pr) and active eq true', true],
    ['not(title pr)', true],
    ['not (not (title pr))', false],
    ['NOT (title pr) AND NOT (nickName pr) OR title pr', true],
    ['((((userName pr))))', true],
    ['not (active eq true or title pr) or not (active eq false)', true],
    ['  userName   pr  ', true],
    // Escapes of JSON.
    ['name.familyName eq "jensen \\"babs\\" \\\\ o\'malley"', true],
    ['name.givenName eq "\\u0062arbara"', true],
    ['name.givenName eq "\\u0042\\u0061rbara\\n"', false],
    ['userName eq "a) or (userName pr"', false],
    // What another type of resource has, has no value here (RFC 7644 §3.4.2.2).
    ['members eq "Ab12"', false],
    ['members pr', false],
    ['members.value ne "Ab12"', true],
    ['urn:ietf:params:scim:schemas:core:2.0:Group:displayName eq null', true],
  ])('%s: %j', (filter, expected) => {
    expect(fits(filter)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    '()',
    '(userName pr',
    'userName pr)',
    'userName',
    'not userName',
    'not userName pr',
    'not',
    'userName eq',
    'userName eq ',
    'userName eq x',
    'userName eq "x',
    'userName eq "x\\"',
    'userName eq "\\x"',
    'userName eq "\n"',
    'userName eq "a\\u0000"',
    'emails[value eq "\\ud800"]',
    "userName eq 'x'",
    'userName eq"x"',
    'userName is "x"',
    'userName pr "x"',
    'userName pr title pr',
    'userName eq "x"and title pr',
    'userName eq "x" and',
    'userName eq "x" and and title pr',
    'or userName pr',
    'userName eq "x" xor title pr',
    'userName eq "x" title pr',
    '"x" eq userName',
    'userName == "x"',
    'userName eq 5',
    'userName eq 05',
    'userName eq true',
    'userName gt null',
    'userName.x eq "x"',
    'active gt true',
    'active co "tr"',
    'active eq "yes"',
    'active eq 1',
    'meta.created eq "yesterday"',
    'meta.created co "2011"',
    'meta.created gt 5',
    'x509Certificates gt "a"',
    'name eq "x"',
    'addresses eq "x"',
    'emails[]',
    'emails[].value eq "x"',
    'emails[type eq "work"',
    'emails[type eq "work"].',
    'emails[type eq "work"].value',
    'emails[type eq "work"].nothing eq "x"',
    'emails[nothing eq "x"]',
    'emails[emails.type eq "x"]',
    'emails.value[type eq "x"]',
    'emails[addresses[type eq "x"]]',
    'userName[value eq "x"]',
    'members[value eq "x"]',
    'nothing eq "x"',
    'nothing pr',
    '__proto__ pr',
    'constructor pr',
    'name.__proto__ pr',
    'emails[toString pr]',
    'urn:x:y pr',
    `${ENTERPRISE} pr`,
    `${ENTERPRISE}:nothing pr`,
    'password eq "x"',
    'password pr',
    'userName eq {"a":1}',
    'userName eq ["a"]',
  ])('%j is refused', (filter) => {
    expect(refusalOf(() => parseFilter(userType, filter))).toBe('400 invalidFilter');
  });

  it('says where it cannot be read, and nothing of what it says', () => {
    expect(() => parseFilter(userType, 'userName eq "secret" xor')).toThrow(
      expect.objectContaining({ message: 'filter, character 22: the filter should end here' }),
    );
  });

  it('of groups is typed by the schema of groups', () => {
    const group = { displayName: 'Tour Guides', members: [{ value: 'u1', type: 'User' }] };
    const test = (filter: string): boolean => compileFilter(parseFilter(groupType, filter))(group);
    expect(test('displayName eq "tour guides" and members eq "u1"')).toBe(true);
    expect(test('members[value eq "U1"]')).toBe(false);
    expect(test('members[value eq "u1" and type eq "user"]')).toBe(true);
    expect(test('userName pr')).toBe(false);
  });

  it('names what it looks at', () => {
    const filter = parseFilter(
      userType,
      `not (groups.value eq "g") and (emails[type eq "work"] or ${ENTERPRISE}:department pr) or members pr`,
    );
    expect([...attributesOf(filter)]).toEqual(['groups', 'emails', ENTERPRISE]);
  });

  it('is read as a list of operands, whatever its length', () => {
    const filter = parseFilter(userType, 'title pr or nickName pr or locale eq "en"');
    expect(filter).toMatchObject({
      kind: 'or',
      operands: [
        { kind: 'present', path: { name: 'title' } },
        { kind: 'present', path: { name: 'nickName' } },
        { kind: 'compare', path: { name: 'locale' }, operator: 'eq', value: 'en' },
      ],
    });
  });
});

describe('the limits of a filter', () => {
  const repeated = (count: number): string => Array(count).fill('title pr').join(' or ');
  const nested = (depth: number): string => `${'('.repeat(depth)}title pr${')'.repeat(depth)}`;
  const long = (length: number): string => `title eq "${'x'.repeat(length - 'title eq ""'.length)}"`;

  it.each([
    ['terms', repeated(MAX_FILTER_TERMS), repeated(MAX_FILTER_TERMS + 1)],
    ['levels', nested(MAX_FILTER_DEPTH), nested(MAX_FILTER_DEPTH + 1)],
    [
      'levels by not',
      `${'not ('.repeat(29)}emails[type pr]${')'.repeat(29)}`,
      `${'not ('.repeat(30)}emails[type pr]${')'.repeat(30)}`,
    ],
    ['characters', long(MAX_FILTER_CHARACTERS), long(MAX_FILTER_CHARACTERS + 1)],
  ])('are so many %s', (_what, most, tooMany) => {
    expect(refusalOf(() => parseFilter(userType, most))).toBeUndefined();
    expect(refusalOf(() => parseFilter(userType, tooMany))).toBe('400 invalidFilter');
  });

  it('count levels that are open, not all there ever were', () => {
    expect(refusalOf(() => parseFilter(userType, Array(100).fill('(title pr)').join(' or ')))).toBeUndefined();
  });
});
