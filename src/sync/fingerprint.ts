import { hash } from 'node:crypto';
import { entitlementKey } from '../model/entitlement.ts';
import type { HeldPlannedChange, PlannedChange, PlanSummary, SyncPlan } from './sync.ts';

/** In the place of a code, and none. */
const CARRIED = 'carried';

/**
 * SHA-256 in base64url over what a plan changes, carries into other targets and holds, by which rules and from where, whatever the order, and over why
 * the brake holds it: whoever approved it did so for that reason. Who somebody is in our directory does not count.
 */
export function fingerprintOf({
  source,
  target,
  brake,
  changes,
  carried = [],
  held,
}: Pick<SyncPlan, 'source' | 'target' | 'changes' | 'carried' | 'held'> & {
  readonly brake?: Pick<NonNullable<SyncPlan['brake']>, 'code'> | null | undefined;
}): string {
  const rows = [
    ...changes.map((change) => lineOf(change)),
    ...carried.map((change) => lineOf(change, CARRIED)),
    ...held.map((change) => lineOf(change, change.code)),
  ];
  const about = JSON.stringify([source, target, brake?.code ?? null]);
  return hash('sha256', [about, ...rows.sort()].join('\n'), 'base64url');
}

function lineOf(change: PlannedChange, code?: string): string {
  const { op, type, key, fields, entitlement, subject, target, rule, origin } = change;
  const parts = [
    op,
    type,
    key,
    (fields ?? []).map(({ field, before, after }) => [field, before, after]),
    entitlement === undefined ? null : [entitlementKey(entitlement), entitlement.id ?? null],
    subject ?? null,
    target ?? null,
    rule ?? null,
    origin ?? null,
    code ?? null,
  ];
  return JSON.stringify(parts);
}

export function summaryOf(changes: readonly PlannedChange[], held: readonly HeldPlannedChange[]): PlanSummary {
  const counts = { create: 0, update: 0, disable: 0, delete: 0, grant: 0, revoke: 0, held: held.length };
  for (const { op } of changes) counts[op] += 1;
  return counts;
}
