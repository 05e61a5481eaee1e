import type { StateValues } from '../directory/directory.ts';
import type { Draft } from './draft.ts';
import type { SyncDeps, SyncSetup } from './setup.ts';
import type { HeldPlannedChange, SyncPlan } from './sync.ts';

interface Waiting extends SyncDeps {
  /** Syncs that have to be applied once before anything is taken that nobody recorded. */
  readonly unheard: readonly string[];
}

/** In place of when it was heard: it was, and lists people by now of whom nothing could be recorded. */
const NO_MORE = '';

/**
 * What `safety.manage` counts as ours besides what is recorded may be what another source gives: as long as one that leads
 * into the same target was never applied whole, or lists somebody of whom nothing is recorded, none of it is taken, and no
 * account is nobody's.
 */
export async function untilAllAreHeard(deps: SyncDeps, { besides = [] }: Pick<SyncSetup, 'besides'>): Promise<Waiting> {
  const unheard: string[] = [];
  for (const sync of besides) {
    if (!isHeard(await deps.directory.values.get(nameOf(sync)))) unheard.push(sync);
  }
  return unheard.length === 0 ? { ...deps, unheard } : { ...deps, unheard, isManaged: () => false, managesAll: false };
}

/** Of a plan that was carried out to its end: from then on the others take what this source gives for heard. */
export async function noteHeard({ sync, createdAt, ...plan }: SyncPlan, values: StateValues): Promise<void> {
  // Whom it held nobody has placed, and what a person let pass was not all that there is.
  if (!plan.complete || plan.brake !== undefined || plan.held.some(isOfPerson)) return;
  const name = nameOf(sync);
  const before = await values.get(name);
  if (!isHeard(before)) await values.swap(name, before, createdAt.toISOString());
}

/**
 * Ahead of what a run writes: somebody whom the source lists, and of whom it says nothing that could be read now or was before,
 * may be anybody. What they have here is left alone by the others as if the source had not been heard, until it is again.
 */
export async function noteUnread(sync: string, draft: Unread, values: StateValues): Promise<void> {
  if (!listsUnread(draft)) return;
  const name = nameOf(sync);
  const before = await values.get(name);
  if (isHeard(before)) await values.swap(name, before, NO_MORE);
}

type Unread = Pick<Draft, 'listing' | 'known' | 'unheard'>;

/** Who was recorded as there before counts by that. */
function listsUnread({ listing, known, unheard }: Unread): boolean {
  if (listing.end.unreadable > 0) return true;
  const isRecorded = (subject: string): boolean => known.subjects.get(subject)?.active === true;
  return listing.people.some(({ subject, active }) => active && unheard.has(subject) && !isRecorded(subject));
}

function isHeard(value: string | undefined): boolean {
  return value !== undefined && value !== NO_MORE;
}

/** Held is all that is said of somebody, and not one thing that they would be given. */
export function isOfPerson({ type, entitlement }: HeldPlannedChange): boolean {
  return type === 'user' && entitlement === undefined;
}

function nameOf(sync: string): string {
  return `sync heard:${sync}`;
}
