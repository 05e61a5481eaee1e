import type { ActualAccount, Applied, ChangeSet } from '../../model/change.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { createMany } from './bulk.ts';
import { createAccount } from './create.ts';
import { inOrder } from './documents.ts';
import { type Giving, giveAndTake, resolveGroups } from './giving.ts';
import { inParallel } from './parallel.ts';
import type { WriteParts } from './parts.ts';
import { conflict, refuseProtected } from './refusals.ts';
import { isWrite, removeAccount, updateAccount } from './update.ts';

type Outcome = Applied | LatchgateError;

/**
 * Writes the changes of several accounts: new ones together where the service takes them so, each other one by itself,
 * then group by group who goes and who comes. Answers in the order of the sets. Failures: `target_conflict` when an
 * account is not any more what was read, `user_name_taken`, `profile_invalid`, `group_missing`, `account_protected`.
 */
export async function applyMany(
  parts: WriteParts,
  sets: readonly ChangeSet[],
  signal: AbortSignal,
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const prepared = await prepare(parts, sets, signal);
  const givings: (Giving & { readonly at: number })[] = [];
  await inParallel(sets, async (set, at) => {
    try {
      // First, so that nothing is made for somebody who cannot get what belongs to it.
      const add = groupsFor(set, prepared);
      const applied = prepared.made.get(set) ?? (await writeOne(parts, set, prepared, signal));
      outcomes[at] = applied;
      if (set.remove === true) return;
      const has = new Set(applied.account.entitlements.map(({ id }) => id));
      const missing = add.filter(({ id }) => !has.has(id));
      const drop = groupsIn(set.drop);
      if (missing.length + drop.length > 0) givings.push({ at, userId: applied.account.id, add: missing, drop });
    } catch (thrown) {
      outcomes[at] = toLatchgateError(thrown);
    }
  });
  const given = await giveAndTake(parts, givings, signal);
  for (const [index, { at, drop }] of givings.entries()) {
    const result = given[index] ?? [];
    outcomes[at] =
      result instanceof LatchgateError
        ? result
        : after(outcomes[at] as Applied, result, drop, sets[at]?.actual === undefined);
  }
  return outcomes;
}

/** What is done or found out for all sets together. */
interface Prepared {
  readonly groups: ReadonlyMap<string, ActualEntitlement | LatchgateError>;
  readonly made: ReadonlyMap<ChangeSet, Applied>;
  /** Ids of accounts that are certainly there. */
  readonly there: ReadonlySet<string>;
}

async function prepare(parts: WriteParts, sets: readonly ChangeSet[], signal: AbortSignal): Promise<Prepared> {
  const groups = await resolveGroups(parts, sets, signal);
  const canHaveTheirs = ({ add }: ChangeSet) =>
    groupsIn(add).every(({ name }) => !(groups.get(name) instanceof LatchgateError));
  const fresh = sets.filter((set) => isNew(set) && canHaveTheirs(set));
  const made = await createMany(parts, fresh, signal);
  const idle = sets.flatMap((set) => (set.remove === true || isWrite(set) ? [] : (set.actual?.id ?? [])));
  // Who is not among them is asked for, and so is everybody when this fails.
  const there = await parts.accounts.certain(idle, signal).catch((): ReadonlySet<string> => new Set());
  return { groups, made, there };
}

/** The groups that are to be given. Throws the failure of one that cannot be. */
function groupsFor({ add, remove }: ChangeSet, { groups }: Prepared): readonly ActualEntitlement[] {
  if (remove === true) return [];
  return groupsIn(add).flatMap(({ name }) => {
    const group = groups.get(name);
    if (group instanceof LatchgateError) throw group;
    return group ?? [];
  });
}

/** The same for one account; throws its failure. */
export async function applyOne(parts: WriteParts, set: ChangeSet, signal: AbortSignal): Promise<Applied> {
  const [outcome] = await applyMany(parts, [set], signal);
  if (outcome === undefined || outcome instanceof LatchgateError) throw outcome;
  return outcome;
}

async function writeOne(parts: WriteParts, set: ChangeSet, { there }: Prepared, signal: AbortSignal): Promise<Applied> {
  const { actual } = set;
  await parts.stillOurs?.();
  if (actual === undefined) {
    if (set.remove === true) throw conflict('there is no account to remove');
    return createAccount(parts, set, signal);
  }
  refuseProtected(actual);
  // Its groups are all that changes; who is not certain to be there is looked for.
  if (set.remove !== true && !isWrite(set) && there.has(actual.id)) return { outcome: 'already', account: actual };
  return set.remove === true ? removeAccount(parts, actual, signal) : updateAccount(parts, set, actual, signal);
}

function isNew({ actual, remove }: ChangeSet): boolean {
  return actual === undefined && remove !== true;
}

function groupsIn<T extends Entitlement>(entitlements: readonly T[]): readonly T[] {
  return entitlements.filter(({ kind }) => kind === 'group');
}

/** A new account that another instance had made stays `already`: what it lacked of the same plan is no news. */
function after(
  { outcome, account }: Applied,
  added: readonly ActualEntitlement[],
  dropped: readonly ActualEntitlement[],
  isNewAccount: boolean,
): Applied {
  return { outcome: isNewAccount ? outcome : 'applied', account: withGroups(account, added, dropped) };
}

function withGroups(
  account: ActualAccount,
  added: readonly ActualEntitlement[],
  dropped: readonly ActualEntitlement[],
): ActualAccount {
  const gone = new Set(dropped.map(({ id }) => id));
  const kept = account.entitlements.filter(({ id }) => !gone.has(id));
  const groups = new Map([...kept, ...added].map((group) => [entitlementKey(group) + group.id, group]));
  return { ...account, entitlements: inOrder([...groups.values()]) };
}
