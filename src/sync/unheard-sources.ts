import type { SyncRuns } from '../directory/sync-history.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';

interface Waiting extends SyncDeps {
  /** Syncs that have to be applied once before anything is taken that nobody recorded. */
  readonly unheard: readonly string[];
}

/**
 * What `safety.manage` counts as ours besides what is recorded may be what another source gives: as long as one that leads
 * into the same target was never applied whole, none of it is taken, and no account is nobody's.
 */
export async function untilAllAreHeard(
  deps: SyncDeps & { readonly directory: { readonly syncRuns: Pick<SyncRuns, 'lastFinished'> } },
  { besides = [] }: Pick<SyncSetup, 'besides'>,
): Promise<Waiting> {
  const unheard: string[] = [];
  for (const sync of besides) {
    if ((await deps.directory.syncRuns.lastFinished(sync, ['applied'])) === undefined) unheard.push(sync);
  }
  return unheard.length === 0 ? { ...deps, unheard } : { ...deps, unheard, isManaged: () => false, managesAll: false };
}
