import type { IsPrivileged } from '../mapping/privileged.ts';
import type { ActualAccount } from '../model/change.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey, type Grant } from '../model/entitlement.ts';
import { type DriftRow, driftRow, entitlementText } from './drift.ts';

/** Accounts that belong to nobody. Pure. */
export function unknownAccounts(
  target: string,
  accounts: readonly ActualAccount[],
  isPrivileged: IsPrivileged,
): readonly DriftRow[] {
  return accounts.map(({ id, userName, active, entitlements }) => {
    const powerful = entitlements.filter((one) => isPrivileged(target, one));
    const has = powerful.length === 0 ? '' : `, with ${powerful.map(entitlementText).join(', ')}`;
    return driftRow({
      kind: 'account_unknown',
      target,
      account: userName,
      accountId: id,
      ...(powerful.length === 0 ? {} : { privileged: true }),
      seen: `no origin speaks of anybody with this account${active ? '' : ', which is switched off'}${has}`,
    });
  });
}

/** One row for each e-mail that several accounts have, whatever its case. */
export function duplicateAccounts(target: string, accounts: readonly ActualAccount[]): readonly DriftRow[] {
  const byEmail = new Map<string, ActualAccount[]>();
  for (const account of accounts) {
    const email = account.profile.email?.toLowerCase();
    if (email) byEmail.set(email, [...(byEmail.get(email) ?? []), account]);
  }
  return [...byEmail.values()].flatMap((same) => {
    const [first, ...others] = same.toSorted((a, b) => (a.id < b.id ? -1 : 1));
    if (first === undefined || others.length === 0) return [];
    const seen = `${others.map(({ userName }) => userName).join(', ')} has the same e-mail`;
    return [driftRow({ kind: 'account_duplicate', target, account: first.userName, accountId: first.id, seen })];
  });
}

/** Once for each role or group, and not for each account that has it. */
export function renamedEntitlements(
  target: string,
  accounts: readonly ActualAccount[],
  ledger: readonly Grant[],
): readonly DriftRow[] {
  const now = new Map<string, ActualEntitlement>();
  for (const account of accounts) for (const one of account.entitlements) now.set(one.id, one);
  const found = new Map<string, DriftRow>();
  for (const grant of ledger) {
    const actual = grant.entitlementId === undefined ? undefined : now.get(grant.entitlementId);
    if (actual === undefined || entitlementKey(actual) === entitlementKey(grant)) continue;
    const { kind, name, id, scope } = actual;
    const seen = `the ${kind} that we give as "${grant.name}" is called "${name}" now`;
    const entitlement = { kind, name, id, ...(scope === undefined ? {} : { scope }) };
    found.set(
      `${grant.entitlementId} ${entitlementKey(grant)}`,
      driftRow({ kind: 'entitlement_renamed', target, entitlement, seen }),
    );
  }
  return [...found.values()];
}

export function missingEntitlements(
  target: string,
  named: readonly (Entitlement & { readonly rule: string })[],
  there: readonly ActualEntitlement[],
): readonly DriftRow[] {
  const keys = new Set(there.map(entitlementKey));
  return named
    .filter((one) => !keys.has(entitlementKey(one)))
    .map(({ rule, ...entitlement }) => {
      const seen = `${entitlementText(entitlement)}, given by ${rule === 'default' ? 'default' : `rule ${rule}`}, is not there`;
      return driftRow({ kind: 'entitlement_missing', target, entitlement, seen });
    });
}
