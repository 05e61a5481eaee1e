import type { Command } from 'commander';
import { adopt } from '../adopt.ts';
import { apply } from '../apply.ts';
import type { Io } from '../io.ts';
import { plan } from '../plan.ts';
import { plansApprove, plansList, plansReject, plansShow } from '../plans.ts';
import { applyReviewPlan, reviewPlanIn } from '../review.ts';
import { syncsList, syncsRuns } from '../syncs.ts';
import { withReviews, withState, withSyncs } from '../with-state.ts';
import { type Add, group, json } from './add.ts';

/** `plan`, `apply`, `adopt`, `plans`, `syncs`. */
export function addSyncCommands(program: Command, add: Add, io: Io): void {
  const markdown = ['--markdown', 'for a pull request or ticket'] as const;
  const all = ['--all', 'every person by themselves, however many'] as const;
  add(program, 'plan <name>', 'show what a sync would do, and write nothing', (options, [name]) =>
    withSyncs(options, io, (deps) => plan(String(name), options, deps, io)),
  )
    .option('--out <file>', 'also write the plan there, for apply --plan')
    .option(...json)
    .option(...markdown)
    .option(...all)
    .option('--detailed-exitcode', '10: something would change, 11: something is held');
  add(program, 'apply [name]', 'do what a sync would do, or what was decided in a review', (options, [name]) => {
    const reviewed = name === undefined && options.plan !== undefined ? reviewPlanIn(options.plan) : undefined;
    return reviewed === undefined
      ? withSyncs(options, io, (deps) => apply(name, options, deps, io))
      : withReviews(options, io, (deps) => applyReviewPlan(reviewed, options, deps, io));
  })
    .option('--plan <file>', 'only this very plan, and only while it is true')
    .option('--approve', 'go on in spite of the brake')
    .option(...json);
  add(program, 'adopt', 'rebuild the ledger from rules and what targets have', (options) =>
    withSyncs(options, io, (deps) => adopt(options, deps, io)),
  )
    .option('--target <name>', 'of this target alone')
    .option('--apply', 'write what was shown')
    .option(...json);

  const plans = group(program, 'plans', 'plans that wait for a person');
  add(plans, 'list', 'print them, newest first', (options) =>
    withState(options, io, ({ directory }) => plansList(options, directory, io)),
  ).option(...json);
  add(plans, 'show <id>', 'print one whole', (options, [id]) =>
    withState(options, io, ({ directory }) => plansShow(String(id), options, directory, io)),
  )
    .option(...json)
    .option(...markdown)
    .option(...all);
  add(plans, 'approve <id>', 'apply it at once, if it is still true', (options, [id]) =>
    withSyncs(options, io, (deps) => plansApprove(String(id), options, deps, io)),
  ).option(...json);
  add(plans, 'reject <id>', 'drop it, and do not ask again', (options, [id]) =>
    withState(options, io, (state) => plansReject(String(id), options, { ...state.directory, ...state }, io)),
  ).option(...json);

  const syncs = group(program, 'syncs', 'the syncs of the configuration');
  add(syncs, 'list', 'print them, with their schedule and last run', (options) =>
    withState(options, io, ({ directory }, config) => syncsList(options, { ...directory, sync: config.sync }, io)),
  ).option(...json);
  add(syncs, 'runs <name>', 'print the last runs of one, newest first', (options, [name]) =>
    withState(options, io, ({ directory }, config) =>
      syncsRuns(String(name), options, { ...directory, sync: config.sync }, io),
    ),
  ).option(...json);
}
