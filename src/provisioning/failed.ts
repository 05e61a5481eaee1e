import type { Retry } from '../directory/directory.ts';
import { isLeftAlone } from '../model/desired.ts';
import { entitlementKey, type Grant } from '../model/entitlement.ts';
import type { LatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Pin } from '../model/pin.ts';
import type { Target } from '../targets/target.ts';
import type { ReconcileContext } from './job.ts';
import { type Goal, isOut, isTargetFault } from './outcome.ts';
import { heed, withheldKeys } from './pinned.ts';
import { withdrawsNothing } from './plan.ts';
import type { AccountState } from './provision.ts';

const FIRST_RETRY_MS = 5_000;
export const LAST_RETRY_MS = 300_000;

export interface FailedRun {
  readonly person: PersonId;
  readonly target: Target;
  readonly goal: Goal;
  readonly actor: string;
  readonly requestId: string;
}

type FailureContext = Pick<ReconcileContext, 'directory' | 'audit' | 'clock'>;

/** Writes the failure down. The account that is there may be used when the target is at fault and nothing has to go. */
export async function writeFailure(
  context: FailureContext,
  { person, target, goal, actor, requestId }: FailedRun,
  error: LatchgateError,
): Promise<AccountState | undefined> {
  const { directory, audit } = context;
  const link = await directory.accounts.get(person, target.name);
  const ledger = await directory.ledger.ofAccount(person, target.name);
  const pins = await directory.pins.ofAccount(person, target.name);
  const waiting = await directory.retries.get(person, target.name);
  const isFault = isTargetFault(error.code);
  const isSafe = takesNothing(target, goal, ledger, pins);
  // Whoever has a session elsewhere is kept out too while something that has to go is still there.
  if (link?.state === 'ready' && !isSafe) await directory.accounts.save({ ...link, state: 'closed' });
  // What was written ahead would else be due again at once, each time.
  const isWaiting = waiting !== undefined && !isOut(error.code);
  if (isFault || error.retryable || isWaiting)
    await schedule(context, { person, target: target.name }, error.code, waiting);
  // Once: the retries that fail alike say nothing new.
  if (waiting?.code !== error.code && !isOut(error.code)) {
    const { owner } = error.detail;
    const about = owner === undefined ? {} : { before: { owner } };
    await audit.append([
      { event: 'account.failed', actor, person, target: target.name, requestId, code: error.code, ...about },
    ]);
  }
  if (!isFault || !isSafe || link?.state !== 'ready' || link.accountId === undefined) return undefined;
  const { accountId: id, userName } = link;
  return { status: 'ready', id, userName, changes: [], held: [], degraded: error.code };
}

async function schedule(
  { directory, clock }: FailureContext,
  { person, target }: { readonly person: PersonId; readonly target: string },
  code: string,
  waiting: Retry | undefined,
): Promise<void> {
  // A row that was only written ahead counts no failure.
  const attempts = waiting === undefined || waiting.code === 'target_pending' ? 0 : waiting.attempts;
  const delayMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, LAST_RETRY_MS);
  await directory.retries.put(person, target, code, new Date(clock.now() + delayMs));
}

/** Nothing that we gave has to go for this goal. */
function takesNothing(target: Target, goal: Goal, ledger: readonly Grant[], pins: readonly Pin[]): boolean {
  if ('leaving' in goal) {
    const { leaving } = goal;
    const withheld = withheldKeys(pins);
    const stays = (grant: Grant) => isLeftAlone(leaving, grant) && !withheld.has(entitlementKey(grant));
    return leaving.leaveAlone.length > 0 && ledger.every(stays);
  }
  try {
    return withdrawsNothing(heed(target.adapt(goal.desired), pins), ledger, pins);
  } catch {
    return ledger.length === 0;
  }
}
