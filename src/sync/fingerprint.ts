import { hash } from 'node:crypto';
import { entitlementKey } from '../model/entitlement.ts';
import type { HeldPlannedChange, PlannedChange, PlanSummary } from './sync.ts';

/** SHA-256 in base64url over what a plan changes and holds, whatever the order. Who somebody is in our directory does not count. */
export function fingerprintOf(changes: readonly PlannedChange[], held: readonly HeldPlannedChange[]): string {
  const rows = [...changes.map((change) => lineOf(change)), ...held.map((change) => lineOf(change, change.code))];
  return hash('sha256', rows.sort().join('\n'), 'base64url');
}

function lineOf({ op, type, key, fields, entitlement, subject, target }: PlannedChange, code?: string): string {
  const parts = [
    op,
    type,
    key,
    (fields ?? []).map(({ field, before, after }) => [field, before, after]),
    entitlement === undefined ? null : [entitlementKey(entitlement), entitlement.id ?? null],
    subject ?? null,
    target ?? null,
    code ?? null,
  ];
  return JSON.stringify(parts);
}

export function summaryOf(changes: readonly PlannedChange[], held: readonly HeldPlannedChange[]): PlanSummary {
  const counts = { create: 0, update: 0, disable: 0, delete: 0, grant: 0, revoke: 0, held: held.length };
  for (const { op } of changes) counts[op] += 1;
  return counts;
}
