import type { DesiredAccount } from '../../../src/model/desired.ts';
import { adaptAccount } from '../../../src/targets/superset/adapt.ts';

const desired = (more: Partial<DesiredAccount> = {}): DesiredAccount => ({
  person: 'p_1',
  target: 'superset',
  externalId: 'x',
  matchExternalId: false,
  key: 'x',
  userNames: ['alice'],
  active: true,
  profile: {},
  profileIfNew: {},
  emailTrusted: true,
  entitlements: [],
  leaveAlone: [],
  ...more,
});
const names = (userNames: readonly string[], signIn: 'assertion' | 'header' = 'assertion') =>
  adaptAccount(desired({ userNames }), signIn).userNames;
const given = (kind: 'role' | 'group' | 'permission', name: string) => ({ kind, name, rule: 'r', origin: 'o' });

describe('user names', () => {
  it('have no capitals, and each is there once', () => {
    expect(names(['Alice', 'ALICE', 'Alice@Example.com'])).toEqual(['alice', 'alice@example.com']);
    expect(names(['JOSÉ', 'Jose\u0301', 'İ'])).toEqual(['josé', 'i\u0307']);
  });

  it('that nobody could sign in with are left out', () => {
    const long = 'x'.repeat(129);
    expect(names([long, 'a\u0000b', 'a\u200bb', 'a\u00a0b', '\ud800', ' alice', 'alice ', '', 'alice b'])).toEqual([
      'alice b',
    ]);
    expect(names(['日本', 'josé', '😀'.repeat(128)])).toHaveLength(3);
    expect(names(['日本', 'josé'], 'header')).toEqual(['josé']);
  });
});

describe('a profile', () => {
  it('has what Superset stores, cut to what it holds', () => {
    const profile = { givenName: '😀'.repeat(65), familyName: '', displayName: 'Alice', email: 'a@example.com' };
    expect(adaptAccount(desired({ profile }), 'assertion').profile).toEqual({
      givenName: '😀'.repeat(64),
      familyName: null,
      email: 'a@example.com',
    });
    expect(adaptAccount(desired({ profile: { givenName: 'A' } }), 'assertion').profile).toEqual({ givenName: 'A' });
  });

  it('with an e-mail that does not fit is refused: half an address is another one', () => {
    const profileIfNew = { email: `${'x'.repeat(320)}@example.com` };
    expect(() => adaptAccount(desired({ profileIfNew }), 'assertion')).toThrow(
      expect.objectContaining({ code: 'profile_invalid' }),
    );
  });
});

describe('roles and groups', () => {
  it('keep their names; a permission is nothing here', () => {
    const entitlements = [given('role', 'Alpha'), given('group', 'Sales EU'), given('permission', 'x')];
    expect(adaptAccount(desired({ entitlements }), 'assertion').entitlements).toEqual(entitlements.slice(0, 2));
  });

  it('with names that do not fit get shorter ones that stay apart', () => {
    const long = 'g'.repeat(120);
    const entitlements = [given('group', `${long}1`), given('group', `${long}2`), given('role', 'r'.repeat(65))];
    const once = adaptAccount(desired({ entitlements }), 'assertion');
    expect(once.entitlements.map(({ name }) => name.length)).toEqual([100, 100, 64]);
    expect(new Set(once.entitlements.map(({ name }) => name)).size).toBe(3);
    expect(once.entitlements[0]).toMatchObject({ label: `${long}1` });
    expect(adaptAccount(once, 'assertion')).toEqual(once);
  });
});
