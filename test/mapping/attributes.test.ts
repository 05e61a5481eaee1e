import { compileMapping } from '../../src/mapping/mapping.ts';
import type { Decision, DesiredAccount } from '../../src/model/desired.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

const EVERYBODY: WrittenConfig = { default: { grant: { superset: {}, gooddata: {} } }, identity: { require: [] } };

function decide(claims: Record<string, unknown>, written: WrittenConfig = {}): Decision {
  const mapping = compileMapping(configOf({ ...EVERYBODY, ...written }));
  return mapping.map({ person: 'p_1', assertions: [assertionOf(claims)], current: 'staff' });
}

function accountOf(decision: Decision, target = 'superset'): DesiredAccount {
  const account = decision.accounts.get(target);
  if (account === undefined) throw new Error(`no account in ${target}: ${JSON.stringify(decision)}`);
  return account;
}

function withClaims(claims: Record<string, unknown>, more: object = {}): WrittenConfig {
  return { origins: { staff: { claims, ...more } } };
}

describe('where a claim is found', () => {
  it('under its name as it stands, dots, slashes and colons included, before a path', () => {
    const written = withClaims({ a: 'x.y', b: 'https://acme.test/role', c: 'cognito:thing' });
    const claims = { 'x.y': 'flat', x: { y: 'nested' }, 'https://acme.test/role': 'r', 'cognito:thing': 'g' };
    expect(decide(claims, written).attributes).toMatchObject({ a: 'flat', b: 'r', c: 'g' });
  });

  it('as a path, with \\. for a dot inside a segment', () => {
    const written = withClaims({ a: 'x.y', b: 'access.my\\.client.level', c: 'flat\\.name' });
    const claims = { x: { y: 'nested' }, access: { 'my.client': { level: '3' } }, 'flat.name': 'f' };
    const decision = decide(claims, written);
    expect(decision.attributes).toMatchObject({ a: 'nested', b: '3', c: 'f' });
    expect(decision.trace.origins[0]?.attributes).toContainEqual({ name: 'a', claim: 'x.y', by: 'path' });
  });

  it('never on a prototype', () => {
    const written = withClaims({ a: 'constructor', b: 'x.constructor.name', c: '__proto__', d: 'list.length' });
    expect(decide({ x: {}, list: ['a'] }, written).attributes).toEqual({ external_id: 'subject-1' });
  });

  it('the first that is there of several, be it empty', () => {
    const written = withClaims({ a: ['first', 'second'] });
    expect(decide({ second: 's' }, written).attributes).toHaveProperty('a', 's');
    expect(decide({ first: '', second: 's' }, written).attributes).toHaveProperty('a', null);
  });
});

describe('present, empty, absent', () => {
  it('absent is left alone, empty clears, present is taken', () => {
    const { profile } = accountOf(decide({ given_name: 'Ada', family_name: '', email: null }));
    expect(profile).toEqual({ givenName: 'Ada', familyName: null, email: null });
  });

  it('a name of blanks is empty, blanks around a name are dropped', () => {
    expect(accountOf(decide({ given_name: '  Ada ', family_name: ' \u00a0' })).profile).toEqual({
      givenName: 'Ada',
      familyName: null,
    });
  });

  it('half a name makes no display name that would overwrite a whole one', () => {
    expect(accountOf(decide({ given_name: 'Ada' })).profile).not.toHaveProperty('displayName');
    expect(accountOf(decide({ given_name: 'Ada', family_name: 'Lovelace' })).profile.displayName).toBe('Ada Lovelace');
    expect(accountOf(decide({ given_name: 'A', family_name: 'B', name: 'Ada L.' })).profile.displayName).toBe('Ada L.');
  });
});

describe('names of a new account', () => {
  it.each([
    ['name split', { name: 'Ann Marie Lee' }, 'Ann Marie', 'Lee'],
    ['name with a comma', { name: 'Lee, Ann Marie' }, 'Ann Marie', 'Lee'],
    [
      'the rest of name beside a given name',
      { given_name: 'Ann Marie', name: 'Ann Marie van Lee' },
      'Ann Marie',
      'van Lee',
    ],
    ['the rest of name beside a family name', { family_name: 'van Lee', name: 'Ann van Lee' }, 'Ann', 'van Lee'],
    ['preferred_username', { preferred_username: 'ann', email: 'x@example.com' }, 'ann', 'ann'],
    ['one word, and preferred_username for the other', { name: 'Cher', preferred_username: 'cher1' }, 'Cher', 'cher1'],
    ['the local part of the e-mail', { email: 'ann.lee@example.com' }, 'ann.lee', 'ann.lee'],
    ['empty counts as missing', { given_name: '', family_name: 'Lee', email: 'ann@example.com' }, 'ann', 'Lee'],
  ])('%s', (_, claims, givenName, familyName) => {
    const decision = decide(claims);
    expect(accountOf(decision).profileIfNew).toMatchObject({ givenName, familyName });
    expect(decision.trace.notes.join('\n')).toMatch(
      /(givenName|familyName): taken from .*, because (given|family)_name was (not sent|sent empty)/,
    );
  });

  it('the user name comes last, and differs by target', () => {
    const decision = decide({ sub: 'auth0|7' });
    expect(accountOf(decision, 'gooddata').profileIfNew).toEqual({
      givenName: 'auth0|7',
      familyName: 'auth0|7',
      displayName: 'auth0|7',
    });
    expect(accountOf(decision, 'superset').profileIfNew).toEqual({});
  });

  it('substitutes never reach an account that exists', () => {
    expect(accountOf(decide({ preferred_username: 'ann' })).profile).toEqual({});
  });
});

