import type { Plans, StoredPlan, SyncRun, SyncRuns } from '../directory/sync-history.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import { planJson } from './plan-json.ts';
import type { AppliedRow, ApplyOptions, ApplyResult, SyncPlan, Syncs } from './sync.ts';

export interface SyncRunsDeps {
  readonly syncs: Syncs;
  readonly plans: Plans;
  readonly syncRuns: SyncRuns;
  readonly clock: Clock;
}

export interface Reported {
  readonly plan: SyncPlan;
  /** The plan as it waits for a person. Absent: there is nothing to decide. */
  readonly kept?: StoredPlan;
}

/** Plans, keeps a plan that changes something for a person to approve, and writes the run into the history. */
export async function reportSync(
  name: string,
  options: { readonly actor: string; readonly requestId: string; readonly signal: AbortSignal },
  deps: SyncRunsDeps,
): Promise<Reported> {
  return inHistory(name, { ...options, isStopped: () => options.signal.aborted }, deps, async () => {
    const plan = await deps.syncs.plan(name, options.signal);
    const kept = await keepForDecision(plan, deps);
    return {
      result: kept === undefined ? { plan } : { plan, kept },
      end: {
        outcome: plan.brake === undefined ? 'planned' : 'held',
        ...(plan.brake === undefined ? {} : { code: plan.brake.code }),
        ...(kept === undefined ? {} : { planId: kept.id }),
        counts: { listed: plan.listed, ...plan.summary },
      },
    };
  });
}

export interface AppliedSync extends ApplyResult {
  /** Of `held`: the plan as it waits for a person. */
  readonly kept?: StoredPlan;
}

/**
 * Applies, keeps a plan that the brake held, and writes the run into the history. Throws what `Syncs.apply` throws; when
 * that is because it was stopped before there was a plan, `onPlan` was not called and nothing was written.
 */
export async function applySync(name: string, options: ApplyOptions, deps: SyncRunsDeps): Promise<AppliedSync> {
  let isPlanned = false;
  const isStopped = (): boolean => options.stop.aborted && !isPlanned;
  return inHistory(name, { ...options, isStopped }, deps, async () => {
    let firstFailure: string | undefined;
    const onPlan = (plan: SyncPlan): void => {
      isPlanned = true;
      options.onPlan?.(plan);
    };
    const onRow = (row: AppliedRow): void => {
      if (row.outcome === 'failed') firstFailure ??= row.code;
      options.onRow?.(row);
    };
    const result = await deps.syncs.apply(name, { ...options, onPlan, onRow });
    const { plan, outcome, applied, failed, skipped } = result;
    const kept = outcome === 'held' ? await keepForDecision(plan, deps) : undefined;
    if (outcome === 'applied' || outcome === 'partial') await deps.plans.settle(name);
    const code =
      outcome === 'held' ? plan.brake?.code : outcome === 'stale' ? 'plan_stale' : (firstFailure ?? heldBy(plan));
    return {
      result: kept === undefined ? result : { ...result, kept },
      end: {
        outcome,
        ...(code === undefined ? {} : { code }),
        planId: kept?.id ?? plan.id,
        counts: { listed: plan.listed, ...plan.summary, applied, failed, skipped },
      },
    };
  });
}

/** Why people were held one by one: by what most were, of those that a person has to do something about. */
function heldBy({ held }: SyncPlan): string | undefined {
  const people = new Map<string, number>();
  for (const { code, entitlement } of held)
    if (entitlement === undefined) people.set(code, (people.get(code) ?? 0) + 1);
  return [...people].sort(([, one], [, other]) => other - one)[0]?.[0];
}

/** A plan that changes nothing, though the brake is free, asks nobody anything. */
async function keepForDecision(plan: SyncPlan, { plans }: SyncRunsDeps): Promise<StoredPlan | undefined> {
  const { id, sync, target, createdAt: at, fingerprint, brake } = plan;
  if (brake === undefined && plan.changes.length === 0) {
    await plans.settle(sync);
    return undefined;
  }
  const held = brake === undefined ? { state: 'saved' as const } : { state: 'held' as const, code: brake.code };
  return plans.keep({ id, sync, target, at, fingerprint, body: JSON.stringify(planJson(plan)), ...held });
}

interface Ended<Result> {
  readonly result: Result;
  readonly end: Pick<SyncRun, 'code' | 'planId' | 'counts'> & Required<Pick<SyncRun, 'outcome'>>;
}

async function inHistory<Result>(
  sync: string,
  {
    actor,
    requestId,
    isStopped,
  }: {
    readonly actor: string;
    readonly requestId: string;
    /** Whether it ended because it was told to, before anything was written. */
    readonly isStopped: () => boolean;
  },
  { syncRuns, clock }: SyncRunsDeps,
  work: () => Promise<Ended<Result>>,
): Promise<Result> {
  await syncRuns.begin({ id: requestId, sync, by: actor, startedAt: new Date(clock.now()) });
  try {
    const { result, end } = await work();
    await syncRuns.finish(requestId, { ...end, finishedAt: new Date(clock.now()) });
    return result;
  } catch (thrown) {
    const why = isStopped()
      ? { outcome: 'stopped' as const }
      : { outcome: 'failed' as const, code: toLatchgateError(thrown).code };
    const end = { ...why, counts: {}, finishedAt: new Date(clock.now()) };
    // What went wrong first is what counts; without the state there is no history either.
    await syncRuns.finish(requestId, end).catch(() => {});
    throw thrown;
  }
}
