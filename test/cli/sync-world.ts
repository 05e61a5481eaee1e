import { MemorySyncs } from '../sync/memory-syncs.ts';
import { makeWorld, type World } from './world.ts';

export const SYNC = 'hr-to-gooddata';

/** State in memory and one sync over it. */
export interface SyncWorld extends World {
  readonly syncs: MemorySyncs;
  readonly names: readonly string[];
}

export async function makeSyncWorld(): Promise<SyncWorld> {
  return { ...(await makeWorld()), syncs: new MemorySyncs(SYNC), names: [SYNC] };
}
