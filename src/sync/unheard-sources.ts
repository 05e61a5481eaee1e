import type { StateValues } from '../directory/directory.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import type { HeldPlannedChange, SyncPlan } from './sync.ts';

interface Waiting extends SyncDeps {
  /** Syncs that have to be applied once before anything is taken that nobody recorded. */
  readonly unheard: readonly string[];
}

/**
 * What `safety.manage` counts as ours besides what is recorded may be what another source gives: as long as one that leads
 * into the same target was never applied whole, none of it is taken, and no account is nobody's.
 */
export async function untilAllAreHeard(deps: SyncDeps, { besides = [] }: Pick<SyncSetup, 'besides'>): Promise<Waiting> {
  const unheard: string[] = [];
  for (const sync of besides) {
    if ((await deps.directory.values.get(nameOf(sync))) === undefined) unheard.push(sync);
  }
  return unheard.length === 0 ? { ...deps, unheard } : { ...deps, unheard, isManaged: () => false, managesAll: false };
}

/** Of a plan that was carried out to its end: from then on the others take what this source gives for heard. */
export async function noteHeard({ sync, createdAt, ...plan }: SyncPlan, values: StateValues): Promise<void> {
  // Whom it held nobody has placed, and what a person let pass was not all that there is.
  if (!plan.complete || plan.brake !== undefined || plan.held.some(isOfPerson)) return;
  const name = nameOf(sync);
  if ((await values.get(name)) === undefined) await values.swap(name, undefined, createdAt.toISOString());
}

/** Held is all that is said of somebody, and not one thing that they would be given. */
export function isOfPerson({ type, entitlement }: HeldPlannedChange): boolean {
  return type === 'user' && entitlement === undefined;
}

function nameOf(sync: string): string {
  return `sync heard:${sync}`;
}
