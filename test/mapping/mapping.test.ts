// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${…}` is how a grant of the config names a capture
import fc from 'fast-check';
import { compileCondition, matchesCondition } from '../../src/mapping/conditions.ts';
import { compileMapping, type MappingInput } from '../../src/mapping/mapping.ts';
import type { Decision } from '../../src/model/desired.ts';
import { entitlementKey } from '../../src/model/entitlement.ts';
import { assertionOf, configOf, type WrittenConfig } from './config-of.ts';

const TWO: WrittenConfig = {
  identity: { require: [] },
  origins: { staff: {}, partners: { groups_absent: 'empty' } },
  rules: {
    analysts: { when: { groups: 'analysts' }, grant: { superset: { roles: ['Alpha'] } } },
    'staff-only': { when: { groups: 'admins', origin: 'staff' }, grant: { superset: { roles: ['Admin'] } } },
    suspended: { when: { groups: 'suspended' }, deny: 'Suspended.' },
  },
};

function decide(input: Omit<MappingInput, 'person'>, written: WrittenConfig = TWO): Decision {
  return compileMapping(configOf(written)).map({ person: 'p_1', ...input });
}

function rows(decision: Decision): readonly string[] | undefined {
  return decision.accounts.get('superset')?.entitlements.map((row) => `${entitlementKey(row)} ${row.origin}`);
}

const staff = (groups?: unknown, more = {}) =>
  assertionOf(groups === undefined ? {} : { groups }, { origin: 'staff', ...more });
const partner = (groups?: unknown, more = {}) =>
  assertionOf(groups === undefined ? {} : { groups }, { origin: 'partners', issuer: 'https://partner', ...more });

describe('groups that were not sent', () => {
  it('keep: what is there is left alone, rules see the groups of last time', () => {
    const remembered = decide({ assertions: [staff(undefined, { rememberedGroups: ['analysts'] })], current: 'staff' });
    expect(rows(remembered)).toEqual(['role:Alpha staff']);
    expect(remembered.accounts.get('superset')?.leaveAlone).toEqual(['staff']);
    expect(remembered.groups).toEqual(['analysts']);
    expect(remembered.trace.origins[0]?.groupsAbsent).toBe('keep');
  });

  it('keep: who was denied by a group is not let in by its absence', () => {
    const decision = decide({ assertions: [staff(undefined, { rememberedGroups: ['suspended'] })], current: 'staff' });
    expect(decision.code).toBe('denied_by_rule');
  });

  it('empty: a member of none, and nothing is left alone', () => {
    const decision = decide(
      { assertions: [partner(undefined, { rememberedGroups: ['analysts'] })], current: 'partners' },
      { ...TWO, default: { grant: { superset: {} } } },
    );
    expect(rows(decision)).toEqual([]);
    expect(decision.accounts.get('superset')?.leaveAlone).toEqual([]);
  });

  it('an empty list is a member of none, whatever was sent before', () => {
    const decision = decide({ assertions: [staff([], { rememberedGroups: ['analysts'] })], current: 'staff' });
    expect(decision.accounts.size).toBe(0);
    expect(decision.trace.origins[0]?.groupsAbsent).toBeUndefined();
  });

  it('sentGroups is what is to be remembered: raw, and nothing when nothing usable was sent', () => {
    const mapping = compileMapping(configOf({ ...TWO, groups: { strip: '/', allow: ['x'] } }));
    expect(mapping.sentGroups(staff(['/a', 'b']))).toEqual(['/a', 'b']);
    expect(mapping.sentGroups(staff([]))).toEqual([]);
    expect(mapping.sentGroups(staff())).toBeUndefined();
    expect(mapping.sentGroups(staff({ a: 1 }))).toBeUndefined();
  });
});

describe('groups that were left out, where nobody answers', () => {
  const leftOut = (more = {}) =>
    assertionOf({ hasgroups: true, 'latchgate:groups_unheard': true }, { origin: 'staff', ...more });

  it('of somebody known are those of last time, and nothing is taken', () => {
    const decision = decide({ assertions: [leftOut({ rememberedGroups: ['analysts'] })], current: 'staff' });
    expect(rows(decision)).toEqual(['role:Alpha staff']);
    expect(decision.accounts.get('superset')?.leaveAlone).toEqual(['staff']);
    expect(decision.trace.origins[0]?.groupsAbsent).toBe('unheard');
  });

  it('let nobody in by them who was denied by a group', () => {
    const decision = decide({ assertions: [leftOut({ rememberedGroups: ['suspended'] })], current: 'staff' });
    expect(decision.code).toBe('denied_by_rule');
  });

  it('refuse somebody new', () => {
    expect(decide({ assertions: [leftOut()], current: 'staff' })).toMatchObject({
      decision: 'deny',
      code: 'groups_unavailable',
    });
  });

  it('are nothing new where groups were sent, and the mark alone says nothing', () => {
    const sent = assertionOf({ groups: [], 'latchgate:groups_unheard': true }, { rememberedGroups: ['analysts'] });
    expect(decide({ assertions: [sent], current: 'staff' }).accounts.size).toBe(0);
  });
});

