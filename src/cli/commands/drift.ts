import type { Command } from 'commander';
import { composeDrifts } from '../../compose/drift.ts';
import { type DriftDeps, drift, driftAdopt, driftRepair } from '../drift.ts';
import type { Io } from '../io.ts';
import { withEngines } from '../with-state.ts';
import { type Add, json, type Options } from './add.ts';

/** `drift …`. */
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
}
