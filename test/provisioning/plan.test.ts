import type { ActualAccount } from '../../src/model/change.ts';
import type { DesiredAccount } from '../../src/model/desired.ts';
import { entitlementKey, type Grant, type GrantedEntitlement } from '../../src/model/entitlement.ts';
import { type PlanInput, planAccount, withdrawsNothing } from '../../src/provisioning/plan.ts';
import { renderChanges } from './plan-lines.ts';

const can: PlanInput['can'] = {
  kinds: ['group', 'role'],
  creates: ['group', 'role'],
  disable: true,
  delete: true,
  needsEntitlement: false,
  uniqueEmail: true,
  requiredProfile: ['givenName', 'familyName', 'email'],
  profile: ['givenName', 'familyName', 'email'],
};

const role = (name: string, origin = 'staff', rule = 'r'): GrantedEntitlement => ({ kind: 'role', name, origin, rule });

function desired(overrides: Partial<DesiredAccount> = {}): DesiredAccount {
  return {
    person: 'p_1',
    target: 't',
    externalId: 'x1',
    matchExternalId: true,
    key: 'x1',
    userNames: ['alice'],
    active: true,
    profile: { email: 'alice@acme.test' },
    profileIfNew: { givenName: 'Alice', familyName: 'Adams', email: 'alice@acme.test' },
    emailTrusted: true,
    entitlements: [],
    leaveAlone: [],
    ...overrides,
  };
}

function account(overrides: Partial<ActualAccount> = {}): ActualAccount {
  return {
    id: 'a1',
    userName: 'alice',
    externalId: 'x1',
    active: true,
    profile: { givenName: 'Alice', familyName: 'Adams', email: 'alice@acme.test' },
    entitlements: [],
    isProtected: false,
    ...overrides,
  };
}

function grant(name: string, overrides: Partial<Grant> = {}): Grant {
  return {
    kind: 'role',
    name,
    target: 't',
    person: 'p_1',
    rule: 'r',
    origin: 'staff',
    entitlementId: `id-${name}`,
    confirmed: true,
    ...overrides,
  };
}

const has = (...names: string[]) => names.map((name) => ({ kind: 'role' as const, name, id: `id-${name}` }));

function plan(overrides: Partial<PlanInput> = {}) {
  return planAccount({
    desired: desired(),
    actual: account(),
    link: {
      person: 'p_1',
      target: 't',
      accountId: 'a1',
      userName: 'alice',
      created: true,
      state: 'ready',
    },
    others: [],
    ledger: [],
    existing: has('Alpha', 'Beta', 'Gamma'),
    can,
    missing: { users: 'create', groups: 'create', roles: 'refuse' },
    ...overrides,
  });
}