describe('several origins', () => {
  it('the union counts, one row for each origin', () => {
    const assertions = [staff(['analysts', 'admins']), partner(['analysts'])];
    expect(rows(decide({ assertions, current: 'staff' }))).toEqual([
      'role:Admin staff',
      'role:Alpha partners',
      'role:Alpha staff',
    ]);
    expect(rows(decide({ assertions: assertions.toReversed(), current: 'partners' }))).toHaveLength(3);
  });

  it('a line about an origin is about the origin that sent the group', () => {
    expect(rows(decide({ assertions: [staff([]), partner(['admins', 'analysts'])], current: 'staff' }))).toEqual([
      'role:Alpha partners',
    ]);
  });

  it('groups for headers and routes are those of the origin that is logging in', () => {
    const decision = decide({ assertions: [staff(['a']), partner(['b'])], current: 'partners' });
    expect(decision.groups).toEqual(['b']);
  });

  it('a denial by any of them holds', () => {
    expect(decide({ assertions: [staff(['analysts']), partner(['suspended'])], current: 'staff' }).code).toBe(
      'denied_by_rule',
    );
  });

  it('an inactive one gives nothing, nor one that the config no longer has', () => {
    const assertions = [
      staff([]),
      partner(['analysts'], { active: false }),
      assertionOf({ groups: ['analysts'] }, { origin: 'gone' }),
    ];
    const decision = decide({ assertions, current: 'staff' });
    expect(decision.accounts.size).toBe(0);
    expect(decision.trace.notes).toHaveLength(2);
  });

  it('one whose word is refused by now neither gives nor takes', () => {
    const written = { ...TWO, default: { grant: { superset: { roles: ['Gamma'] } } } };
    const decision = decide({ assertions: [staff([]), partner(7)], current: 'staff' }, written);
    expect(rows(decision)).toEqual(['role:Gamma staff']);
    expect(decision.accounts.get('superset')?.leaveAlone).toEqual(['partners']);
  });

  it('the default is of every origin, so that logging in by the other moves nothing', () => {
    const written = { ...TWO, default: { grant: { superset: { roles: ['Gamma'] } } } };
    const assertions = [staff([]), partner([])];
    expect(rows(decide({ assertions, current: 'staff' }, written))).toEqual(
      rows(decide({ assertions, current: 'partners' }, written)),
    );
  });

  it('the latest of two assertions of one origin is the one being made', () => {
    const older = assertionOf({ groups: ['old'] }, { subject: 'one', at: new Date(1) });
    const newer = assertionOf({ groups: ['new'] }, { subject: 'two', at: new Date(2) });
    expect(decide({ assertions: [newer, older], current: 'staff' }).groups).toEqual(['new']);
  });
});

it('an account of somebody who is not active is not active', () => {
  const decision = decide({ assertions: [staff(['analysts'], { active: false })], current: 'staff' });
  expect(decision.accounts.get('superset')?.active).toBe(false);
  expect(decision.trace.notes).toEqual(['staff: says that this person is not to have access']);
});

it('an origin without an assertion is a mistake of the caller', () => {
  expect(() => decide({ assertions: [staff([])], current: 'partners' })).toThrow(
    expect.objectContaining({ code: 'internal' }),
  );
});

