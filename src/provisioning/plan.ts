import type { AccountLink } from '../directory/directory.ts';
import type { ActualAccount, Change, ChangeSet, HeldChange } from '../model/change.ts';
import { type DesiredAccount, isLeftAlone } from '../model/desired.ts';
import {
  type ActualEntitlement,
  type Entitlement,
  entitlementKey,
  type Grant,
  type GrantedEntitlement,
} from '../model/entitlement.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Pin } from '../model/pin.ts';
import type { Capabilities } from '../targets/target.ts';
import { sameEmail } from './correlate.ts';
import { withheldKeys } from './pinned.ts';
import { type PlannedProfile, planProfile } from './plan-profile.ts';
import { accountRows, grantRow, groupRow, MANAGED, newUserName, revokeRow, rulesByKey } from './rows.ts';

export interface Missing {
  readonly users: 'create' | 'refuse';
  readonly groups: 'create' | 'refuse';
  readonly roles: 'create' | 'refuse';
}

export interface PlanInput {
  /** In the target's own terms. */
  readonly desired: DesiredAccount;
  readonly actual: ActualAccount | undefined;
  readonly link: AccountLink | undefined;
  /** Further accounts that were found, for clashes of e-mail and user name. */
  readonly others: readonly ActualAccount[];
  readonly ledger: readonly Grant[];
  /** Those that withhold something: it goes whoever could not be heard. Default: none. */
  readonly pins?: readonly Pin[];
  /** Which of `additions(input)` exist in the target. */
  readonly existing: readonly ActualEntitlement[];
  readonly can: Capabilities;
  readonly missing: Missing;
}

export interface AccountPlan {
  /** Absent: there is nothing to write in the target. */
  readonly set: ChangeSet | undefined;
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  /** Ledger rows to write ahead of the call (`gives`) and to take out after it (`takes`), by origin. */
  readonly gives: readonly GrantedEntitlement[];
  readonly takes: readonly { readonly key: string; readonly origin: string }[];
  /** Entitlements that the target has and the ledger knows: confirmed with the target's own ids. */
  readonly confirms: readonly { readonly key: string; readonly entitlementId: string }[];
}

/*
 * Where an entitlement stands, and what becomes of it:
 *
 *   wanted  in target  in ledger | plan                         ledger
 *   yes     no         any       | grant (or hold, if missing)  row of each origin that gives it
 *   yes     yes        yes       | nothing                      row of each origin that gives it
 *   yes     yes        no        | nothing: it was there before us and is not ours
 *   no      yes        yes       | revoke                       out
 *   no      no         yes       | nothing: taken by hand       out
 *   no      yes        no        | nothing: given by hand
 */
export function planAccount(input: PlanInput): AccountPlan {
  const { desired, actual, ledger, can } = input;
  if (actual === undefined) refuseCreation(input);
  const profile = planProfile(input);
  const { create, add, held: missingHeld } = resolveMissing(input);
  const takes = withdrawn(input);
  const drop = revocations(input, takes);
  const remaining = (actual?.entitlements.length ?? 0) + add.length - drop.length;
  const empties = can.needsEntitlement && remaining === 0;
  if (empties && actual === undefined) {
    throw new LatchgateError('entitlement_missing', 'the target demands a role or a group, and there is none to give', {
      detail: { target: desired.target },
    });
  }
  // A target that demands one role or group: the account is switched off and keeps the first until it has another.
  const kept = empties ? drop.slice(0, 1) : [];
  const dropped = drop.slice(kept.length);
  const active = planActive(input, empties);
  const rules = rulesByKey(desired.entitlements);
  const changes = [
    ...create.map((entitlement) => groupRow(entitlement)),
    ...accountRows(input, profile, active),
    ...add.map((entitlement) => grantRow(input, entitlement, rules)),
    ...dropped.map((entitlement) => revokeRow(input, entitlement)),
  ];
  const keptIds = new Set(kept.map(({ id }) => id));
  return {
    set: changes.length === 0 ? undefined : toSet(input, { profile, active, create, add, dropped, changes }),
    changes,
    held: [...missingHeld, ...profile.held],
    gives: givenRows(input, add),
    takes: takes.filter(({ key }) => !keptIds.has(has(actual, key, ledger)?.id ?? '')),
    confirms: confirmations(actual, ledger),
  };
}

