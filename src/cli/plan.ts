import { writePlanFile } from '../sync/plan-file.ts';
import { planJson } from '../sync/plan-json.ts';
import { renderPlanMarkdown } from '../sync/render-markdown.ts';
import { renderPlanText } from '../sync/render-text.ts';
import type { SyncPlan, Syncs } from '../sync/sync.ts';
import { EXIT_INTERRUPTED, interruptible } from './interrupt.ts';
import { type Io, isColored } from './io.ts';

export interface PlanOptions {
  /** Also writes the plan to this file, for `apply --plan`. */
  readonly out?: string;
  readonly json?: boolean;
  readonly markdown?: boolean;
  /** Every person by themselves. */
  readonly all?: boolean;
  readonly detailedExitcode?: boolean;
}

const EXIT_CHANGES = 10;
export const EXIT_HELD = 11;

/**
 * `latchgate plan NAME`: what the sync would do. Writes nothing anywhere but the file of `--out`. Exit code 0; with
 * `--detailed-exitcode` 11 when something is held, else 10 when something would change, else 0. Throws `not_found`,
 * `source_*`, `target_*`.
 */
export async function plan(
  name: string,
  options: PlanOptions,
  deps: { readonly syncs: Syncs },
  io: Io,
): Promise<number> {
  const interruption = interruptible(() => io.err('stopping; once more ends at once'));
  try {
    const made = await deps.syncs.plan(name, interruption.stop);
    if (options.out !== undefined) writePlanFile(options.out, made);
    print(made, options, io);
    return options.detailedExitcode === true ? detailed(made) : 0;
  } catch (thrown) {
    if (!interruption.stop.aborted) throw thrown;
    io.err('stopped; nothing was written');
    return EXIT_INTERRUPTED;
  } finally {
    interruption.release();
  }
}

function print(made: SyncPlan, options: PlanOptions, io: Io): void {
  if (options.json === true) io.out(JSON.stringify(planJson(made), null, 2));
  else if (options.markdown === true) io.out(renderPlanMarkdown(made, options).trimEnd());
  else {
    io.out(renderPlanText(made, { ...options, color: isColored(io) }).trimEnd());
    if (options.out !== undefined) io.out(`\nWritten to ${options.out}: latchgate apply --plan ${options.out}`);
  }
}

function detailed({ brake, held, changes, carried = [] }: SyncPlan): number {
  if (brake !== undefined || held.length > 0) return EXIT_HELD;
  return changes.length + carried.length > 0 ? EXIT_CHANGES : 0;
}