describe('user names and ids', () => {
  it('superset: preferred_username, then e-mail; gooddata: external_id', () => {
    const decision = decide({ sub: 's1', preferred_username: 'ann', email: 'ann@example.com' });
    expect(accountOf(decision).userNames).toEqual(['ann', 'ann@example.com']);
    expect(accountOf(decision, 'gooddata').userNames).toEqual(['s1']);
    expect(accountOf(decide({ preferred_username: ' ', email: 'a@b' })).userNames).toEqual(['a@b']);
    expect(accountOf(decide({})).userNames).toEqual([]);
  });

  it('the only origin keeps its ids and finds accounts by them', () => {
    const account = accountOf(decide({ sub: 's1', oid: 'o1' }, withClaims({ external_id: 'oid' })));
    expect(account).toMatchObject({ externalId: 'o1', key: 'o1', matchExternalId: true });
  });

  it('the subject stands in for an external id that was not sent, and finds nothing', () => {
    const decision = decide({ sub: 's1' }, withClaims({ external_id: 'oid' }));
    expect(accountOf(decision)).toMatchObject({ externalId: 's1', key: 's1', matchExternalId: false });
    expect(decision.trace.notes).toContain('external_id: the subject stands in, because it was not sent');
  });

  it('of several origins only the one that external_ids names keeps its ids', () => {
    const targets = { superset: { type: 'superset' }, gooddata: { type: 'gooddata', external_ids: 'staff' } } as const;
    const config = configOf({ ...EVERYBODY, origins: { staff: {}, partners: {} }, targets });
    const mapping = compileMapping(config);
    const mapped = (origin: string): Decision =>
      mapping.map({ person: 'p', assertions: [assertionOf({ sub: '7' }, { origin })], current: origin });
    expect(accountOf(mapped('staff'), 'gooddata')).toMatchObject({ externalId: '7', matchExternalId: true });
    expect(accountOf(mapped('partners'), 'gooddata')).toMatchObject({
      externalId: 'partners|7',
      key: '7',
      matchExternalId: false,
    });
    expect(accountOf(mapped('staff'), 'superset')).toMatchObject({ externalId: 'staff|7', matchExternalId: false });
  });

  it('the subject that was verified counts, whatever the claims hold under sub', () => {
    const mapping = compileMapping(configOf(EVERYBODY));
    const assertion = { ...assertionOf({ sub: 'somebody-else' }), subject: 'me' };
    expect(accountOf(mapping.map({ person: 'p', assertions: [assertion], current: 'staff' })).externalId).toBe('me');
  });
});

describe('e-mail', () => {
  const listed = { email_domains: ['Example.com'] };
  const email = 'ann@eXample.com';

  it.each([
    ['verified by the provider, domain listed', { email, email_verified: true }, listed, true],
    ['verified by the provider, domain not listed', { email, email_verified: true }, {}, false],
    ['not verified', { email, email_verified: false }, listed, false],
    ['said nothing of it', { email }, listed, false],
    ['the text "true"', { email, email_verified: 'true' }, listed, false],
    ['1', { email, email_verified: 1 }, listed, false],
    ['trusted, domain listed', { email }, { ...listed, trust_email: true }, true],
    ['trusted, another domain', { email: 'ann@other.com' }, { ...listed, trust_email: true }, false],
    ['trusted, a subdomain', { email: 'ann@a.example.com' }, { ...listed, trust_email: true }, false],
    [
      'a domain outside ASCII, written as browsers send it',
      { email: 'a@xn--mnchen-3ya.Example' },
      { email_domains: ['münchen.example'], trust_email: true },
      true,
    ],
    [
      'the same the other way round',
      { email: 'a@MÜNCHEN.example' },
      { email_domains: ['XN--mnchen-3ya.example'], trust_email: true },
      true,
    ],
    [
      'another domain outside ASCII',
      { email: 'a@munchen.example' },
      { email_domains: ['münchen.example'], trust_email: true },
      false,
    ],
    [
      'a domain that only Unicode folding makes ours',
      { email: 'a@ban\u212a.com' },
      { email_domains: ['bank.com'], trust_email: true },
      false,
    ],
  ])('%s: may find an account %j', (_, claims, origin, trusted) => {
    expect(accountOf(decide(claims, withClaims({}, origin))).emailTrusted).toBe(trusted);
  });

  it.each([
    'ｂａｎｋ.com',
    'ba\u00adnk.com',
    'bank\u3002com',
    'b\u0430nk.com',
    'münchen.com/x',
    'ü/x',
    'ü:443',
    'ü%2f',
    'x#ü',
  ])('of a domain that is written much like ours, %j, finds no account', (domain) => {
    const bank = withClaims({}, { email_domains: ['bank.com', 'münchen.com', 'ü', 'x'], trust_email: true });
    expect(accountOf(decide({ email: `a@${domain}` }, bank)).emailTrusted).toBe(false);
  });

  it('email_verified that is a text is told in the trace', () => {
    const { notes } = decide({ email, email_verified: 'true' }).trace;
    expect(notes).toContain(
      'email_verified: not true or false but a text of 4 characters; counts as not verified (see trust_email)',
    );
  });

  it.each([
    'no-at',
    'two@at@example.com',
    '@example.com',
    'ann@',
    'ann @example.com',
    'ann@example.com\n',
    'ann\u0000@example.com',
    'a\ud800@example.com',
    `${'a'.repeat(250)}@b.cd`,
    ['ann@example.com'],
    { value: 'ann@example.com' },
    7,
    true,
  ])('%j is refused', (value) => {
    const decision = decide({ email: value });
    expect(decision).toMatchObject({ decision: 'deny', code: 'email_invalid' });
    expect(decision.accounts.size).toBe(0);
    expect(decision.trace.notes.join()).toMatch(/^refused: email: .*\(email_invalid\)$/);
  });
});