describe('for whatever arrives', () => {
  const claimName = fc.constantFrom(
    'groups',
    'email',
    'email_verified',
    'name',
    'given_name',
    'title',
    'x',
    'hasgroups',
    '_claim_names',
  );
  const anyClaims = fc.dictionary(
    claimName,
    fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' }), fc.array(fc.string())),
  );
  const written: WrittenConfig = {
    origins: { staff: { claims: { title: ['title', 'x.y'] } } },
    rules: {
      any: { when: { groups: '*' }, grant: { superset: { roles: ['${match}'] } } },
      split: { when: { title: '~(?<a>.)(?<b>.*)' }, grant: { gooddata: { groups: ['${a}-${b}', '${match}'] } } },
      odd: { when: { email: '*@*', not: { groups: '~.{3,}' } }, grant: { superset: {} } },
    },
    default: { deny: 'No.' },
  };

  it('there is a decision, with a code when it is a denial, and clean names in it', () => {
    const mapping = compileMapping(configOf(written));
    fc.assert(
      fc.property(anyClaims, fc.string({ unit: 'binary' }), (claims, subject) => {
        const decision = mapping.map({
          person: 'p',
          assertions: [{ ...assertionOf(claims), subject }],
          current: 'staff',
        });
        expect(decision.decision === 'deny').toBe(decision.code !== undefined);
        const names = [...decision.accounts.values()].flatMap((account) =>
          account.entitlements.map(({ name }) => name),
        );
        for (const name of [...names, ...decision.groups]) expect(name).not.toMatch(/[\p{Cc}\p{Cs}]/u);
        expect(decision.decision === 'allow' || decision.accounts.size === 0).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  const words = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'team-x', 'team-y'));
  const grants = fc.dictionary(
    fc.constantFrom('r1', 'r2', 'r3', 'r4'),
    fc.record({
      when: fc.record({ groups: fc.constantFrom('a', 'b', 'team-*', '~team-(?<t>.)') }),
      grant: fc.constantFrom(
        { superset: { roles: ['R'] } },
        { superset: { roles: ['S', '${match}'] } },
        { superset: {} },
      ),
    }),
  );
  const keys = (decision: Decision): string[] =>
    decision.accounts.get('superset')?.entitlements.map((row) => `${entitlementKey(row)} ${row.origin}`) ?? [];
  const free: WrittenConfig = { identity: { require: [] }, origins: { staff: {}, partners: {} } };

  it('neither the order of rules nor that of groups or assertions matters', () => {
    fc.assert(
      fc.property(grants, words, words, (rules, here, there) => {
        const forward = decide({ assertions: [staff(here), partner(there)], current: 'staff' }, { ...free, rules });
        const reversed = Object.fromEntries(Object.entries(rules).reverse());
        const assertions = [partner(there.toReversed()), staff(here.toReversed())];
        const backward = decide({ assertions, current: 'staff' }, { ...free, rules: reversed });
        expect(backward.accounts.get('superset')?.entitlements).toEqual(forward.accounts.get('superset')?.entitlements);
      }),
    );
  });

  it('another group, rule or origin never takes anything away', () => {
    fc.assert(
      fc.property(grants, grants, words, words, (rules, more, groups, further) => {
        const less = decide({ assertions: [staff(groups)], current: 'staff' }, { ...free, rules });
        const grown = decide(
          { assertions: [staff([...groups, ...further]), partner(further)], current: 'staff' },
          {
            ...free,
            rules: {
              ...Object.fromEntries(Object.entries(more).map(([name, rule]) => [`more-${name}`, rule])),
              ...rules,
            },
          },
        );
        expect(keys(grown)).toEqual(expect.arrayContaining(keys(less)));
      }),
    );
  });

  it('what is absent is never cleared, what is empty always is', () => {
    const members = {
      given_name: 'givenName',
      family_name: 'familyName',
      email: 'email',
      name: 'displayName',
    } as const;
    const sent = fc.dictionary(
      fc.constantFrom(...(Object.keys(members) as (keyof typeof members)[])),
      fc.constantFrom('', null),
    );
    fc.assert(
      fc.property(sent, (claims) => {
        const assertion = assertionOf({ ...claims, groups: [] });
        const decision = decide(
          { assertions: [assertion], current: 'staff' },
          { ...free, default: { grant: { superset: {} } } },
        );
        const profile: object = decision.accounts.get('superset')?.profile ?? {};
        for (const [claim, member] of Object.entries(members)) {
          expect(Object.hasOwn(profile, member)).toBe(Object.hasOwn(claims, claim));
        }
        expect(Object.values(profile).every((value) => value === null)).toBe(true);
      }),
    );
  });
});

it('a condition of a route holds as the same condition of a rule', () => {
  const condition = compileCondition({ groups: ['bi-*', 'x'], not: { title: ['Guest'] } });
  const subject = { groups: ['bi-a'], attributes: { title: 'Boss' }, origin: 'staff' };
  expect(matchesCondition(condition, subject)).toBe(true);
  expect(matchesCondition(condition, { ...subject, attributes: { title: ['Boss', 'Guest'] } })).toBe(false);
  expect(matchesCondition(condition, { ...subject, groups: [] })).toBe(false);
  expect(matchesCondition(compileCondition(undefined), subject)).toBe(true);
});
