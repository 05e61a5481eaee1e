import type { AccountLink, Person } from '../directory/directory.ts';
import type { IsPrivileged } from '../mapping/privileged.ts';
import type { ActualAccount } from '../model/change.ts';
import type { DesiredAccount } from '../model/desired.ts';
import { type ActualEntitlement, entitlementKey, type Grant } from '../model/entitlement.ts';
import type { Goal } from '../provisioning/outcome.ts';
import { planProfile } from '../provisioning/plan-profile.ts';
import type { Capabilities } from '../targets/target.ts';
import { type DriftRow, driftRow, entitlementText, plainEntitlement } from './drift.ts';
import type { DriftKind } from './kinds.ts';

/** One person in one target, as far as it is known. */
export interface Compared {
  readonly target: string;
  readonly who: Pick<Person, 'id' | 'lastSeenAt'>;
  /** What they are to have; undefined: nobody can say. */
  readonly goal: Goal | undefined;
  /** The same in the target's own terms. */
  readonly desired: DesiredAccount | undefined;
  readonly link: AccountLink;
  readonly ledger: readonly Grant[];
  /** Undefined: it is not there. */
  readonly account: ActualAccount | undefined;
  readonly can: Capabilities;
  readonly isPrivileged: IsPrivileged;
  /** Milliseconds since the epoch: whoever was not heard of since is idle. */
  readonly idleBefore?: number;
  /** Nothing was granted by us yet: what the rules give and is not there counts too. */
  readonly isShadow: boolean;
}

/** How a person's account differs from what we left there. Pure. */
export function compareAccount(one: Compared): readonly DriftRow[] {
  const { account, link } = one;
  if (account === undefined) {
    // Whose account we switched off may have been cleared away by somebody.
    const seen = `account ${link.accountId ?? ''} is not there any more`;
    return link.state === 'ready' ? [row(one, 'account_gone', seen)] : [];
  }
  return [
    ...renamed(one, account),
    ...switched(one, account),
    ...byHand(one, account),
    ...gone(one, account),
    ...notGiven(one, account),
    ...profile(one, account),
    ...idle(one, account),
  ];
}

function row(
  { target, who, link, account }: Compared,
  kind: DriftKind,
  seen: string,
  more: Partial<DriftRow> = {},
): DriftRow {
  const accountId = account?.id ?? link.accountId;
  return driftRow({
    kind,
    target,
    account: account?.userName ?? link.userName,
    ...(accountId === undefined ? {} : { accountId }),
    person: who.id,
    ...more,
    seen,
  });
}

function renamed(one: Compared, { userName }: ActualAccount): readonly DriftRow[] {
  if (userName === one.link.userName) return [];
  return [row(one, 'account_renamed', `it was ${one.link.userName}, and is ${userName} now`)];
}

function switched(one: Compared, { active }: ActualAccount): readonly DriftRow[] {
  const { link, goal, can } = one;
  if (!can.disable) return [];
  const isWanted = goal !== undefined && 'desired' in goal;
  if (!active && link.state === 'ready' && isWanted) {
    return [row(one, 'account_disabled', 'the account is switched off, and we did not do so')];
  }
  if (active && link.state === 'disabled') return [row(one, 'account_enabled', 'we switched it off, and it is on')];
  return [];
}

/** By the target's own id first, as a plan does. */
function isGrantOf(grant: Grant, { id, ...entitlement }: ActualEntitlement): boolean {
  return grant.entitlementId === id || entitlementKey(grant) === entitlementKey(entitlement);
}

function byHand(one: Compared, account: ActualAccount): readonly DriftRow[] {
  const { ledger, desired, isPrivileged, target } = one;
  const wanted = new Set((desired?.entitlements ?? []).map(entitlementKey));
  return account.entitlements.flatMap((entitlement) => {
    if (wanted.has(entitlementKey(entitlement)) || ledger.some((grant) => isGrantOf(grant, entitlement))) return [];
    const named = entitlement.label === undefined ? entitlement : { ...entitlement, name: entitlement.label };
    const isPowerful = isPrivileged(target, entitlement) || isPrivileged(target, named);
    return [
      row(one, 'entitlement_by_hand', `${entitlementText(entitlement)}: nobody granted it`, {
        entitlement: plainEntitlement(entitlement),
        ...(isPowerful ? { privileged: true } : {}),
      }),
    ];
  });
}

/** Once, however many origins give it. Of somebody who is out nothing is to be there. */
function gone(one: Compared, account: ActualAccount): readonly DriftRow[] {
  const { goal, ledger } = one;
  if (goal !== undefined && 'leaving' in goal) return [];
  const missing = new Map<string, Grant>();
  for (const grant of ledger) {
    if (!grant.confirmed || account.entitlements.some((entitlement) => isGrantOf(grant, entitlement))) continue;
    missing.set(entitlementKey(grant), grant);
  }
  return [...missing.values()].map(({ kind, name, scope, entitlementId, rule }) => {
    const entitlement = { kind, name, ...(scope === undefined ? {} : { scope }) };
    return row(
      one,
      'entitlement_gone',
      `${entitlementText(entitlement)}, given by rule ${rule}, is not there any more`,
      {
        entitlement: { ...entitlement, ...(entitlementId === undefined ? {} : { id: entitlementId }) },
      },
    );
  });
}

function notGiven(one: Compared, account: ActualAccount): readonly DriftRow[] {
  if (!one.isShadow) return [];
  const there = new Set(account.entitlements.map(entitlementKey));
  const lacking = new Map((one.desired?.entitlements ?? []).map((given) => [entitlementKey(given), given] as const));
  return [...lacking].flatMap(([key, { rule, origin: _origin, ...entitlement }]) => {
    if (there.has(key)) return [];
    return [
      row(one, 'entitlement_not_given', `${entitlementText(entitlement)}, by rule ${rule}, is not there`, {
        entitlement,
      }),
    ];
  });
}

function profile(one: Compared, actual: ActualAccount): readonly DriftRow[] {
  const { desired, can, link } = one;
  if (desired === undefined || link.state !== 'ready') return [];
  const { fields } = planProfile({ desired, actual, others: [], can });
  if (fields.length === 0) return [];
  const said = fields.map(({ field, before, after }) => `${field} is ${text(before)}, the origin says ${text(after)}`);
  return [row(one, 'profile_changed', said.join('; '))];
}

function text(value: string | boolean | null): string {
  return value === null || value === '' ? 'empty' : `"${value}"`;
}

function idle(one: Compared, { active }: ActualAccount): readonly DriftRow[] {
  const { who, idleBefore, link } = one;
  const seen = who.lastSeenAt?.getTime();
  if (idleBefore === undefined || seen === undefined || seen >= idleBefore) return [];
  if (!active || link.state !== 'ready') return [];
  return [
    row(one, 'account_idle', `no origin has spoken of its person since ${new Date(seen).toISOString().slice(0, 10)}`),
  ];
}
