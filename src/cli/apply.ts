import { show } from '../mapping/visible.ts';
import { LatchgateError } from '../model/errors.ts';
import { systemClock } from '../ops/clock.ts';
import { newRequestId } from '../ops/request-id.ts';
import { accountsIn } from '../sync/outline.ts';
import { readPlanFile } from '../sync/plan-file.ts';
import { renderPlanText } from '../sync/render-text.ts';
import { countsText, peopleText } from '../sync/render-words.ts';
import { type AppliedSync, applySync, type SyncRunsDeps } from '../sync/runs.ts';
import type { AppliedRow, ApplyOptions, SyncPlan } from '../sync/sync.ts';
import { interruptible } from './interrupt.ts';
import { type Io, isColored } from './io.ts';
import { EXIT_HELD } from './plan.ts';
import { createProgress, type Progress } from './progress.ts';
import { timeText } from './table.ts';

const OPERATOR = 'operator';
const EXIT_FAILED = 1;
/** Of those who are held, so many are named at the end of a run. */
const MOST_HELD = 5;

export interface ApplyCommandOptions {
  /** File that `plan --out` has written: applied only while it is still true. In place of the name. */
  readonly plan?: string;
  /** Goes on in spite of the brake. */
  readonly approve?: boolean;
  /** JSON on a terminal too. */
  readonly json?: boolean;
}

/**
 * `latchgate apply (NAME | --plan P)`: reads again and applies. On a terminal a bar shows how it goes; otherwise each
 * change is a line of JSON (the members of `plan --json`, with `outcome` and, if it failed, `code`), and the last line is
 * `{"result":{…}}`. Exit code 0; 1 when some failed, were skipped, the saved plan is not true any more, or it was stopped
 * while it still read, when there is no such line; 11 when the brake holds it. Throws `usage`, `not_found`, `plan_invalid`, `source_*`, `target_*`.
 */
export async function apply(
  name: string | undefined,
  options: ApplyCommandOptions,
  deps: SyncRunsDeps & { readonly names: readonly string[] },
  io: Io,
): Promise<number> {
  if ((name === undefined) === (options.plan === undefined)) {
    throw new LatchgateError('usage', 'apply takes either the name of a sync or --plan FILE');
  }
  const saved = options.plan === undefined ? undefined : readPlanFile(options.plan);
  const sync = saved?.sync ?? String(name);
  if (!deps.names.includes(sync)) {
    const known = deps.names.length === 0 ? 'there are none' : `there is ${deps.names.join(', ')}`;
    throw new LatchgateError('not_found', `there is no sync ${JSON.stringify(sync)}; ${known}`);
  }
  const approve = options.approve === true;
  const expect = saved === undefined ? {} : { expect: saved.fingerprint };
  const result = await applyWithProgress(sync, { approve, ...expect }, options, deps, io);
  return exitCode(result);
}

/** Applies, and shows how it goes and how it ended. Undefined: it was stopped before anything was written. */
export async function applyWithProgress(
  name: string,
  what: Pick<ApplyOptions, 'approve' | 'expect'>,
  options: { readonly json?: boolean },
  deps: SyncRunsDeps,
  io: Io,
): Promise<AppliedSync | undefined> {
  const view = viewOf(options.json === true || !io.isTTY, what.approve, io);
  const interruption = interruptible(() => view.say('stopping: what is under way is finished; once more ends at once'));
  const requestId = newRequestId();
  const { stop } = interruption;
  let isPlanned = false;
  try {
    const { onRow } = view;
    const onPlan = (plan: SyncPlan): void => {
      isPlanned = true;
      view.onPlan(plan);
    };
    const result = await applySync(name, { ...what, actor: OPERATOR, requestId, stop, onPlan, onRow }, deps);
    view.end(result);
    return result;
  } catch (thrown) {
    if (!stop.aborted || isPlanned) throw thrown;
    view.say('stopped; nothing was written');
    return undefined;
  } finally {
    view.close();
    interruption.release();
  }
}

export function exitCode(result: AppliedSync | undefined): number {
  if (result === undefined) return EXIT_FAILED;
  const { outcome, failed } = result;
  if (outcome === 'held') return EXIT_HELD;
  return outcome === 'applied' && failed === 0 ? 0 : EXIT_FAILED;
}

interface View extends Required<Pick<ApplyOptions, 'onPlan' | 'onRow'>> {
  /** To standard error, whatever is drawn there. */
  say(line: string): void;
  end(result: AppliedSync): void;
  close(): void;
}

