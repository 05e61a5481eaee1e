import type { Command } from 'commander';
import type { Engines } from '../../compose/engine.ts';
import type { Config } from '../../config/schema.ts';
import type { Io } from '../io.ts';
import { type PinsLiftDeps, pinsLift, pinsList } from '../pins.ts';
import { review } from '../review.ts';
import { withEngines } from '../with-state.ts';
import { type Add, group, json } from './add.ts';

/** `review`, `pins …`. */
export function addReviewCommands(program: Command, add: Add, io: Io): void {
  add(
    program,
    'review',
    'write down who has what and why, for somebody to decide on; and read what was decided',
    (options) =>
      withEngines(options, io, ({ state, mapping }, config) =>
        review(options, { ...state, mapping, targets: Object.keys(config.targets) }, io),
      ),
  )
    .option('--target <name>', 'the target whose grants are reviewed')
    .option('--entitlement <entitlement>', 'only this one: role:Admin, or its name alone')
    .option('--load <file>', 'a review that was filled in')
    .option('--out <file>', 'the review as CSV; with --load, what was decided, for apply --plan')
    .option(...json);

  const pins = group(program, 'pins', 'what operators have decided about single grants');
  add(pins, 'list', 'print them', (options) =>
    withEngines(options, io, (engines, config) => pinsList(options, pinning(engines, config), io)),
  )
    .option('--target <name>', 'of one target')
    .option('--user <user>', 'of one person')
    .option(...json);
  add(pins, 'lift', 'let the rules decide again', (options) =>
    withEngines(options, io, (engines, config) => pinsLift(options, pinning(engines, config), io)),
  )
    .requiredOption('--user <user>', 'whose')
    .requiredOption('--target <name>', 'where')
    .requiredOption('--entitlement <entitlement>', 'what: role:Admin, or its name alone')
    .option(...json);
}

function pinning({ state, engine }: Engines, { targets }: Config): PinsLiftDeps {
  return {
    ...state.directory,
    ...state,
    targets: Object.keys(targets),
    again: (person, target, actor, requestId) => engine.again(person, target, actor, requestId),
  };
}
