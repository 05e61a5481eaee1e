import type { Audit } from '../audit/audit.ts';
import type { Plans, StoredPlan } from '../directory/sync-history.ts';
import type { Clock } from '../ops/clock.ts';
import type { ApplyResult } from './sync.ts';

const WAITING = ['held', 'saved'] as const;

export interface DecideDeps {
  readonly plans: Plans;
  readonly audit: Audit;
  readonly clock: Clock;
}

export interface Decider {
  /** `operator`, or a person's id. */
  readonly actor: string;
  readonly requestId?: string;
}

export function isWaiting({ state }: Pick<StoredPlan, 'state'>): boolean {
  return state === 'held' || state === 'saved';
}

/** Writes down and audits what a person decided. False: the plan does not wait any more. */
export async function decidePlan(
  { id, sync, target, fingerprint, code }: StoredPlan,
  to: 'approved' | 'rejected',
  { actor, requestId }: Decider,
  { plans, audit, clock }: DecideDeps,
): Promise<boolean> {
  if (!(await plans.decide(id, { from: WAITING, to, by: actor, at: new Date(clock.now()) }))) return false;
  await audit.append([
    {
      event: `plan.${to}`,
      actor,
      target,
      after: { plan: id, sync, fingerprint },
      ...(code === undefined ? {} : { code }),
      ...(requestId === undefined ? {} : { requestId }),
    },
  ]);
  return true;
}

/** What became of a plan that was approved. Undefined: it was stopped before anything was written, and stays approved. */
export async function concludePlan(
  id: string,
  outcome: ApplyResult['outcome'] | undefined,
  by: string,
  { plans, clock }: Pick<DecideDeps, 'plans' | 'clock'>,
): Promise<void> {
  if (outcome === undefined || outcome === 'stopped') return;
  const to = outcome === 'stale' ? 'replaced' : 'applied';
  await plans.decide(id, { from: ['approved'], to, by, at: new Date(clock.now()) });
}