const lines = (overrides: Partial<PlanInput>) => {
  const { changes, held } = plan(overrides);
  return renderChanges(changes, held);
};
const refusal = (overrides: Partial<PlanInput>) => {
  try {
    plan(overrides);
    return 'none';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe('an entitlement', () => {
  it('that is wanted and absent is given, and the ledger is told beforehand', () => {
    const made = plan({ desired: desired({ entitlements: [role('Alpha')] }) });
    expect(renderChanges(made.changes, made.held)).toEqual(['+ grant role:Alpha to account alice (rule r)']);
    expect(made.gives.map((one) => entitlementKey(one))).toEqual(['role:Alpha']);
  });

  it('that is wanted and was there before us is left as it is and never becomes ours', () => {
    const made = plan({
      desired: desired({ entitlements: [role('Alpha')] }),
      actual: account({ entitlements: has('Alpha') }),
    });
    expect(made.set).toBeUndefined();
    expect(made.gives).toEqual([]);
  });

  it('that we gave and nobody gives any more is taken away', () => {
    const made = plan({ actual: account({ entitlements: has('Alpha', 'Beta') }), ledger: [grant('Alpha')] });
    expect(made.set?.drop).toEqual(has('Alpha'));
    expect(made.takes).toEqual([{ key: 'role:Alpha', origin: 'staff' }]);
  });

  it('that was given by hand stays', () => {
    expect(lines({ actual: account({ entitlements: has('Beta') }) })).toEqual([]);
  });

  it('that we gave and somebody took away by hand leaves the ledger without a write, when no longer wanted', () => {
    const made = plan({ ledger: [grant('Alpha')] });
    expect(made.set).toBeUndefined();
    expect(made.takes).toHaveLength(1);
  });

  it('that two origins gave goes only when both withdraw it', () => {
    const ledger = [grant('Alpha'), grant('Alpha', { origin: 'hr' })];
    const actual = account({ entitlements: has('Alpha') });
    expect(lines({ desired: desired({ entitlements: [role('Alpha', 'hr')] }), actual, ledger })).toEqual([]);
    expect(lines({ actual, ledger })).toEqual([
      '- revoke role:Alpha from account alice (given by rule r, which no longer fits)',
    ]);
  });

  it('that a second origin gives too gets a ledger row for it, without a write', () => {
    const made = plan({
      desired: desired({ entitlements: [role('Alpha'), role('Alpha', 'hr')] }),
      actual: account({ entitlements: has('Alpha') }),
      ledger: [grant('Alpha')],
    });
    expect(made.set).toBeUndefined();
    expect(made.gives.map(({ origin }) => origin)).toEqual(['hr']);
  });

  it('renamed by hand is still ours: neither given again nor forgotten, and taken back by its id', () => {
    const renamed = [{ kind: 'role' as const, name: 'Alpha 2', id: 'id-Alpha' }];
    const actual = account({ entitlements: renamed });
    expect(lines({ desired: desired({ entitlements: [role('Alpha')] }), actual, ledger: [grant('Alpha')] })).toEqual(
      [],
    );
    expect(plan({ actual, ledger: [grant('Alpha')] }).set?.drop).toEqual(renamed);
  });

  it('of an origin that sent no groups is neither given nor taken', () => {
    const made = plan({
      desired: desired({ entitlements: [role('Beta')], leaveAlone: ['staff'] }),
      actual: account({ entitlements: has('Alpha') }),
      ledger: [grant('Alpha')],
    });
    expect(made.set).toBeUndefined();
    expect(made.takes).toEqual([]);
  });

  it('of an origin that sent no groups is given to an account that is new', () => {
    const made = plan({
      desired: desired({ entitlements: [role('Beta')], leaveAlone: ['staff'] }),
      actual: undefined,
      link: undefined,
    });
    expect(made.set?.add).toEqual([{ kind: 'role', name: 'Beta' }]);
  });

  it('a role that does not exist is held, a group is made', () => {
    const entitlements = [role('Nobody'), { ...role('team'), kind: 'group' as const }];
    expect(lines({ desired: desired({ entitlements }) })).toEqual([
      '+ create group team (a rule gives it and it does not exist)',
      '+ grant group:team to account alice (rule r)',
      '! grant role:Nobody to account alice (rule r) [held: role_missing]',
    ]);
  });

  it('written ahead by a run that ended is confirmed when it is there', () => {
    const made = plan({
      desired: desired({ entitlements: [role('Alpha')] }),
      actual: account({ entitlements: has('Alpha') }),
      ledger: [{ ...grant('Alpha', { confirmed: false }), entitlementId: undefined as never }],
    });
    expect(made.confirms).toEqual([{ key: 'role:Alpha', entitlementId: 'id-Alpha' }]);
  });
});

describe('a target that demands one role or group', () => {
  const strict = { ...can, needsEntitlement: true };

  it('keeps the last one and switches the account off', () => {
    const made = plan({ can: strict, actual: account({ entitlements: has('Alpha') }), ledger: [grant('Alpha')] });
    expect(made.set?.active).toBe(false);
    expect(made.set?.drop).toEqual([]);
    expect(made.takes).toEqual([]);
  });

  it('switches it on and takes the kept one away when something else is given again', () => {
    const made = plan({
      can: strict,
      desired: desired({ entitlements: [role('Beta')] }),
      actual: account({ active: false, entitlements: has('Alpha') }),
      ledger: [grant('Alpha')],
      link: {
        person: 'p_1',
        target: 't',
        accountId: 'a1',
        userName: 'alice',
        created: true,
        state: 'disabled',
      },
    });
    expect(made.set).toMatchObject({ active: true, add: [{ name: 'Beta' }], drop: [{ name: 'Alpha' }] });
  });

  it('refuses a new account with nothing', () => {
    expect(refusal({ can: strict, actual: undefined, link: undefined })).toBe('entitlement_missing');
  });
});

describe('the profile', () => {
  it('sent updates, not sent stays, empty clears unless the target demands it', () => {
    const optional = { ...can, requiredProfile: ['email'] as const };
    const changed = desired({ profile: { givenName: 'Alicia', familyName: null, email: null } });
    expect(plan({ can: optional, desired: changed }).set?.profile).toEqual({ givenName: 'Alicia', familyName: null });
    expect(plan({ desired: desired({ profile: {} }) }).set).toBeUndefined();
  });

  it('is not written when it says what is there', () => {
    expect(plan().set).toBeUndefined();
  });

  it('holds an e-mail that another account has, and goes on with the rest', () => {
    const made = plan({
      desired: desired({ profile: { givenName: 'Alicia', email: 'bob@acme.test' } }),
      others: [account({ id: 'a2', userName: 'bob', profile: { email: 'BOB@acme.test' } })],
    });
    expect(made.set?.profile).toEqual({ givenName: 'Alicia' });
    expect(made.held.map(({ code }) => code)).toEqual(['account_taken']);
  });
});

describe('a new account', () => {
  const none = { actual: undefined, link: undefined };

  it('takes the first user name that is free', () => {
    const others = [account({ id: 'a2', userName: 'ALICE', profile: { email: 'x@acme.test' } })];
    expect(plan({ ...none, others, desired: desired({ userNames: ['alice', 'alice@acme.test'] }) }).set?.userName).toBe(
      'alice@acme.test',
    );
    expect(refusal({ ...none, others })).toBe('user_name_taken');
    expect(refusal({ ...none, desired: desired({ userNames: [] }) })).toBe('user_name_missing');
  });

  it('is refused when accounts are not made here, when the profile lacks something, when its e-mail is taken', () => {
    expect(refusal({ ...none, missing: { users: 'refuse', groups: 'create', roles: 'refuse' } })).toBe(
      'account_missing',
    );
    expect(refusal({ ...none, desired: desired({ profileIfNew: { email: 'a@b.c' } }) })).toBe('profile_incomplete');
    const others = [account({ id: 'a2', userName: 'other' })];
    expect(refusal({ ...none, others })).toBe('account_taken');
  });
});

describe('an account that is switched off', () => {
  it('by hand stays off, and the login is refused', () => {
    expect(refusal({ actual: account({ active: false }) })).toBe('account_disabled');
  });

  it('by us is switched on again', () => {
    const link = {
      person: 'p_1',
      target: 't',
      accountId: 'a1',
      userName: 'alice',
      created: true,
      state: 'disabled' as const,
    };
    expect(plan({ actual: account({ active: false }), link }).set?.active).toBe(true);
  });
});

describe('a target that is down', () => {
  it('lets a person in only when nothing has to go', () => {
    expect(withdrawsNothing(desired({ entitlements: [role('Alpha')] }), [grant('Alpha')])).toBe(true);
    expect(withdrawsNothing(desired(), [grant('Alpha')])).toBe(false);
    expect(withdrawsNothing(desired({ leaveAlone: ['staff'] }), [grant('Alpha')])).toBe(true);
    expect(withdrawsNothing(desired({ active: false }), [])).toBe(false);
  });
});
