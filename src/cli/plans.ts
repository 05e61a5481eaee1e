import type { StoredPlan } from '../directory/sync-history.ts';
import { LatchgateError } from '../model/errors.ts';
import { concludePlan, type DecideDeps, decidePlan, isWaiting } from '../sync/decide.ts';
import { parsePlan, planJson } from '../sync/plan-json.ts';
import { renderPlanMarkdown } from '../sync/render-markdown.ts';
import { renderPlanText } from '../sync/render-text.ts';
import type { SyncRunsDeps } from '../sync/runs.ts';
import { applyWithProgress, exitCode } from './apply.ts';
import { type Io, isColored } from './io.ts';
import { printable, tableLines, timeText } from './table.ts';

const OPERATOR = 'operator';
const MOST = 200;

export type PlansDeps = DecideDeps;

/**
 * `latchgate plans list`: plans that wait for a person, and what became of earlier ones, newest first. Exit code 0. With
 * `json`, one object a line: `id`, `sync`, `target`, `at`, `state`, `code`, `decidedBy`, `decidedAt` (null when not so).
 */
export async function plansList(
  options: { readonly json?: boolean },
  deps: Pick<PlansDeps, 'plans'>,
  io: Io,
): Promise<number> {
  const plans = await deps.plans.list(MOST);
  if (options.json === true) {
    for (const { id, sync, target, at, state, code, decidedBy, decidedAt } of plans) {
      const decided = { decidedBy: decidedBy ?? null, decidedAt: decidedAt ?? null };
      io.out(JSON.stringify({ id, sync, target, at, state, code: code ?? null, ...decided }));
    }
    return 0;
  }
  const rows = plans.map(({ id, sync, target, at, state, code, decidedBy }) => [
    id,
    sync,
    target,
    timeText(at),
    state,
    code,
    decidedBy,
  ]);
  for (const line of tableLines(['ID', 'SYNC', 'TARGET', 'MADE', 'STATE', 'WHY', 'DECIDED BY'], rows)) io.out(line);
  return 0;
}

export interface PlansShowOptions {
  readonly json?: boolean;
  readonly markdown?: boolean;
  readonly all?: boolean;
}

/** `latchgate plans show ID`: the plan as `latchgate plan` shows one. Exit code 0. Throws `not_found`. */
export async function plansShow(
  id: string,
  options: PlansShowOptions,
  deps: Pick<PlansDeps, 'plans'>,
  io: Io,
): Promise<number> {
  const stored = await storedPlan(id, deps);
  const plan = { ...parsePlan(stored.body), id: stored.id };
  const isKept = isWaiting(stored);
  if (options.json === true) io.out(JSON.stringify({ ...planJson(plan), state: stored.state }, null, 2));
  else if (options.markdown === true) io.out(renderPlanMarkdown(plan, { ...options, isKept }).trimEnd());
  else {
    if (!isKept) io.out(`This plan is ${stateText(stored)}.\n`);
    io.out(renderPlanText(plan, { ...options, isKept, color: isColored(io) }).trimEnd());
  }
  return 0;
}

/**
 * `latchgate plans approve ID`: applies the plan at once, if it is still true; shows and says what `latchgate apply`
 * does. Exit code 0; 1 when some failed or the plan is not true any more. Throws `not_found`, `plan_decided`.
 */
export async function plansApprove(
  id: string,
  options: { readonly json?: boolean },
  deps: PlansDeps & SyncRunsDeps,
  io: Io,
): Promise<number> {
  const stored = await storedPlan(id, deps);
  // Approved before: whoever applied it was stopped or died, and it may still be true.
  if (stored.state !== 'approved') await decide(stored, 'approved', deps);
  const what = { approve: true, expect: stored.fingerprint };
  const result = await applyWithProgress(stored.sync, what, options, deps, io);
  await concludePlan(id, result?.outcome, OPERATOR, deps);
  return exitCode(result);
}

/** `latchgate plans reject ID`: drops the plan; the very same one is not asked about again. Exit code 0. */
export async function plansReject(
  id: string,
  options: { readonly json?: boolean },
  deps: PlansDeps,
  io: Io,
): Promise<number> {
  const stored = await storedPlan(id, deps);
  await decide(stored, 'rejected', deps);
  if (options.json === true) io.out(JSON.stringify({ id: stored.id, sync: stored.sync, state: 'rejected' }));
  else io.out(`rejected: ${stored.id} of ${stored.sync}; nothing was written`);
  return 0;
}

async function storedPlan(id: string, { plans }: Pick<PlansDeps, 'plans'>): Promise<StoredPlan> {
  const stored = await plans.get(id.trim());
  if (stored === undefined) throw new LatchgateError('not_found', `there is no plan ${printable(id)}`);
  return stored;
}

async function decide(stored: StoredPlan, to: 'approved' | 'rejected', deps: PlansDeps): Promise<void> {
  if (await decidePlan(stored, to, { actor: OPERATOR }, deps)) return;
  const now = await storedPlan(stored.id, deps);
  throw new LatchgateError('plan_decided', `the plan ${stored.id} is ${stateText(now)}`);
}

function stateText({ state, decidedBy, decidedAt }: StoredPlan): string {
  const who = decidedBy === undefined ? '' : ` by ${printable(decidedBy)}`;
  const when = decidedAt === undefined ? '' : ` at ${timeText(decidedAt)}`;
  return `${state === 'replaced' ? 'replaced by a later one' : state}${who}${when}`;
}
