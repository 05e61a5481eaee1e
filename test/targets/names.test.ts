import { createHash } from 'node:crypto';
import fc from 'fast-check';
import type { GrantedEntitlement } from '../../src/model/entitlement.ts';
import { cut, deriveId, isValidId, userIdCandidates, withDerivedIds } from '../../src/targets/names.ts';

const ID = /^(?!\.)[.A-Za-z0-9_-]{1,255}$/;

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

function group(name: string, more: Partial<GrantedEntitlement> = {}): GrantedEntitlement {
  return { kind: 'group', name, rule: 'r', origin: 'staff', ...more };
}

/** Texts that people and attackers choose: anything, near-ids, and long ones. */
const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.string({ unit: 'grapheme', maxLength: 40 }),
  fc.stringMatching(/^[.A-Za-z0-9_|:/ -]{0,300}$/),
  fc.stringMatching(/^auth0\|[a-z0-9]{0,24}$/),
);

describe('ids derived from raw texts', () => {
  it.each(['alice', 'A.b_c-9', '0', '-', `x${'y'.repeat(254)}`, 'a..b'])('uses %j as it stands', (text) => {
    expect(deriveId(text)).toBe(text);
  });

  it.each([
    ['team:eu', `team-eu-${hash('team:eu')}`],
    ['Sales EU', `Sales-EU-${hash('Sales EU')}`],
    ['/company/team', `company-team-${hash('/company/team')}`],
    ['.hidden', `hidden-${hash('.hidden')}`],
    ['Équipe Müller', `Equipe-Muller-${hash('Équipe Müller')}`],
    ['日本', `id-${hash('日本')}`],
    ['', `id-${hash('')}`],
    ['x'.repeat(256), `${'x'.repeat(246)}-${hash('x'.repeat(256))}`],
  ])('cleans %j and adds the hash of the raw text', (raw, id) => {
    expect(deriveId(raw)).toBe(id);
  });

  it('is a valid id for any text, the same one each time, and its own id', () => {
    fc.assert(
      fc.property(texts, (raw) => {
        const id = deriveId(raw);
        expect(id).toMatch(ID);
        expect(isValidId(id)).toBe(true);
        expect(deriveId(raw)).toBe(id);
        expect(deriveId(id)).toBe(id);
      }),
    );
  });

  it('keeps different texts apart, unless one is the other’s id', () => {
    fc.assert(
      fc.property(texts, texts, (a, b) => {
        fc.pre(a !== b && deriveId(a) !== b && deriveId(b) !== a);
        expect(deriveId(a)).not.toBe(deriveId(b));
      }),
    );
  });

  it('keeps texts apart that clean to the same letters or differ in case alone', () => {
    const ids = ['sales eu', 'sales/eu', 'sales:eu', 'Sales eu', 'sales-eu', 'Sales-eu'].map(deriveId);
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe('ids for a new account', () => {
  it('drops a leading auth0| once and keeps what is valid then', () => {
    expect(userIdCandidates('auth0|5f7c8ec7', 'auth0|5f7c8ec7')).toEqual([
      '5f7c8ec7',
      `5f7c8ec7-${hash('auth0|5f7c8ec7')}`,
    ]);
    expect(userIdCandidates('auth0|auth0|1', 'auth0|auth0|1')[0]).toBe(`auth0-1-${hash('auth0|auth0|1')}`);
  });

  it('cleans what another provider sends and hashes the whole of it', () => {
    const [first, second] = userIdCandidates('google-oauth2|103', 'google-oauth2|103');
    expect(first).toBe(`google-oauth2-103-${hash('google-oauth2|103')}`);
    expect(second).toBe(`${first}-${hash('google-oauth2|103')}`);
  });

  it('ends with an id of the external id, so that two origins with one key both find a place', () => {
    const staff = userIdCandidates('1001', '1001');
    const partners = userIdCandidates('1001', 'partners|1001');
    expect(staff).toEqual(['1001', `1001-${hash('1001')}`]);
    expect(partners).toEqual(['1001', `1001-${hash('1001')}`, `1001-${hash('partners|1001')}`]);
  });

  it('gives valid, different ids for any key', () => {
    fc.assert(
      fc.property(texts, texts, (key, externalId) => {
        const ids = userIdCandidates(key, externalId);
        expect(ids.length).toBeGreaterThanOrEqual(2);
        expect(new Set(ids).size).toBe(ids.length);
        for (const id of ids) expect(id).toMatch(ID);
      }),
    );
  });
});

describe('entitlements under derived ids', () => {
  it('puts the id in the name, the raw text in the label, and leaves the rest', () => {
    expect(withDerivedIds([group('Sales EU', { rule: 'a' }), group('analysts')])).toEqual([
      { kind: 'group', name: `Sales-EU-${hash('Sales EU')}`, label: 'Sales EU', rule: 'a', origin: 'staff' },
      { kind: 'group', name: 'analysts', rule: 'r', origin: 'staff' },
    ]);
  });

  it('changes nothing the second time', () => {
    fc.assert(
      fc.property(fc.uniqueArray(texts, { maxLength: 10 }), (names) => {
        let once: readonly GrantedEntitlement[];
        try {
          once = withDerivedIds(names.map((name) => group(name)));
        } catch {
          return fc.pre(false);
        }
        expect(withDerivedIds(once)).toEqual(once);
      }),
    );
  });

  it('keeps one group given by two rules', () => {
    const twice = [group('a b', { rule: 'one' }), group('a b', { rule: 'two' })];
    expect(withDerivedIds(twice).map(({ rule }) => rule)).toEqual(['one', 'two']);
  });

  it('refuses two texts with one id', () => {
    const forged = deriveId('Sales EU');
    expect(() => withDerivedIds([group('Sales EU'), group(forged)])).toThrow(
      expect.objectContaining({ code: 'entitlement_conflict' }),
    );
  });
});

describe('cutting a text', () => {
  it('never leaves half a character', () => {
    expect(cut('ab😀', 3)).toBe('ab');
    expect(cut('ab😀', 4)).toBe('ab😀');
    expect(cut('abc', 2)).toBe('ab');
  });
});