function refuseCreation({ desired, others, can, missing }: PlanInput): void {
  const detail = { target: desired.target };
  if (missing.users === 'refuse') {
    throw new LatchgateError('account_missing', 'no account fits, and accounts are not created here', { detail });
  }
  for (const field of can.requiredProfile) {
    if (desired.profileIfNew[field]) continue;
    throw new LatchgateError('profile_incomplete', `the target needs ${field}`, { detail: { ...detail, field } });
  }
  if (can.uniqueEmail && others.some((other) => sameEmail(other.profile.email, desired.profileIfNew.email))) {
    throw new LatchgateError('account_taken', 'an account with this e-mail is there, and nothing allows to link it', {
      detail,
    });
  }
}

/** What a plan would give that the account does not have: the caller asks the target which of these exist. */
export function additions({
  desired,
  actual,
  ledger,
}: Pick<PlanInput, 'desired' | 'actual' | 'ledger'>): readonly Entitlement[] {
  const wanted = new Map<string, Entitlement>();
  for (const entitlement of desired.entitlements) {
    const key = entitlementKey(entitlement);
    if (actual !== undefined && isLeftAlone(desired, entitlement)) continue;
    if (has(actual, key, ledger) === undefined && !wanted.has(key)) wanted.set(key, plain(entitlement));
  }
  return [...wanted.values()];
}

/** True when nothing of ours has to go: what lets a known person in while the target is down. */
export function withdrawsNothing(
  desired: DesiredAccount,
  ledger: readonly Grant[],
  pins: readonly Pin[] = [],
): boolean {
  const wanted = new Set(desired.entitlements.map((entitlement) => entitlementKey(entitlement)));
  const withheld = withheldKeys(pins);
  return (
    desired.active &&
    ledger.every((grant) => !withheld.has(entitlementKey(grant))) &&
    ledger.every((grant) => isLeftAlone(desired, grant) || wanted.has(entitlementKey(grant)))
  );
}

/** By the target's own id first: a role that was renamed by hand is still the one that we gave. */
function has(actual: ActualAccount | undefined, key: string, ledger: readonly Grant[]): ActualEntitlement | undefined {
  if (actual === undefined) return undefined;
  const ids = new Set(ledger.filter((grant) => entitlementKey(grant) === key).map((grant) => grant.entitlementId));
  return (
    actual.entitlements.find((entitlement) => ids.has(entitlement.id) && key.startsWith(`${entitlement.kind}:`)) ??
    actual.entitlements.find((entitlement) => entitlementKey(entitlement) === key)
  );
}

function resolveMissing(input: PlanInput): { create: Entitlement[]; add: Entitlement[]; held: HeldChange[] } {
  const { can, missing, existing, desired } = input;
  const there = new Set(existing.map((entitlement) => entitlementKey(entitlement)));
  const rules = rulesByKey(desired.entitlements);
  const create: Entitlement[] = [];
  const add: Entitlement[] = [];
  const held: HeldChange[] = [];
  for (const entitlement of additions(input)) {
    const policy = entitlement.kind === 'role' ? missing.roles : missing.groups;
    if (there.has(entitlementKey(entitlement))) add.push(entitlement);
    else if (policy === 'create' && can.creates.includes(entitlement.kind)) {
      create.push(entitlement);
      add.push(entitlement);
    } else {
      held.push({ ...grantRow(input, entitlement, rules), code: `${entitlement.kind}_missing` });
    }
  }
  return { create, add, held };
}

/**
 * What the account has, nobody gives and the ledger does not know, as rows that may be taken: of the entitlements that
 * `safety.manage` counts as ours.
 */
export function unrecorded(
  { desired, actual, ledger }: Pick<PlanInput, 'desired' | 'ledger'> & { readonly actual: ActualAccount },
  isManaged: (target: string, entitlement: ActualEntitlement) => boolean,
): Grant[] {
  const keys = [...desired.entitlements, ...ledger].map((entitlement) => entitlementKey(entitlement));
  const known = new Set(keys.map((key) => has(actual, key, ledger)?.id));
  return actual.entitlements
    .filter((entitlement) => !known.has(entitlement.id) && isManaged(desired.target, entitlement))
    .map(({ kind, name, scope, id }) => ({
      kind,
      name,
      ...(scope === undefined ? {} : { scope }),
      target: desired.target,
      person: desired.person,
      rule: MANAGED,
      origin: MANAGED,
      entitlementId: id,
      confirmed: true,
    }));
}

