import type { DesiredAccount } from '../../src/model/desired.ts';
import type { ActualEntitlement } from '../../src/model/entitlement.ts';
import { correlate } from '../../src/provisioning/correlate.ts';

const desired = {
  target: 'gd',
  externalId: 'alice',
  matchExternalId: true,
  userNames: ['alice'],
  profile: { email: 'alice@acme.test' },
  profileIfNew: { email: 'alice@acme.test' },
  emailTrusted: true,
} as unknown as DesiredAccount;

function linkByEmail(entitlement: ActualEntitlement, privileged: string): string {
  const account = {
    id: '7',
    userName: 'old-hand',
    active: true,
    profile: { email: 'alice@acme.test' },
    entitlements: [entitlement],
    isProtected: false,
  };
  const input = { desired, link: undefined, ledger: [], found: [account], ownedByOthers: new Map<string, string>() };
  try {
    return (
      correlate({ ...input, match: ['verified_email'], privileged: [privileged], neverTouch: () => false }).by ?? ''
    );
  } catch (thrown) {
    return (thrown as { code: string }).code;
  }
}

describe('a privileged account is not found by e-mail', () => {
  it.each([
    ['as it is listed', { kind: 'role', name: 'Admin', id: 'role:1' }, 'gd:role:Admin'],
    ['listed in another case', { kind: 'role', name: 'Admin', id: 'role:1' }, 'gd:role:admin'],
    [
      'listed by the name of a group that goes by its id',
      group('Data-Admins-1f2e3d4c', 'Data Admins'),
      'gd:group:Data Admins',
    ],
  ] as const)('%s', (_, entitlement, privileged) => {
    expect(linkByEmail(entitlement, privileged)).toBe('account_privileged');
  });

  it.each([
    ['another kind', { kind: 'role', name: 'Admin', id: 'role:1' }, 'gd:group:Admin'],
    ['another target', { kind: 'role', name: 'Admin', id: 'role:1' }, 'bi:role:Admin'],
    ['another name', group('viewers', 'Viewers'), 'gd:group:Data Admins'],
  ] as const)('but is by one that is of %s', (_, entitlement, privileged) => {
    expect(linkByEmail(entitlement, privileged)).toBe('verified_email');
  });
});

function group(id: string, label: string): ActualEntitlement {
  return { kind: 'group', name: id, id, label };
}