describe('identity.require', () => {
  it.each([
    [['email'], {}, 'email_missing'],
    [['email'], { email: '' }, 'email_missing'],
    [['email'], { email: 'no-at' }, 'email_invalid'],
    [['email_verified'], { email: 'a@b.c' }, 'email_unverified'],
    [['family_name'], { email: 'a@b.c' }, 'attribute_missing'],
    [['groups'], { email: 'a@b.c' }, 'attribute_missing'],
  ])('%j with %j: %s', (require, claims, code) => {
    expect(decide(claims, { identity: { require } })).toMatchObject({ decision: 'deny', code, groups: [] });
  });

  it('is content with an address that trust_email vouches for, and with an empty list of groups', () => {
    const written = {
      ...withClaims({}, { trust_email: true, email_domains: ['b.c'] }),
      identity: { require: ['email_verified', 'groups'] },
    };
    expect(decide({ email: 'a@b.c', groups: [] }, written).decision).toBe('allow');
  });

  it('asks for e-mail unless told otherwise', () => {
    const mapping = compileMapping(configOf({ default: { grant: { superset: {} } } }));
    expect(mapping.map({ person: 'p', assertions: [assertionOf({})], current: 'staff' }).code).toBe('email_missing');
  });
});

describe('values that are refused', () => {
  it.each([
    ['a control character', 'a\u0007'],
    ['half a surrogate pair', '\udc00'],
    ['an object', {}],
    ['a list of more than texts', ['a', 1]],
    ['a list in a list', [['a']]],
    ['a fraction', 1.5],
    ['more than 4096 characters', 'x'.repeat(4_097)],
  ])('%s', (_, title) => {
    const decision = decide({ title }, withClaims({ title: 'title' }));
    expect(decision).toMatchObject({ decision: 'deny', code: 'attribute_invalid' });
    expect(decision.attributes).not.toHaveProperty('title');
  });

  it.each(['given_name', 'family_name', 'name', 'preferred_username'])('a list for %s, which is one text', (name) => {
    expect(decide({ [name]: ['a'] }).code).toBe('attribute_invalid');
  });

  it('whole numbers, booleans and lists of texts are fine for attributes of rules', () => {
    const written = withClaims({ level: 'level', staff: 'staff', teams: 'teams', none: 'none' });
    const claims = { level: 7, staff: true, teams: ['a', '', 'b'], none: [] };
    expect(decide(claims, written).attributes).toMatchObject({ level: '7', staff: true, teams: ['a', 'b'], none: [] });
  });

  it.each([
    ['empty', ''],
    ['256 characters', 'x'.repeat(256)],
    ['a control character', 'a\u0000'],
    ['half a surrogate pair', 'a\ud800'],
  ])('subject: %s', (_, subject) => {
    const mapping = compileMapping(configOf(EVERYBODY));
    const decision = mapping.map({ person: 'p', assertions: [{ ...assertionOf({}), subject }], current: 'staff' });
    expect(decision.code).toBe('subject_invalid');
    expect(JSON.stringify(decision.trace)).not.toContain('xxxx');
  });

  it.each(['..', 'a/b%2F', '__proto__', 'admin', 'Ünïcode', 'x'.repeat(255)])('subject %s is a subject', (sub) => {
    expect(accountOf(decide({ sub })).externalId).toBe(sub);
  });
});

it('claims called like members of every object are ordinary names', () => {
  const claims = JSON.parse('{"__proto__":{"groups":["admins"]},"constructor":"c","hasOwnProperty":"h"}') as Record<
    string,
    unknown
  >;
  const decision = decide(claims, { ...withClaims({ c: 'constructor', p: '__proto__.groups' }), rules: {} });
  expect(decision.attributes).toMatchObject({ c: 'c', p: ['admins'] });
  expect(decision.groups).toEqual([]);
});
