import fc from 'fast-check';
import type { ActualAccount } from '../../src/model/change.ts';
import type { DesiredAccount } from '../../src/model/desired.ts';
import type { Grant } from '../../src/model/entitlement.ts';
import { isPlainlySettled } from '../../src/provisioning/plainly-settled.ts';
import { additions, planAccount, unrecorded } from '../../src/provisioning/plan.ts';
import { isSettled } from '../../src/provisioning/written.ts';
import type { Capabilities } from '../../src/targets/target.ts';

const CAN: Capabilities = {
  kinds: ['group', 'role'],
  creates: ['group'],
  disable: true,
  delete: true,
  needsEntitlement: true,
  uniqueEmail: true,
  requiredProfile: ['email'],
  profile: ['givenName', 'email'],
};
const MISSING = { users: 'create', groups: 'create', roles: 'refuse' } as const;
const NAMES = ['a', 'b', 'c'];

/** Mostly what fits, so that settled accounts come up; each member may be off. */
const mostly = <T>(value: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 12, arbitrary: fc.constant(value) }, fc.constantFrom(value, ...others));

const account = fc.record({
  id: mostly('1', '2'),
  userName: mostly('ann', 'ann2'),
  active: mostly(true, false),
  isProtected: mostly(false, true),
  profile: fc.record({
    email: mostly<string | null>('ann@acme.test', 'x@acme.test', null),
    givenName: mostly<string | null>('Ann', null),
  }),
  has: fc.subarray(NAMES),
  renamed: mostly(false, true),
});
const rows = fc.array(
  fc.record({
    name: fc.constantFrom(...NAMES),
    origin: mostly('hr', 'staff'),
    confirmed: mostly(true, false),
    knowsId: mostly(true, false),
  }),
  { maxLength: 4 },
);
const wanted = fc.record({
  entitlements: fc.uniqueArray(fc.record({ name: fc.constantFrom(...NAMES), origin: mostly('hr', 'staff') }), {
    maxLength: 4,
    selector: ({ name, origin }) => `${origin} ${name}`,
  }),
  copies: fc.boolean(),
  active: mostly(true, false),
  says: fc.record({
    email: mostly('ann@acme.test', 'new@acme.test'),
    givenName: mostly<string | null | undefined>('Ann', undefined, null, 'Anna'),
  }),
});
const link = fc.record({
  state: mostly('ready' as const, 'closed' as const, 'disabled' as const, 'intended' as const),
  accountId: mostly('1', '2'),
  userName: mostly('ann', 'ann2'),
});

it('says so only of accounts of which a plan has nothing to do either', () => {
  let settled = 0;
  fc.assert(
    fc.property(account, rows, wanted, link, fc.boolean(), (there, ledgerRows, goal, known, managesAll) => {
      const actual: ActualAccount = {
        ...there,
        entitlements: there.has.map((name) => ({
          kind: 'group',
          name: there.renamed ? `${name}!` : name,
          id: `id-${name}`,
        })),
      };
      const distinct = new Map(ledgerRows.map((row) => [`${row.origin} ${row.name}`, row]));
      const ledger = [...distinct.values()].map(({ name, origin, confirmed, knowsId }): Grant => {
        const id = knowsId ? { entitlementId: `id-${name}` } : {};
        return {
          kind: 'group',
          name,
          origin,
          rule: 'r',
          target: 't',
          person: 'p',
          confirmed,
          ...id,
        };
      });
      const names = goal.copies ? ledger.map(({ name, origin }) => ({ name, origin })) : goal.entitlements;
      const { givenName, email } = goal.says;
      const desired: DesiredAccount = {
        person: 'p',
        target: 't',
        externalId: 'x',
        matchExternalId: false,
        key: 'x',
        userNames: ['ann'],
        active: goal.active,
        profile: { email, ...(givenName === undefined ? {} : { givenName }) },
        profileIfNew: { email },
        emailTrusted: true,
        entitlements: names.map(({ name, origin }) => ({ kind: 'group', name, origin, rule: 'r' })),
        leaveAlone: [],
      };
      const memory = {
        link: { person: 'p', target: 't', created: true, ...known },
        ledger,
      };
      const context = { match: ['link'] as const, neverTouch: () => false, isManaged: () => managesAll };
      if (!isPlainlySettled({ desired, memory, account: actual, can: CAN }, context)) return;
      settled += 1;
      const all = [...ledger, ...unrecorded({ desired, actual, ledger }, context.isManaged)];
      const base = { desired, actual, link: memory.link, others: [], ledger: all, can: CAN, missing: MISSING };
      expect(additions(base)).toEqual([]);
      const plan = planAccount({ ...base, existing: [] });
      expect(
        isSettled({
          plan,
          account: actual,
          link: memory.link,
          ledger,
          stale: [],
          closes: false,
          isGone: false,
          notes: [],
        }),
      ).toBe(true);
    }),
    { numRuns: 5_000 },
  );
  expect(settled).toBeGreaterThan(50);
});
