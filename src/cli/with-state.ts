import type { Audit } from '../audit/audit.ts';
import { composeEngine, type Engines } from '../compose/engine.ts';
import { composeLog, composeState, type State } from '../compose/state.ts';
import { composeSyncs, stopIfOf } from '../compose/syncs.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { ApplyReviewDeps } from '../review/apply-review.ts';
import type { SyncRunsDeps } from '../sync/runs.ts';
import type { Adoption } from '../sync/sync.ts';
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

/** What commands of syncs work with. */
export interface SyncCommandDeps extends SyncRunsDeps {
  readonly adoption: Adoption;
  readonly audit: Audit;
  /** Syncs of the config. */
  readonly names: readonly string[];
}

/** What decisions of a review are carried out with. */
export function withReviews(
  options: { readonly config: string },
  io: Io,
  work: (deps: ApplyReviewDeps) => Promise<number>,
): Promise<number> {
  return withEngines(options, io, ({ state, engine }, config) => {
    const { directory, audit, clock, together } = state;
    const again: ApplyReviewDeps['again'] = (...args) => engine.again(...args);
    return work({ directory, audit, clock, together, stopIf: stopIfOf(config), again });
  });
}

/** The same with the syncs over them. */
export function withSyncs(
  options: { readonly config: string },
  io: Io,
  work: (deps: SyncCommandDeps) => Promise<number>,
): Promise<number> {
  return withEngines(options, io, async (engines, config) => {
    const { directory, audit, clock } = engines.state;
    const { syncs, adoption, close } = await composeSyncs(config, engines);
    try {
      return await work({ ...directory, audit, clock, syncs, adoption, names: Object.keys(config.sync) });
    } finally {
      await close();
    }
  });
}
