import type { Audit } from '../audit/audit.ts';
import type { Directory } from '../directory/directory.ts';
import { entitlementKey } from '../model/entitlement.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { AccountState } from '../provisioning/provision.ts';
import { brakeFor, type StopIf } from '../sync/brake.ts';
import { TargetMemory } from '../sync/memory.ts';
import type { Brake } from '../sync/sync.ts';
import { type ReviewDecisions, type Revocation, refuse, staleAmong } from './load.ts';

type Stores = { readonly directory: Directory; readonly audit: Audit };

export interface ApplyReviewDeps extends Stores {
  readonly together: <T>(work: (stores: Stores) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly stopIf: StopIf;
  /** Brings somebody to what counts for them now. */
  readonly again: (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;
}

export interface ApplyReviewOptions {
  readonly approve: boolean;
  readonly actor: string;
  readonly requestId: string;
  readonly onRow?: (row: RevokedRow) => void;
}

/** `pinned`: it will not be given again, and goes as soon as the target lets it; `code` says why it is still there. */
export interface RevokedRow {
  readonly revocation: Revocation;
  readonly outcome: 'taken' | 'pinned';
  readonly code?: string;
}

export type AppliedReview = { readonly held: Brake } | { readonly rows: readonly RevokedRow[] };

/** Whoever dies between the pin and what follows from it is followed up by the scheduler. */
const FOLLOW_UP_MS = 15_000;

/**
 * Takes what a review revokes, and pins it so that no login, push or sync gives it back. Nothing is done while the brake
 * holds it, nor when one of the grants is another by now (`review_stale`).
 */
export async function applyReview(
  deps: ApplyReviewDeps,
  { review, keep, undecided, revoke }: ReviewDecisions,
  options: ApplyReviewOptions,
): Promise<AppliedReview> {
  const { directory, audit } = deps;
  refuse(await staleAmong(directory, review.target, revoke));
  const held = options.approve ? undefined : await brakeOn(deps, review.target, revoke);
  if (held !== undefined) return { held };
  const rows: RevokedRow[] = [];
  for (const revocation of revoke) {
    await pin(deps, review.id, review.target, revocation, options);
    const row = await take(deps, review.target, revocation, options);
    rows.push(row);
    options.onRow?.(row);
  }
  const after = { review: review.id, keep, revoke: revoke.length, undecided };
  const { actor, requestId } = options;
  await audit.append([{ event: 'review.applied', actor, target: review.target, requestId, after }]);
  return { rows };
}

async function brakeOn(
  { directory, stopIf }: ApplyReviewDeps,
  target: string,
  revoke: readonly Revocation[],
): Promise<Brake | undefined> {
  const memory = await TargetMemory.read(directory, target);
  return brakeFor({
    stopIf,
    source: { complete: true, listed: revoke.length + 1 },
    known: { before: 0, missing: 0 },
    targetComplete: true,
    changes: revoke.map(({ person }) => ({ op: 'revoke', type: 'user', key: person, person, reason: 'review' })),
    holders: memory.holders(),
    removedLately: new Set(),
    carried: new Set(),
    carriedLately: new Set(),
    createdLately: 0,
  });
}

async function pin(
  { together, clock }: ApplyReviewDeps,
  id: string,
  target: string,
  { line: _, personName: __, person, rule, origin, since, reason, ...entitlement }: Revocation,
  { actor, requestId }: ApplyReviewOptions,
): Promise<void> {
  const by = `review ${id}`;
  const why = reason === undefined ? {} : { reason };
  await together(async ({ directory, audit }) => {
    await directory.pins.set({
      ...entitlement,
      ...why,
      person,
      target,
      effect: 'withheld',
      by,
      at: new Date(clock.now()),
    });
    await directory.retries.put(person, target, 'target_pending', new Date(clock.now() + FOLLOW_UP_MS));
    const about = { actor, person, target, requestId, key: entitlementKey(entitlement) };
    const before = { rule, origin, since };
    await audit.append([{ event: 'grant.pinned', ...about, before, after: { effect: 'withheld', by, ...why } }]);
  });
}

async function take(
  { directory, again }: ApplyReviewDeps,
  target: string,
  revocation: Revocation,
  { actor, requestId }: ApplyReviewOptions,
): Promise<RevokedRow> {
  const state = await again(revocation.person, target, actor, requestId).catch((thrown: unknown) => ({
    status: 'failed' as const,
    code: toLatchgateError(thrown).code,
  }));
  const left = await directory.ledger.ofAccount(revocation.person, target);
  const isThere = left.some((grant) => entitlementKey(grant) === entitlementKey(revocation));
  if (!isThere) return { revocation, outcome: 'taken' };
  const code = state.status === 'failed' ? { code: state.code } : {};
  return { revocation, outcome: 'pinned', ...code };
}
