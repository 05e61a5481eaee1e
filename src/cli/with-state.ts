import { composeEngine, type Engines } from '../compose/engine.ts';
import { composeLog, composeState, type State } from '../compose/state.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Io } from './io.ts';

/** Runs a command on the state database, and closes it whatever happens. Only errors are logged, to standard error. */
export async function withState(
  options: { readonly config: string },
  io: Io,
  work: (state: State, config: Config) => Promise<number>,
): Promise<number> {
  const config = loadConfig(options.config, { env: io.env });
  const log = composeLog({ ...config, log: { ...config.log, level: 'error' } }, process.stderr);
  const state = await composeState(config, log);
  try {
    return await work(state, config);
  } finally {
    await state.close();
  }
}

/** The same with the mapping, the targets and the engine. */
export function withEngines(
  options: { readonly config: string },
  io: Io,
  work: (engines: Engines, config: Config) => Promise<number>,
): Promise<number> {
  return withState(options, io, async (state, config) => {
    const engines = composeEngine(config, state);
    try {
      return await work(engines, config);
    } finally {
      await engines.close();
    }
  });
}
