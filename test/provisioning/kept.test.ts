import type { AccountLink } from '../../src/directory/directory.ts';
import type { ActualAccount } from '../../src/model/change.ts';
import type { Grant } from '../../src/model/entitlement.ts';
import { planLeaver } from '../../src/provisioning/leaver.ts';
import type { Capabilities } from '../../src/targets/target.ts';

const CAN: Capabilities = {
  kinds: ['role'],
  creates: [],
  disable: true,
  delete: true,
  needsEntitlement: false,
  uniqueEmail: true,
  requiredProfile: [],
  profile: [],
};
const ours = { kind: 'role', name: 'Viewer', id: 'r1' } as const;
const manual = { kind: 'role', name: 'Admin', id: 'r2' } as const;
const grant: Grant = {
  ...ours,
  target: 't',
  person: 'p',
  rule: 'r',
  origin: 'o',
  entitlementId: 'r1',
  confirmed: true,
};
const link: AccountLink = {
  person: 'p',
  target: 't',
  accountId: 'a',
  userName: 'a',
  created: true,
  state: 'ready',
};

function leaving(policy: 'disable' | 'delete', never?: ActualAccount['never']) {
  const base = { id: 'a', userName: 'a', active: true, profile: {}, entitlements: [ours, manual], isProtected: false };
  const actual = never === undefined ? base : { ...base, never };
  const input = { person: 'p', target: 't', actual, link, ledger: [grant], can: CAN, policy, reason: 'gone' };
  return planLeaver(input).changes.map(({ op, entitlement }) => `${op} ${entitlement?.name ?? 'account'}`);
}

it.each([
  ['delete', undefined, 'delete account'],
  ['disable', undefined, 'disable account'],
  ['delete', 'delete', 'disable account'],
  ['disable', 'delete', 'disable account'],
  ['delete', 'disable', 'revoke Viewer'],
  ['disable', 'disable', 'revoke Viewer'],
] as const)('the account of a leaver (%s) of which a target says never %s: %s', (policy, never, change) => {
  expect(leaving(policy, never)).toEqual([change]);
});
