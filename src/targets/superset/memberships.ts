import type { ActualAccount, ChangeSet } from '../../model/change.ts';
import { type ActualEntitlement, type Entitlement, entitlementKey } from '../../model/entitlement.ts';
import { LatchgateError } from '../../model/errors.ts';
import { type RoleOrGroup, recordId } from './documents.ts';
import type { SupersetEntitlements } from './entitlements.ts';

export interface MissingPolicy {
  readonly groups: 'create' | 'refuse';
  readonly roles: 'create' | 'refuse';
}

/** What is to be given, with Superset's ids; what is missing is made where the plan or the config lets us. */
export async function resolveAdditions(
  { entitlements, missing }: { readonly entitlements: SupersetEntitlements; readonly missing: MissingPolicy },
  { add, create }: Pick<ChangeSet, 'add' | 'create'>,
  signal: AbortSignal,
): Promise<readonly ActualEntitlement[]> {
  if (add.length === 0) return [];
  const found = await entitlements.find(add, signal);
  const there = new Set(found.map((entitlement) => entitlementKey(entitlement)));
  const absent = add.filter((entitlement) => !there.has(entitlementKey(entitlement)));
  if (absent.length === 0) return found;
  const planned = new Set(create.map((entitlement) => entitlementKey(entitlement)));
  for (const entitlement of absent) {
    if (planned.has(entitlementKey(entitlement)) || policyFor(entitlement, missing) === 'create') continue;
    throw new LatchgateError(
      entitlement.kind === 'role' ? 'role_missing' : 'group_missing',
      'a role or group vanished while it was being given',
      { detail: { kind: entitlement.kind } },
    );
  }
  return [...found, ...(await entitlements.create(absent, signal))];
}

/** The account's roles and groups after a change, hand-made ones included. */
export function entitlementsAfter(
  current: ActualAccount,
  added: readonly ActualEntitlement[],
  dropped: readonly ActualEntitlement[],
): readonly ActualEntitlement[] {
  const gone = new Set(dropped.map(({ id }) => id));
  const kept = current.entitlements.filter(({ id }) => !gone.has(id));
  return [...new Map([...kept, ...added].map((entitlement) => [entitlement.id, entitlement])).values()];
}

/** Both lists, always: Superset refuses one that is emptied on its own, and never sees the other. */
export function membershipColumns(entitlements: readonly ActualEntitlement[]): { roles: number[]; groups: number[] } {
  return { roles: numbers('role', entitlements), groups: numbers('group', entitlements) };
}

/** Roles first, then groups, each in the order of their numbers: as Superset itself lists them. */
export function inOrder(entitlements: readonly ActualEntitlement[]): readonly ActualEntitlement[] {
  const rank = ({ kind, id }: ActualEntitlement) =>
    (kind === 'role' ? 0 : 1e15) + (recordId(kind === 'role' ? 'role' : 'group', id) ?? 0);
  return [...entitlements].sort((a, b) => rank(a) - rank(b));
}

function numbers(kind: RoleOrGroup, entitlements: readonly ActualEntitlement[]): number[] {
  return entitlements.filter((one) => one.kind === kind).flatMap(({ id }) => recordId(kind, id) ?? []);
}

function policyFor({ kind }: Entitlement, missing: MissingPolicy): 'create' | 'refuse' {
  return kind === 'role' ? missing.roles : missing.groups;
}