/** Ledger rows whose origin speaks now and no longer gives them, and those of what is withheld. */
function withdrawn({ desired, ledger, pins = [] }: PlanInput): { key: string; origin: string }[] {
  const wanted = new Set(
    desired.entitlements.map((entitlement) => `${entitlement.origin} ${entitlementKey(entitlement)}`),
  );
  const withheld = withheldKeys(pins);
  return ledger
    .filter(
      (grant) =>
        withheld.has(entitlementKey(grant)) ||
        (!isLeftAlone(desired, grant) && !wanted.has(`${grant.origin} ${entitlementKey(grant)}`)),
    )
    .map((grant) => ({ key: entitlementKey(grant), origin: grant.origin }));
}

/** Of those, the ones that no origin gives any more and that the account still has. */
function revocations(
  { desired, actual, ledger }: PlanInput,
  takes: readonly { key: string; origin: string }[],
): ActualEntitlement[] {
  const wanted = new Set(desired.entitlements.map((entitlement) => entitlementKey(entitlement)));
  const taken = new Set(takes.map(({ key, origin }) => `${origin} ${key}`));
  const heldByOthers = new Set(
    ledger
      .filter((grant) => !taken.has(`${grant.origin} ${entitlementKey(grant)}`))
      .map((grant) => entitlementKey(grant)),
  );
  // A wanted entitlement may be one that we gave under an older name.
  const needed = new Set([...wanted].map((key) => has(actual, key, ledger)?.id).filter((id) => id !== undefined));
  const found = new Map<string, ActualEntitlement>();
  for (const { key } of takes) {
    if (wanted.has(key) || heldByOthers.has(key)) continue;
    const entitlement = has(actual, key, ledger);
    if (entitlement !== undefined && !needed.has(entitlement.id)) found.set(entitlementKey(entitlement), entitlement);
  }
  return [...found.values()];
}

function planActive({ desired, actual, link }: PlanInput, empties: boolean): boolean | undefined {
  if (actual === undefined) return undefined;
  const wanted = desired.active && !empties;
  if (wanted === actual.active) return undefined;
  if (wanted && link?.state !== 'disabled') {
    throw new LatchgateError('account_disabled', 'the account was switched off in the target, not by us', {
      detail: { target: desired.target, account: actual.id },
    });
  }
  return wanted;
}

/** Ledger rows for what is given now, and for what a further origin gives that is ours already. */
function givenRows({ desired, actual, ledger }: PlanInput, add: readonly Entitlement[]): GrantedEntitlement[] {
  const added = new Set(add.map((entitlement) => entitlementKey(entitlement)));
  const ours = new Set(ledger.map((grant) => entitlementKey(grant)));
  const written = new Set(ledger.map((grant) => `${grant.origin} ${entitlementKey(grant)}`));
  return desired.entitlements.filter((entitlement) => {
    const key = entitlementKey(entitlement);
    if (written.has(`${entitlement.origin} ${key}`)) return false;
    return (
      added.has(key) || (ours.has(key) && has(actual, key, ledger) !== undefined && !isLeftAlone(desired, entitlement))
    );
  });
}

function confirmations(
  actual: ActualAccount | undefined,
  ledger: readonly Grant[],
): { key: string; entitlementId: string }[] {
  return ledger.flatMap((grant) => {
    const key = entitlementKey(grant);
    const entitlement = has(actual, key, ledger);
    return entitlement !== undefined && (!grant.confirmed || grant.entitlementId === undefined)
      ? [{ key, entitlementId: entitlement.id }]
      : [];
  });
}

function toSet(
  input: PlanInput,
  parts: {
    profile: PlannedProfile;
    active: boolean | undefined;
    create: Entitlement[];
    add: Entitlement[];
    dropped: ActualEntitlement[];
    changes: Change[];
  },
): ChangeSet {
  const { desired, actual } = input;
  return {
    desired,
    ...(actual === undefined ? {} : { actual }),
    profile: parts.profile.write,
    userName: actual?.userName ?? newUserName(input),
    ...(parts.active === undefined ? {} : { active: parts.active }),
    add: parts.add,
    drop: parts.dropped,
    create: parts.create,
    changes: parts.changes,
  };
}

function plain({ rule: _rule, origin: _origin, ...entitlement }: GrantedEntitlement): Entitlement {
  return entitlement;
}
