import type { AccountLink, Person } from '../directory/directory.ts';
import type { ActualAccount, Change } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { PersonId } from '../model/person.ts';
import type { Capabilities } from '../targets/target.ts';
import type { HoldsDeletion, Leaving } from './job.ts';
import type { AccountPlan } from './plan.ts';

/** What becomes of the accounts of somebody who left: at once, and after how long in milliseconds they are deleted. */
export interface LeaverPolicy {
  readonly now: 'disable' | 'delete';
  readonly deleteAfterMs?: number;
}

/** For somebody who was disabled or has left; `now` in milliseconds since the epoch. */
export function personLeaves(
  policy: LeaverPolicy,
  who: Pick<Person, 'leftAt' | 'disabledAt' | 'owner'> | undefined,
  now: number,
): Leaving {
  const since = who?.leftAt ?? who?.disabledAt;
  const isDue =
    policy.deleteAfterMs !== undefined && since !== undefined && now - since.getTime() >= policy.deleteAfterMs;
  const reason = who?.leftAt === undefined ? 'the person was disabled' : `gone from ${who.owner ?? 'the source'}`;
  return { policy: isDue ? 'delete' : policy.now, reason, person: true, leaveAlone: [] };
}

/** The same for every door: what waits for somebody's word is not deleted, whoever else says that the person is gone. */
export async function unlessHeld(
  leaving: Leaving,
  person: PersonId | undefined,
  holdsDeletion: HoldsDeletion | undefined,
): Promise<Leaving> {
  if (leaving.policy === 'disable' || person === undefined || holdsDeletion === undefined) return leaving;
  return (await holdsDeletion(person)) ? { ...leaving, policy: 'disable' } : leaving;
}

export interface LeaverInput {
  readonly person: string;
  readonly target: string;
  readonly actual: ActualAccount;
  readonly link: AccountLink;
  readonly ledger: readonly Grant[];
  readonly can: Capabilities;
  /** `disable`, or `delete` for accounts that we made. */
  readonly policy: 'disable' | 'delete';
  readonly reason: string;
}

/**
 * What becomes of the account of somebody who is to have nothing here any more. An account that was there before us is
 * never deleted, and neither is one of which the target says so. Where a target has a switch, the account is switched
 * off and keeps its grants, so that turning it on again gives back what was there; without a switch, and where it must
 * not be turned, every grant of ours goes.
 */
export function planLeaver(input: LeaverInput): AccountPlan {
  const { actual, link, ledger, can, policy } = input;
  const base = {
    desired: nobody(input.person, input.target, actual),
    actual,
    profile: {},
    userName: actual.userName,
    add: [],
    create: [],
  };
  const done = { held: [], gives: [], confirms: [] };
  const row = (op: 'disable' | 'delete'): Change => ({ op, type: 'user', key: actual.userName, reason: input.reason });
  const takeAll = ledger.map((grant) => ({ key: entitlementKey(grant), origin: grant.origin }));

  if (policy === 'delete' && can.delete && link.created && actual.never === undefined) {
    const changes = [row('delete')];
    return { ...done, changes, takes: takeAll, set: { ...base, remove: true, drop: [], changes } };
  }
  if (can.disable && actual.never !== 'disable') {
    const changes = actual.active ? [row('disable')] : [];
    return {
      ...done,
      changes,
      takes: [],
      set: changes.length === 0 ? undefined : { ...base, active: false, drop: [], changes },
    };
  }
  const drop = actual.entitlements.filter((entitlement) =>
    ledger.some(
      (grant) => grant.entitlementId === entitlement.id || entitlementKey(grant) === entitlementKey(entitlement),
    ),
  );
  const changes = drop.map(
    (entitlement): Change => ({ op: 'revoke', type: 'user', key: actual.userName, entitlement, reason: input.reason }),
  );
  return { ...done, changes, takes: takeAll, set: changes.length === 0 ? undefined : { ...base, drop, changes } };
}

/** The account as it is, wanted without anything. */
export function nobody(person: string, target: string, actual: ActualAccount): DesiredAccount {
  return {
    person,
    target,
    externalId: actual.externalId ?? '',
    matchExternalId: false,
    key: '',
    userNames: [],
    active: false,
    profile: {},
    profileIfNew: {},
    emailTrusted: false,
    entitlements: [],
    leaveAlone: [],
  };
}
