import type { Audit } from '../audit/audit.ts';
import type { Directory, Person } from '../directory/directory.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Memory } from '../provisioning/job.ts';
import type { AccountPlan } from '../provisioning/plan.ts';
import type { AccountState, Provisioner } from '../provisioning/provision.ts';

export type Stores = { readonly directory: Directory; readonly audit: Audit };

export interface UndoDeps extends Stores {
  readonly together: <T>(work: (stores: Stores) => Promise<T>) => Promise<T>;
  readonly clock: Clock;
  readonly provisioner: Pick<Provisioner, 'disable' | 'enable'>;
  /** Brings somebody to what counts for them now. */
  readonly again: (person: PersonId, target: string, actor: string, requestId: string) => Promise<AccountState>;
  /** What `again` would do were this remembered. Reads the target alone. Throws `target_*`. */
  readonly planAgain: (
    person: PersonId,
    target: string,
    memoryOf: (memory: Memory) => Memory,
  ) => Promise<Pick<AccountPlan, 'gives' | 'changes'> | undefined>;
  /** Whether an account of theirs is wanted there now. */
  readonly wants: (person: PersonId, target: string) => Promise<boolean>;
}

export interface UndoOptions {
  readonly actor: string;
  readonly requestId: string;
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean;
}

/** What is to be done about one record. */
export interface Step {
  readonly did: string;
  /** Done before what follows from it, together with the record that says so. */
  readonly write?: (stores: Stores) => Promise<void>;
  /**
   * Returns why it is not done yet. `isDone`: it is all the same, and only what follows from it is pending. After a `write`
   * nothing is thrown: it is decided, and what failed is tried again in the background.
   */
  readonly follow: () => Promise<{ readonly pending?: string; readonly isDone?: true }>;
}

/** Until the scheduler takes up what the command that wrote it down did not. */
export const FOLLOW_UP_MS = 15_000;

/**
 * Brings somebody to what counts for them where it is decided already: what cannot even be tried is tried later, and nothing is
 * thrown.
 */
export async function againOrLater(
  deps: Pick<UndoDeps, 'again' | 'clock' | 'directory'>,
  { id }: Person,
  target: string,
  { actor, requestId }: UndoOptions,
): Promise<AccountState> {
  try {
    return await deps.again(id, target, actor, requestId);
  } catch (thrown) {
    const error = toLatchgateError(thrown);
    await deps.directory.retries.put(id, target, error.code, new Date(deps.clock.now() + FOLLOW_UP_MS));
    return { status: 'failed', code: error.code, retryable: error.retryable, held: [] };
  }
}

export function codeOf(state: AccountState): string {
  return failureOf(state) ?? 'target_pending';
}

export function pendingOf(state: AccountState): { readonly pending?: string } {
  const pending = failureOf(state);
  return pending === undefined ? {} : { pending };
}

/** Whoever has an account may use it while what was to be done to it has failed. */
function failureOf(state: AccountState): string | undefined {
  if (state.status === 'failed') return state.code;
  return state.status === 'ready' ? state.degraded : undefined;
}
