import { entitlementKey, type Grant } from '../model/entitlement.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Memory } from '../provisioning/job.ts';
import type { AccountPlan } from '../provisioning/plan.ts';
import { MANAGED } from '../provisioning/rows.ts';
import { brakeFor, type StopIf } from '../sync/brake.ts';
import type { Brake, PlannedChange } from '../sync/sync.ts';
import type { DriftReport, DriftRow } from './drift.ts';
import { type DriftKind, kindRow } from './kinds.ts';

/** Plans what `again` would do with this memory of the person; undefined: nobody can say what they are to have. */
export interface RepairPlanner {
  planAgain(
    person: PersonId,
    target: string,
    memoryOf: (memory: Memory) => Memory,
  ): Promise<Pick<AccountPlan, 'changes'> | undefined>;
}

/** All that a repair would do. Making one writes nothing anywhere. */
export interface RepairPlan {
  readonly changes: readonly PlannedChange[];
  /** Of these, what no difference shows. */
  readonly unshown: readonly PlannedChange[];
  /** Why a row is left alone, by its key. */
  readonly left: ReadonlyMap<string, string>;
}

/** Why a repair waits for a person. `not_shown`: bringing the account to the rules of today does more than was shown. */
export type RepairBrake = Brake | { readonly code: 'not_shown'; readonly message: string };

export async function planRepair(
  planner: RepairPlanner,
  report: DriftReport,
  chosen: readonly DriftRow[],
): Promise<RepairPlan> {
  const changes: PlannedChange[] = [];
  const left = new Map<string, string>();
  for (const rows of byAccount(chosen).values()) {
    const [{ person, target }] = rows as [DriftRow];
    if (person === undefined) continue;
    try {
      const plan = await planner.planAgain(person, target, (memory) => rows.reduce(remembering, memory));
      if (plan === undefined) for (const { key } of rows) left.set(key, 'nobody_speaks');
      changes.push(...(plan?.changes ?? []).map((change) => ({ ...change, person, target })));
    } catch (thrown) {
      // What cannot be planned now is not done unseen a moment later.
      for (const { key } of rows) left.set(key, toLatchgateError(thrown).code);
    }
  }
  return { changes, unshown: changes.filter((change) => !report.rows.some((row) => shows(row, change))), left };
}

function byAccount(rows: readonly DriftRow[]): ReadonlyMap<string, readonly DriftRow[]> {
  const can = rows.filter(({ kind, person }) => kindRow(kind).repair !== undefined && person !== undefined);
  const found = new Map<string, DriftRow[]>();
  for (const row of can) {
    const key = `${row.target} ${row.person}`;
    found.set(key, [...(found.get(key) ?? []), row]);
  }
  return found;
}

/** The same as a person's memory after the row was prepared for the engine. */
function remembering(memory: Memory, row: DriftRow): Memory {
  const { link, ledger } = memory;
  if (row.kind === 'account_disabled' && link?.state === 'ready')
    return { ...memory, link: { ...link, state: 'disabled' } };
  const grant = grantByHand(row);
  return grant === undefined ? memory : { ...memory, ledger: [...ledger, { ...grant, confirmed: true }] };
}

/** What somebody was given by hand, as if it were ours: so the engine takes it. */
export function grantByHand({ kind, target, person, entitlement }: DriftRow): Omit<Grant, 'confirmed'> | undefined {
  if (kind !== 'entitlement_by_hand' || entitlement === undefined || person === undefined) return undefined;
  const { id, label: _label, ...given } = entitlement;
  const entitlementId = id === undefined ? {} : { entitlementId: id };
  return { ...given, target, person, rule: MANAGED, origin: MANAGED, ...entitlementId };
}

const SHOWN: Partial<Record<DriftKind, readonly PlannedChange['op'][]>> = {
  account_gone: ['create', 'grant'],
  account_disabled: ['update', 'grant'],
  account_enabled: ['disable'],
  profile_changed: ['update'],
  entitlement_by_hand: ['revoke'],
  entitlement_gone: ['grant'],
};

function shows({ kind, target, person, entitlement }: DriftRow, change: PlannedChange): boolean {
  if (target !== change.target || person !== change.person || SHOWN[kind]?.includes(change.op) !== true) return false;
  if (entitlement === undefined || change.entitlement === undefined) return true;
  return (
    entitlementKey(entitlement) === entitlementKey(change.entitlement) ||
    (entitlement.id !== undefined && entitlement.id === change.entitlement.id)
  );
}

/** Why carrying this plan out waits for a person; undefined: it does not. Pure. */
export function repairBrake(report: DriftReport, plan: RepairPlan, stopIf: StopIf): RepairBrake | undefined {
  for (const { target, complete, ours } of report.targets) {
    const changes = plan.changes.filter((change) => change.target === target);
    if (changes.length === 0) continue;
    const brake = brakeFor({
      stopIf,
      source: { complete: true, listed: ours + 1 },
      known: { before: 0, missing: 0 },
      targetComplete: complete,
      changes,
      holders: ours,
      removedLately: new Set(),
      carried: new Set(),
      carriedLately: new Set(),
      createdLately: 0,
    });
    if (brake !== undefined) return brake;
  }
  const { length } = plan.unshown;
  if (length === 0) return undefined;
  const what = length === 1 ? 'one change that no difference shows' : `${length} changes that no difference shows`;
  return { code: 'not_shown', message: `by the rules of today it would make ${what}` };
}
