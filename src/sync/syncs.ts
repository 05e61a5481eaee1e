import type { Lease, Leases } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';
import { applyPrepared } from './apply.ts';
import { prepareSync } from './plan.ts';
import { SYNC_APPROVED } from './removed-lately.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import type { ApplyOptions, ApplyResult, SyncPlan, Syncs } from './sync.ts';
import { noteHeard, noteUnread, untilAllAreHeard } from './unheard-sources.ts';

/** What a run that was killed held passes on after this. */
const LEASE_MS = 9_000;
/** How long a run waits for another one of the same sync to end: longer than what a dead one holds. */
const WAIT_MS = 20_000;

export interface SyncsOptions extends SyncDeps {
  /** Opens a sync of the config. Throws `not_found`. */
  readonly open: (name: string) => Promise<SyncSetup>;
  /** Default 9 s. */
  readonly syncLeaseMs?: number;
}

export function createSyncs(options: SyncsOptions): Syncs {
  return {
    plan: async (name, signal) => {
      const setup = await options.open(name);
      return (await prepareSync(await untilAllAreHeard(options, setup), setup, signal)).plan;
    },
    apply: (name, apply) => runUnderLease(options, name, apply),
  };
}

async function runUnderLease(options: SyncsOptions, name: string, apply: ApplyOptions): Promise<ApplyResult> {
  const setup = await options.open(name);
  const wait = AbortSignal.any([apply.stop, AbortSignal.timeout(WAIT_MS)]);
  const lease = await options.directory.leases.acquire(`sync:${name}`, options.syncLeaseMs ?? LEASE_MS, wait);
  try {
    const deps = await untilAllAreHeard(options, setup);
    const prepared = await prepareSync(deps, setup, apply.stop);
    apply.onPlan?.(prepared.plan);
    if (apply.expect !== undefined && apply.expect !== prepared.plan.fingerprint) {
      return nothingDone(prepared.plan, 'stale');
    }
    if (prepared.plan.brake !== undefined && !apply.approve) return nothingDone(prepared.plan, 'held');
    if (apply.approve) await rememberApproval(options, prepared.plan, apply);
    await noteUnread(name, prepared.draft, options.directory.values);
    const result = await applyPrepared(deps, setup, prepared, { ...apply, keep: keeping(lease) });
    if (result.outcome === 'applied') await noteHeard(prepared.plan, options.directory.values);
    return result;
  } finally {
    await lease.release().catch(() => undefined);
  }
}

/** What a person wanted does not count against the brake of the next run. */
async function rememberApproval(
  { audit }: Pick<SyncDeps, 'audit'>,
  { sync, target, fingerprint, brake }: SyncPlan,
  { actor, requestId }: ApplyOptions,
): Promise<void> {
  if (brake === undefined) return;
  const after = { sync, fingerprint };
  await audit.append([{ event: SYNC_APPROVED, actor, target, requestId, code: brake.code, after }]);
}

/** Before each write: whoever stood still would go by what may not be true any more, and another run may have been. */
function keeping(lease: Lease): (leases: Leases) => Promise<void> {
  return async (leases) => {
    try {
      await leases.keep(lease);
    } catch (thrown) {
      if (!(thrown instanceof LatchgateError) || thrown.code !== 'lease_lost') throw thrown;
      const text = `the run stood still for longer than ${lease.ttlMs / 1_000} s, and ended: the next one goes on`;
      throw new LatchgateError('run_stalled', text, { cause: thrown });
    }
  };
}

function nothingDone(plan: SyncPlan, outcome: 'held' | 'stale'): ApplyResult {
  return { plan, outcome, applied: 0, failed: 0, skipped: 0 };
}
