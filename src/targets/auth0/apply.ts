import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { type ActualEntitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { assignRoles, type Giving, removeRoles, resolveRoles } from './assign.ts';
import { createAccount } from './create.ts';
import { inOrder } from './documents.ts';
import { inParallel } from './parallel.ts';
import type { WriteParts } from './parts.ts';
import { conflict, refuseProtected } from './refusals.ts';
import { removeAccount, updateAccount } from './update.ts';

type Outcome = Applied | LatchgateError;

/** What is still to be given to an account that was written. */
interface Pending {
  readonly at: number;
  readonly applied: Applied;
  readonly roles: readonly ActualEntitlement[];
}

/**
 * Writes the changes of several accounts: each account by itself, then what is taken from it, then everybody's new roles
 * together in the fewest calls. Answers in the order of the sets. Failures: `target_conflict` when an account is not any
 * more what was read, `profile_invalid`, `role_missing`, `account_protected`.
 */
export async function applyMany(
  parts: WriteParts,
  sets: readonly ChangeSet[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const pending: Pending[] = [];
  const wanted = sets.flatMap(({ add }) => add);
  // Asked for once, ahead of all who are about to need them; who cannot have theirs finds out for itself.
  if (wanted.length > 0) await parts.roles.find(wanted, signal).catch(() => undefined);
  await inParallel(sets, async (set, at) => {
    try {
      // First, so that nothing is made for somebody who cannot get what belongs to it.
      const roles = set.add.length === 0 ? [] : await resolveRoles(parts, set.add, namesIn(set), signal);
      const applied = await writeOne(parts, set, signal);
      outcomes[at] = applied;
      if (set.remove !== true && roles.length > 0) pending.push({ at, applied, roles });
    } catch (thrown) {
      outcomes[at] = toLatchgateError(thrown);
    }
  });
  const givings = pending.map(
    ({ applied, roles }): Giving => ({ userId: applied.account.id, roles: lacking(applied.account, roles) }),
  );
  const given = await assignRoles(parts, merged(givings), signal);
  for (const { at, applied, roles } of pending) {
    const result = given.get(applied.account.id) ?? [];
    const isNew = sets[at]?.actual === undefined;
    outcomes[at] = result instanceof LatchgateError ? result : afterGiving(applied, roles, result, isNew);
  }
  return outcomes;
}

/** The same for one account; throws its failure. */
export async function applyOne(parts: WriteParts, set: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const [outcome] = await applyMany(parts, [set], signal);
  if (outcome === undefined || outcome instanceof LatchgateError) throw outcome;
  return outcome;
}

async function writeOne(parts: WriteParts, set: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const { actual, drop } = set;
  await parts.stillOurs?.();
  if (actual === undefined) {
    if (set.remove === true) throw conflict('there is no account to remove');
    return createAccount(parts, set, signal);
  }
  refuseProtected(actual);
  if (set.remove === true) return removeAccount(parts, actual, signal);
  const { outcome, account } = await updateAccount(parts, set, actual, signal);
  if (drop.length === 0) return { outcome, account };
  await parts.stillOurs?.();
  await removeRoles(parts, actual.id, drop, signal);
  const gone = new Set(drop.map(({ id }) => id));
  const entitlements = account.entitlements.filter(({ id }) => !gone.has(id));
  return { outcome: 'applied', account: { ...account, entitlements } };
}

function namesIn({ create }: ChangeSet): ReadonlySet<string> {
  return new Set(create.map(({ name }) => name));
}

function lacking({ entitlements }: ActualAccount, roles: readonly ActualEntitlement[]): readonly ActualEntitlement[] {
  const has = new Set(entitlements.map(({ id }) => id));
  return roles.filter(({ id }) => !has.has(id));
}

/** Two sets of one account, which only a race makes, are one giving. */
function merged(givings: readonly Giving[]): readonly Giving[] {
  const byUser = new Map<string, Map<string, ActualEntitlement>>();
  for (const { userId, roles } of givings) {
    const known = byUser.get(userId) ?? new Map<string, ActualEntitlement>();
    for (const role of roles) known.set(role.id, role);
    byUser.set(userId, known);
  }
  return [...byUser].flatMap(([userId, roles]) => (roles.size === 0 ? [] : [{ userId, roles: [...roles.values()] }]));
}

/** A new account that another instance had made stays `already`: what it lacked of the same plan is no news. */
function afterGiving(
  { outcome, account }: Applied,
  wanted: readonly ActualEntitlement[],
  given: readonly ActualEntitlement[],
  isNew: boolean,
): Applied {
  const keys = new Set(wanted.map((role) => entitlementKey(role)));
  const added = given.filter((role) => keys.has(entitlementKey(role)));
  if (added.length === 0) return { outcome, account };
  const entitlements = new Map([...account.entitlements, ...added].map((role) => [role.id, role]));
  return {
    outcome: isNew ? outcome : 'applied',
    account: { ...account, entitlements: inOrder([...entitlements.values()]) },
  };
}
