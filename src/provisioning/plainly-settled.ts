import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import type { Entitlement, Grant } from '../model/entitlement.ts';
import type { Capabilities } from '../targets/target.ts';
import type { Memory, PlanContext } from './job.ts';

export interface PlainInput {
  /** In the target's own terms. */
  readonly desired: DesiredAccount;
  readonly memory: Pick<Memory, 'link' | 'ledger'>;
  /** The account that is linked. */
  readonly account: ActualAccount;
  readonly can: Capabilities;
}

/**
 * Whether a look is enough to see that nothing is to be done, in the target and in our books: the account is there as we
 * left it, says what is wanted, and has what the ledger says that we gave, which is what is wanted. Of a hundred thousand
 * people nearly all are so. False says nothing: then `planOne` decides.
 */
export function isPlainlySettled(
  { desired, memory: { link, ledger }, account, can }: PlainInput,
  { match, neverTouch, isManaged }: Pick<PlanContext, 'match' | 'neverTouch' | 'isManaged'>,
): boolean {
  if (match[0] !== 'link' || link?.state !== 'ready') return false;
  if (link.accountId !== account.id || link.userName !== account.userName) return false;
  if (!desired.active || !account.active || account.isProtected || neverTouch(account)) return false;
  if (can.needsEntitlement && account.entitlements.length === 0) return false;
  return (
    saysTheSame(desired, account, can) &&
    ledger.every((grant) => grant.confirmed && isGiven(grant, desired) && hasById(account, grant)) &&
    desired.entitlements.every((wanted) => isThere(wanted, ledger, account)) &&
    account.entitlements.every(
      (one) => ledger.some(({ entitlementId }) => entitlementId === one.id) || !isManaged(desired.target, one),
    )
  );
}

function saysTheSame(desired: DesiredAccount, account: ActualAccount, can: Capabilities): boolean {
  return can.profile.every((field) => {
    const said = desired.profile[field];
    return said === undefined || said === (account.profile[field] ?? null);
  });
}

function isGiven(grant: Entitlement & { readonly origin: string }, desired: DesiredAccount): boolean {
  return desired.entitlements.some((wanted) => wanted.origin === grant.origin && isSame(wanted, grant));
}

/** Given by us and in the ledger, or there before us and none of ours. */
function isThere(
  wanted: DesiredAccount['entitlements'][number],
  ledger: Memory['ledger'],
  account: ActualAccount,
): boolean {
  let isOurs = false;
  for (const grant of ledger) {
    if (!isSame(wanted, grant)) continue;
    if (grant.origin === wanted.origin) return true;
    isOurs = true;
  }
  return !isOurs && account.entitlements.some((one) => isSame(wanted, one));
}

function hasById({ entitlements }: ActualAccount, grant: Grant): boolean {
  return entitlements.some((one) => one.id === grant.entitlementId && isSame(one, grant));
}

function isSame(one: Entitlement, other: Entitlement): boolean {
  return one.name === other.name && one.kind === other.kind && one.scope === other.scope;
}
