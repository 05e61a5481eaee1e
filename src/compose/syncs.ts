import type { Config } from '../config/schema.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Adoption, Syncs } from '../sync/sync.ts';
import type { Engines } from './engine.ts';

export interface ComposedSyncs {
  readonly syncs: Syncs;
  readonly adoption: Adoption;
  /** Gives the connections of sources back. */
  close(): Promise<void>;
}

/** The syncs of the config over its sources and targets. Nothing goes out before one is asked for. */
export async function composeSyncs(_config: Config, _engines: Engines): Promise<ComposedSyncs> {
  throw new LatchgateError('feature_missing', 'this version has no syncs yet');
}
