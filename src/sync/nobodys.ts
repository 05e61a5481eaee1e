import type { ActualAccount, Change, ChangeSet } from '../model/change.ts';
import { nobody } from '../provisioning/leaver.ts';
import type { Draft } from './draft.ts';
import { listsEverybody } from './listing.ts';

/**
 * Under `safety.manage: all` the accounts that belong to nobody, to be switched off, or emptied where there is no switch.
 * Only when everything was read and everybody who was listed could be placed: an account that nobody has may be that of
 * somebody who could not.
 */
function nobodysAccounts(
  { listing, snapshot, memory, held }: Pick<Draft, 'listing' | 'snapshot' | 'memory' | 'held'>,
  neverTouch: (account: ActualAccount) => boolean,
): readonly ChangeSet[] {
  if (!listsEverybody(listing) || !snapshot.complete || listing.people.length === 0) return [];
  if (held.some(({ type, entitlement }) => type === 'user' && entitlement === undefined)) return [];
  const isNobodys = (account: ActualAccount): boolean =>
    memory.owner(account.id) === undefined &&
    !memory.announces(account.userName) &&
    !account.isProtected &&
    !neverTouch(account);
  return snapshot.accounts.filter(isNobodys).flatMap((account) => setFor(account, snapshot.can.disable) ?? []);
}

/** The same, after a look at those that were written a moment ago where the target's list lags behind. */
export async function nobodysNow(
  draft: Pick<Draft, 'listing' | 'snapshot' | 'memory' | 'held' | 'lately'>,
  neverTouch: (account: ActualAccount) => boolean,
  signal: AbortSignal,
): Promise<readonly ChangeSet[]> {
  const listed = nobodysAccounts(draft, neverTouch);
  const lagging = listed.filter(({ userName }) => draft.lately.names.has(userName));
  if (lagging.length === 0) return listed;
  await draft.snapshot.refresh(
    lagging.flatMap(({ actual }) => actual?.id ?? []),
    signal,
  );
  return nobodysAccounts(draft, neverTouch);
}

function setFor(actual: ActualAccount, hasSwitch: boolean): ChangeSet | undefined {
  const { userName: key } = actual;
  const canDisable = hasSwitch && actual.never !== 'disable';
  const reason = 'the account belongs to nobody (safety.manage: all)';
  const changes: readonly Change[] = canDisable
    ? actual.active
      ? [{ op: 'disable', type: 'user', key, reason }]
      : []
    : actual.entitlements.map((entitlement) => ({ op: 'revoke', type: 'user', key, entitlement, reason }));
  if (changes.length === 0) return undefined;
  return {
    desired: nobody('', '', actual),
    actual,
    profile: {},
    userName: key,
    ...(canDisable ? { active: false } : {}),
    add: [],
    drop: canDisable ? [] : actual.entitlements,
    create: [],
    changes,
  };
}