function viewOf(isJson: boolean, approve: boolean, io: Io): View {
  let progress: Progress | undefined;
  const clear = () => progress?.clear();
  const begin = (plan: SyncPlan): void => {
    if (plan.brake !== undefined && !approve) return;
    if (!isJson) io.out(`${plan.sync}: ${countsText(plan)}`);
    const total = accountsIn(plan.changes);
    if (io.status !== undefined && total > 0) progress = createProgress(total, io.status, systemClock);
  };
  const say = (line: string): void => {
    clear();
    io.err(line);
  };
  if (isJson) {
    return {
      onPlan: begin,
      onRow: (row) => {
        for (const change of row.changes) io.out(JSON.stringify(changeLine(change, row)));
        progress?.step(row.outcome);
      },
      end: (result) => {
        clear();
        io.out(JSON.stringify({ result: resultJson(result) }));
        sayEnd(result, say);
      },
      say,
      close: clear,
    };
  }
  return {
    onPlan: begin,
    onRow: (row) => {
      if (row.outcome === 'failed') {
        clear();
        io.out(`failed: ${show(row.key)} (${row.code ?? 'internal'})`);
      }
      progress?.step(row.outcome);
    },
    end: (result) => {
      clear();
      if (result.outcome === 'held') {
        const isKept = result.kept?.state === 'held';
        const plan = result.kept === undefined ? result.plan : { ...result.plan, id: result.kept.id };
        io.out(renderPlanText(plan, { color: isColored(io), isKept }).trimEnd());
      } else io.out(endText(result));
      sayEnd(result, say);
    },
    say,
    close: clear,
  };
}

function changeLine(change: SyncPlan['changes'][number], { outcome, code }: AppliedRow): Record<string, unknown> {
  return { ...change, fields: change.fields ?? [], outcome, ...(code === undefined ? {} : { code }) };
}

/** Stable members; more may be added. */
function resultJson({ plan, kept, outcome, applied, failed, skipped }: AppliedSync): Record<string, unknown> {
  const { sync, target, complete, listed, summary, brake, fingerprint } = plan;
  const id = kept?.id ?? plan.id;
  return {
    outcome,
    applied,
    failed,
    skipped,
    id,
    sync,
    target,
    complete,
    listed,
    summary,
    brake: brake ?? null,
    fingerprint,
  };
}

function endText({ outcome, applied, failed, skipped }: AppliedSync): string {
  const parts = [
    `${peopleText(applied)} done`,
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(skipped === 0 ? [] : [`${skipped} not begun`]),
  ];
  return outcome === 'stale' ? 'nothing was written' : parts.join(', ');
}

/** What a person has to do now. */
function sayEnd({ outcome, plan, kept, skipped, failed }: AppliedSync, say: (line: string) => void): void {
  if (outcome === 'stale') {
    say(
      `plan_stale: source, target or config have changed since this plan was made (latchgate plan ${plan.sync} makes a new one)`,
    );
  }
  if (outcome === 'held' && kept?.state === 'rejected') {
    const when = kept.decidedAt === undefined ? '' : ` at ${timeText(kept.decidedAt)}`;
    say(
      `plan_held: this very plan was rejected by ${show(kept.decidedBy ?? 'somebody')}${when}; latchgate apply ${plan.sync} --approve goes on all the same`,
    );
  } else if (outcome === 'held') {
    const how = kept === undefined ? `latchgate apply ${plan.sync} --approve` : `latchgate plans approve ${kept.id}`;
    say(`plan_held: nothing was written: ${show(plan.brake?.message ?? 'the brake holds it')} (${how})`);
  }
  if (outcome === 'applied' || outcome === 'partial') for (const line of heldLines(plan)) say(line);
  if (outcome === 'stopped') {
    say(`stopped with ${peopleText(skipped)} left; latchgate apply ${plan.sync} goes on there`);
  } else if (failed > 0) {
    say(`${peopleText(failed)} failed; latchgate apply ${plan.sync} tries them again`);
  }
}

/** Who was left out, and what to do about it. */
function heldLines({ sync, held }: SyncPlan): readonly string[] {
  const about = held
    .slice(0, MOST_HELD)
    .map(({ key, code, reason }) => `held: ${show(key)} (${code}): ${show(reason)}`);
  const more = held.length - about.length;
  return more === 0 ? about : [...about, `and ${more} more are held: latchgate plan ${sync} shows them`];
}
