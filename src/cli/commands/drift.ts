import type { Command } from 'commander';
import { composeDrifts } from '../../compose/drift.ts';
import { type DriftDeps, drift, driftAdopt, driftRepair } from '../drift.ts';
import type { Io } from '../io.ts';
import { shadowFeed } from '../shadow.ts';
import { withEngines } from '../with-state.ts';
import { type Add, group, json, type Options } from './add.ts';

/** `drift …`, `shadow …`. */
export function addDriftCommands(program: Command, add: Add, io: Io): void {
  const withDrifts = (options: Options, work: (deps: DriftDeps) => Promise<number>): Promise<number> =>
    withEngines(options, io, async (engines, config) => {
      const { drifts, close } = await composeDrifts(config, engines);
      try {
        return await work({ drifts, isShadow: config.mode === 'shadow' });
      } finally {
        await close();
      }
    });
  const target = ['--target <name>', 'of this target alone'] as const;
  const all = ['--all', 'whatever it can do something about'] as const;
  const review = add(program, 'drift', 'show what targets have that is not as it should be', (options) =>
    withDrifts(options, (deps) => drift(options, deps, io)),
  )
    .option(...target)
    .option(...json)
    .option('--markdown', 'for a pull request or ticket')
    .enablePositionalOptions()
    .helpCommand(false);
  add(review, 'adopt [key]', 'take a difference for ours, or let it stand', (options, [key]) =>
    withDrifts(options, (deps) => driftAdopt(key, options, deps, io)),
  )
    .option(...all)
    .option(...target)
    .option(...json);
  add(review, 'repair [key]', 'bring the target to what it is to be', (options, [key]) =>
    withDrifts(options, (deps) => driftRepair(key, options, deps, io)),
  )
    .option(...all)
    .option(...target)
    .option('--approve', 'go on in spite of the brake')
    .option(...json);

  const shadow = group(program, 'shadow', 'beside a running system');
  add(
    shadow,
    'feed',
    'take recorded claims as if their people had logged in',
    ({ origin = '', claims = '', ...rest }) =>
      withEngines(rest, io, (engines, config) => shadowFeed({ ...rest, origin, claims }, engines, config, io)),
  )
    .requiredOption('--origin <name>', 'the login that would have said it')
    .requiredOption('--claims <file>', 'one JSON object a line')
    .option(...json);
}
