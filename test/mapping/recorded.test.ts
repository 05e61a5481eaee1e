import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { compileMapping } from '../../src/mapping/mapping.ts';
import { compileRecord, HASHED, type RecordOptions } from '../../src/mapping/recorded.ts';
import { forgotten, isForgotten, NOT_RECORDED } from '../../src/model/recorded-claims.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

const digest = (text: string) => createHmac('sha256', 'a key of tests').update(text).digest('base64url');

const WRITTEN = {
  origins: { staff: { claims: { groups: ['realm_access.roles', 'urn.gooddata.groups'], unit: ['hr.unit', 'unit'] } } },
  identity: { require: [] },
  rules: {
    sales: { when: { unit: 'sales' }, grant: { superset: { roles: ['Alpha'] } } },
    admins: { when: { groups: ['admin'] }, grant: { superset: { roles: ['Admin'] } } },
    not: { when: { not: { unit: ['x', 'sales'] } }, grant: { gooddata: { groups: ['others'] } } },
  },
} satisfies WrittenConfig;

function recordOf(options: Partial<RecordOptions> = {}, written: WrittenConfig = WRITTEN) {
  return compileRecord({ origins: configOf(written).origins, keep: 'used', hash: [], digest, ...options });
}

// Names that meet each other: paths, names with dots, members of objects that are no objects.
const NAMES = ['groups', 'a', 'b', 'a.b', 'a.b.c', 'a\\.b', 'email', 'sub', '__proto__', 'constructor', 'name'];
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, 'admin', 'sales', 'x', '', 7, ['admin'], ['x', 'sales']),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'a.b', '__proto__'), tie('any'), { maxKeys: 3 }),
  ),
})).any;
const claimSets = fc.dictionary(
  fc.constantFrom(
    'groups',
    'a',
    'b',
    'a.b',
    'email',
    'name',
    'given_name',
    'email_verified',
    'hasgroups',
    '_claim_names',
    '__proto__',
    'extra',
  ),
  value,
);
const readers = fc.record({
  groups: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
  unit: fc.array(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
});

describe('what is recorded of claims', () => {
  it('decides as all that was sent does, and is the same when it is recorded again', () => {
    fc.assert(
      fc.property(claimSets, readers, (claims, read) => {
        const written = { ...WRITTEN, origins: { staff: { claims: read } } };
        const record = recordOf({}, written);
        const kept = record('staff', claims);
        const decide = (said: Readonly<Record<string, unknown>>) =>
          compileMapping(configOf(written)).map({
            person: 'p',
            assertions: [assertionOf(said, { subject: 's' })],
            current: 'staff',
          });
        expect(decide(kept)).toEqual(decide(claims));
        expect(JSON.stringify(record('staff', kept))).toBe(JSON.stringify(kept));
        expect(JSON.stringify(record('staff', JSON.parse(JSON.stringify(kept))))).toBe(JSON.stringify(kept));
      }),
      { numRuns: 400 },
    );
  });

  it('leaves out what nothing reads, also inside of objects, and says where', () => {
    const kept = recordOf()('staff', {
      email: 'a@acme.test',
      realm_access: { roles: ['admin'], secret: 'S1' },
      phone: 'S2',
      hr: { unit: 'sales', salary: 'S3' },
    });
    expect(kept).toEqual({
      [NOT_RECORDED]: [['realm_access', 'secret'], ['phone'], ['hr', 'salary']],
      email: 'a@acme.test',
      realm_access: { roles: ['admin'] },
      hr: { unit: 'sales' },
    });
  });

  it('has a keyed hash in place of a value, alike for the same value of the same claim only', () => {
    const record = recordOf({ keep: 'all', hash: ['phone', 'mobile', 'address.street'] });
    const of = (claims: Record<string, unknown>) => record('staff', claims)[HASHED] as Record<string, string>;
    const said = { phone: '555-0100', mobile: '555-0100', address: { street: 'Main Street', city: 'Bonn' } };
    const kept = record('staff', said);
    expect(JSON.stringify(kept)).not.toMatch(/555-0100|Main Street/);
    expect(kept).toMatchObject({ address: { city: 'Bonn' } });
    expect(of(said)).toEqual(of({ ...said }));
    expect(of(said)['phone']).not.toBe(of(said)['mobile']);
    expect(of(said)['phone']).not.toBe(of({ phone: '555-0101' })['phone']);
    expect(JSON.stringify(record('staff', kept))).toBe(JSON.stringify(kept));
    // A text that a provider sends under the name of the member is no hash of ours.
    expect(JSON.stringify(record('staff', { [HASHED]: { phone: 'in clear' } }))).not.toContain('in clear');
  });

  it('takes what is said again for known, and keeps the hash of what is not said this time', () => {
    const record = recordOf({ keep: 'used', hash: ['phone'] });
    const before = record('staff', { phone: '1', badge: 'b', unit: 'x' });
    const again = record('staff', { ...before, unit: 'sales' });
    expect(again).toEqual({ ...before, unit: 'sales' });
    const wider = recordOf({}, { ...WRITTEN, origins: { staff: { claims: { badge: ['badge'] } } } });
    expect(wider('staff', { ...before, badge: 'c' })).toEqual({ [NOT_RECORDED]: [['phone'], ['unit']], badge: 'c' });
  });

  it('refuses to decide by what is not recorded, and not for what comes before it', () => {
    const kept = recordOf()('staff', { badge: 'gold', unit: 'sales', 'urn.gooddata.groups': [] });
    const decided = (claims: Record<string, readonly string[]>, said = kept) => {
      const mapping = compileMapping(configOf({ ...WRITTEN, origins: { staff: { claims } } }));
      return mapping.map({ person: 'p', assertions: [assertionOf(said, { subject: 's' })], current: 'staff' });
    };
    expect(decided({ unit: ['badge'] })).toMatchObject({ decision: 'deny', code: 'claim_not_recorded' });
    expect(decided({ groups: ['badge'] })).toMatchObject({ decision: 'deny', code: 'claim_not_recorded' });
    expect(decided({ unit: ['badge', 'unit'] })).toMatchObject({ code: 'claim_not_recorded' });
    expect(decided({ unit: ['unit', 'badge'] })).toMatchObject({ decision: 'allow' });
    expect(decided({ unit: ['nothing'] })).toMatchObject({ decision: 'allow' });
    expect(JSON.stringify(decided({ unit: ['badge'] }))).not.toContain('gold');
  });

  it('knows nothing of what was forgotten but who it was', () => {
    const left = forgotten({ email: 'a@acme.test', externalId: 'e1' });
    expect(left).toEqual({ externalId: 'e1', [NOT_RECORDED]: [[]] });
    expect([isForgotten(JSON.stringify(left)), isForgotten('{"email":"a"}')]).toEqual([true, false]);
    expect(isForgotten(JSON.stringify(recordOf()('staff', { ...left, email: 'a@acme.test' })))).toBe(false);
    // Byte by byte, so that nothing is written at the next start.
    expect(JSON.stringify(recordOf()('staff', left))).toBe(JSON.stringify(left));
    const mapping = compileMapping(configOf({ identity: { require: [] } }));
    const decision = mapping.map({ person: 'p', assertions: [assertionOf(left, { subject: 's' })], current: 'staff' });
    expect(decision).toMatchObject({ decision: 'deny', code: 'claim_not_recorded' });
    // What an access token says since then counts, and what it leaves out stays unknown.
    expect(recordOf()('staff', { ...left, email: 'b@acme.test' })).toEqual({ ...left, email: 'b@acme.test' });
  });
});
