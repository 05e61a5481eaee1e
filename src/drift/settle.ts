import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { AccountState } from '../provisioning/provision.ts';
import type { StopIf } from '../sync/brake.ts';
import type { Adoption } from '../sync/sync.ts';
import type { DriftRow } from './drift.ts';
import { kindRow } from './kinds.ts';
import type { LetStand } from './let-stand.ts';
import { grantByHand, type RepairPlanner } from './repair-plan.ts';

/** The one engine: whatever is written to a target goes by it, and is audited by it. */
export interface DriftEngine extends RepairPlanner {
  again(person: PersonId, target: string, actor: string, requestId: string): Promise<AccountState>;
  leave(person: PersonId, target: string, actor: string, requestId: string): Promise<AccountState>;
}

export interface SettleDeps {
  readonly directory: Directory;
  readonly audit: Audit;
  readonly engine: DriftEngine;
  readonly adoption: Adoption;
  readonly letStand: LetStand;
  readonly stopIf: StopIf;
}

export interface SettleOptions {
  readonly actor: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** What became of one difference. `refused`: there is nothing that this could do about it. */
export interface SettledRow {
  readonly row: DriftRow;
  readonly outcome: 'done' | 'failed' | 'refused';
  readonly code?: string;
}

export interface RepairDeps extends SettleDeps {
  /** Whether the target, read once more, still differs in this. Throws `target_*`. */
  readonly differs: (row: DriftRow) => Promise<boolean>;
}

/** Makes the target what it is to be, one difference after the other. Done is what the target shows as done. */
export async function repairRow(deps: RepairDeps, row: DriftRow, options: SettleOptions): Promise<SettledRow> {
  const { target, person } = row;
  if (kindRow(row.kind).repair === undefined || person === undefined)
    return { row, outcome: 'refused', code: row.kind };
  return settled(row, async () => {
    const { actor, requestId } = options;
    const isOff = row.kind === 'account_enabled';
    const takeBack = await prepareRepair(deps, row, person);
    const state = await deps.engine[isOff ? 'leave' : 'again'](person, target, actor, requestId).finally(takeBack);
    if (state.status === 'failed') return state.code;
    // The account may be used, and what was to be done to it was not.
    if (state.status === 'ready' && state.degraded !== undefined) return state.degraded;
    if (await deps.differs(row)) return 'still_differs';
    await audited(deps, 'drift.repaired', row, options);
    return undefined;
  });
}

/**
 * What the engine has to know, so that it takes for its work what it would leave alone. Returns how to forget as much of
 * it as the engine left: what nothing came of was never ours.
 */
async function prepareRepair(
  { directory: { accounts, ledger } }: SettleDeps,
  row: DriftRow,
  person: PersonId,
): Promise<() => Promise<void>> {
  const { kind, target } = row;
  const grant = grantByHand(row);
  if (grant !== undefined) {
    const { entitlementId, origin } = grant;
    const key = entitlementKey(grant);
    await ledger.intend([grant]);
    await ledger.confirm(person, target, [{ key, ...(entitlementId === undefined ? {} : { entitlementId }) }]);
    return () => ledger.withdraw(person, target, [{ key, origin }]);
  }
  const link = kind === 'account_disabled' ? await accounts.get(person, target) : undefined;
  if (link?.state !== 'ready') return async () => undefined;
  await accounts.save({ ...link, state: 'disabled' });
  return async () => {
    const now = await accounts.get(person, target);
    if (now?.state === 'disabled' && now.accountId === link.accountId) await accounts.save(link);
  };
}

/** Makes what we know what the target is. Writes to our own state alone. */
export async function adoptRow(deps: SettleDeps, row: DriftRow, options: SettleOptions): Promise<SettledRow> {
  if (kindRow(row.kind).adopt === undefined) return { row, outcome: 'refused', code: row.kind };
  return settled(row, async () => {
    await adoptOne(deps, row, options);
    await audited(deps, 'drift.adopted', row, options);
    return undefined;
  });
}

async function adoptOne(deps: SettleDeps, row: DriftRow, options: SettleOptions): Promise<void> {
  const { directory, adoption, letStand } = deps;
  const { kind, target, person, account, accountId } = row;
  if (kind === 'account_unlinked') {
    const { rows } = await adoption.apply(target, { ...options, only: (one) => one.accountId === accountId });
    if (rows.length === 0) throw new LatchgateError('target_conflict', 'it does not fit any more');
    return;
  }
  if (kind !== 'account_renamed' && kind !== 'account_gone') return letStand.add(target, [row.key]);
  const link = person === undefined ? undefined : await directory.accounts.get(person, target);
  if (link === undefined || link.accountId !== accountId)
    throw new LatchgateError('target_conflict', 'it is another account by now');
  if (kind === 'account_renamed') return directory.accounts.save({ ...link, userName: account ?? link.userName });
  const grants = await directory.ledger.ofAccount(link.person, target);
  await directory.ledger.withdraw(
    link.person,
    target,
    grants.map((grant) => ({ key: entitlementKey(grant) })),
  );
  await directory.accounts.remove(link.person, target);
}

async function settled(row: DriftRow, work: () => Promise<string | undefined>): Promise<SettledRow> {
  try {
    const code = await work();
    return code === undefined ? { row, outcome: 'done' } : { row, outcome: 'failed', code };
  } catch (thrown) {
    return { row, outcome: 'failed', code: toLatchgateError(thrown).code };
  }
}

async function audited(
  { audit }: SettleDeps,
  event: string,
  row: DriftRow,
  { actor, requestId }: SettleOptions,
): Promise<void> {
  const { target, person, key, kind, account } = row;
  await audit.append([
    {
      event,
      actor,
      target,
      key,
      code: kind,
      requestId,
      ...(person === undefined ? {} : { person }),
      ...(account === undefined ? {} : { before: account }),
    },
  ]);
}
