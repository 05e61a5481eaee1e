import type { Change, HeldChange } from '../model/change.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import { annotate, inSpan } from '../ops/tracing.ts';
import type { Target } from '../targets/target.ts';
import { writeFailure } from './failed.ts';
import type { ReconcileContext } from './job.ts';
import { type Goal, isErrorCode } from './outcome.ts';
import type { Missing } from './plan.ts';
import { planOne, recall } from './plan-one.ts';
import type { AccountState } from './provision.ts';
import { reconcile } from './reconcile.ts';

export interface ConfiguredTarget {
  readonly target: Target;
  readonly missing: Missing;
  /** For everything at one login. */
  readonly timeoutMs: number;
}

/** What one person is to have in one target by what is remembered now; undefined: nothing is remembered. */
export type GoalNow = (person: PersonId, target: string) => Promise<Goal | undefined>;

/** What would have been done to one account, were this not shadow mode. */
export interface Shadowed {
  readonly person: PersonId;
  readonly target: string;
  readonly requestId: string;
  readonly changes: readonly Change[];
  readonly held: readonly HeldChange[];
  /** Why it could not even be planned, or would not have been done. */
  readonly code?: string;
}

export interface RunsDeps extends ReconcileContext {
  /** Present: nothing is written to a target, and nothing is remembered as done. Told what would have been. */
  readonly shadow?: (shadowed: Shadowed) => void;
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  readonly log: Pick<Log, 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'provisioning' | 'change'>;
}

interface Run {
  readonly person: PersonId;
  readonly name: string;
  /** As far as it is known. */
  goal: Goal;
  readonly goalNow: () => Promise<Goal>;
  readonly actor: string;
  readonly requestId: string;
}

interface Running {
  /** What is being brought about; undefined while that is asked anew, and nobody can say whether they want the same. */
  goal: string | undefined;
  result: Promise<AccountState>;
}

const ACCOUNT_CACHE_MS = 2_000;
const ACCOUNT_CACHE_SIZE = 1_500;

/**
 * Reconciles under way and what they led to. Work on one account of one person is shared: callers who want the same
 * thing at the same time get the same answer; another goal waits for the run before it.
 */
export class Runs {
  readonly #deps: RunsDeps;
  readonly #goalNow: GoalNow;
  readonly #running = new Map<string, Running>();
  readonly #accounts = new Map<string, { readonly state: AccountState; readonly until: number }>();
  /** How many runs have begun: what was read before one began is not remembered after it. */
  #begun = 0;

  constructor(deps: RunsDeps, goalNow: GoalNow) {
    this.#deps = deps;
    this.#goalNow = goalNow;
  }

  /** The account to use for a live session; waits for a run that is under way, else reads what we remember. */
  async account(person: PersonId, target: string, signal: AbortSignal): Promise<AccountState> {
    const key = keyOf(target, person);
    const cached = this.#accounts.get(key);
    const now = this.#deps.clock.now();
    // What ends further ahead than it could by now was remembered before the clock was turned back.
    if (cached !== undefined && now < cached.until && cached.until <= now + ACCOUNT_CACHE_MS) return cached.state;
    const begun = this.#begun;
    const running = this.#running.get(key);
    const state =
      running === undefined ? await this.#remembered(person, target) : await withSignal(running.result, signal);
    if (state.status === 'ready' && begun === this.#begun) this.#cache(key, state);
    return state;
  }

  /** One run at a time for a person in a target; the same goal joins the run under way, another one waits for it. */
  run(person: PersonId, target: string, goal: Goal, actor: string, requestId: string): Promise<AccountState> {
    const key = keyOf(target, person);
    const fingerprint = JSON.stringify(goal);
    const running = this.#running.get(key);
    if (running?.goal === fingerprint) return running.result;
    const before = running?.result.catch(() => undefined) ?? Promise.resolve(undefined);
    const goalNow = async (): Promise<Goal> => {
      entry.goal = undefined;
      const now = (await this.#goalNow(person, target)) ?? goal;
      entry.goal = JSON.stringify(now);
      run.goal = now;
      return now;
    };
    const run: Run = { person, name: target, goal, goalNow, actor, requestId };
    const result = before.then(() => this.#reconcile(run));
    const entry: Running = { goal: fingerprint, result };
    this.#running.set(key, entry);
    this.#begun += 1;
    this.#accounts.delete(key);
    const forget = (): void => {
      if (this.#running.get(key) === entry) this.#running.delete(key);
      this.#accounts.delete(key);
    };
    result.then(forget, forget);
    return result;
  }

  async #reconcile(run: Run): Promise<AccountState> {
    const configured = this.#deps.targets.get(run.name);
    if (configured === undefined) return { status: 'none' };
    const { shadow } = this.#deps;
    if (shadow !== undefined) return this.#watch(configured, run, shadow);
    const started = performance.now();
    const facts = { 'latchgate.target': run.name, 'latchgate.person': run.person };
    const state = await inSpan('provision', facts, () => this.#traced(configured, run));
    const outcome = state.status === 'ready' && state.degraded !== undefined ? 'degraded' : state.status;
    this.#deps.metrics.provisioning(run.name, outcome, (performance.now() - started) / 1_000);
    return state;
  }

  async #traced(configured: ConfiguredTarget, run: Run): Promise<AccountState> {
    const state = await this.#attempt(configured, run);
    annotate('latchgate.outcome', state.status);
    return state;
  }

  async #attempt({ target, missing, timeoutMs }: ConfiguredTarget, run: Run): Promise<AccountState> {
    const { person, name } = run;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const { account, isOpen, changes, held } = await reconcile(this.#deps, { ...run, target, missing, signal });
      await this.#deps.directory.retries.done(person, name);
      for (const change of changes) this.#deps.metrics.change(name, change.op);
      if (account === undefined || !isOpen || !account.active) return { status: 'none' };
      return { status: 'ready', id: account.id, userName: account.userName, changes, held };
    } catch (thrown) {
      return this.#failed(target, run, toLatchgateError(thrown));
    }
  }

  /**
   * Plans, and tells. Whatever comes of it, the person is in where the backend lets them in. What still waits to be done
   * there goes on to wait: nothing of it was done.
   */
  async #watch(
    { target, missing, timeoutMs }: ConfiguredTarget,
    { person, name, goal, requestId }: Run,
    shadow: (shadowed: Shadowed) => void,
  ): Promise<AccountState> {
    const about = { person, target: name, requestId };
    try {
      const input = { person, target, missing, goal, signal: AbortSignal.timeout(timeoutMs) };
      const { plan, account } = await planOne(this.#deps, input, await recall(this.#deps.directory, input));
      const { changes, held } = plan;
      shadow({ ...about, changes, held });
      if (account === undefined) return { status: 'none' };
      return { status: 'ready', id: account.id, userName: account.userName, changes, held };
    } catch (thrown) {
      shadow({ ...about, changes: [], held: [], code: toLatchgateError(thrown).code });
      return { status: 'none' };
    }
  }

  async #failed(target: Target, run: Run, error: LatchgateError): Promise<AccountState> {
    const { log } = this.#deps;
    const fields = { target: run.name, person: run.person, code: error.code, ...error.detail };
    if (error.code === 'internal') log.error('provisioning failed', { ...fields, error });
    else log.warn('provisioning failed', fields);
    try {
      return (await writeFailure(this.#deps, { ...run, target }, error)) ?? failedState(error);
    } catch (thrown) {
      const { code } = toLatchgateError(thrown);
      log.error('a failure could not be written down', { target: run.name, person: run.person, code });
      return failedState(error);
    }
  }

  async #remembered(person: PersonId, target: string): Promise<AccountState> {
    const { directory } = this.#deps;
    const link = await directory.accounts.get(person, target);
    if (link?.state === 'ready' && link.accountId !== undefined) {
      return { status: 'ready', id: link.accountId, userName: link.userName, changes: [], held: [] };
    }
    const waiting = await directory.retries.get(person, target);
    if (waiting === undefined) return { status: 'none' };
    return {
      status: 'failed',
      code: isErrorCode(waiting.code) ? waiting.code : 'target_pending',
      retryable: true,
      held: [],
    };
  }

  #cache(key: string, state: AccountState): void {
    if (this.#accounts.size >= ACCOUNT_CACHE_SIZE) this.#accounts.delete(this.#accounts.keys().next().value ?? '');
    this.#accounts.set(key, { state, until: this.#deps.clock.now() + ACCOUNT_CACHE_MS });
  }

  /** Waits for what is under way. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#running.values()].map(({ result }) => result));
  }
}

function failedState({ code, retryable, detail }: LatchgateError): AccountState {
  const { owner, accounts = detail['account'] } = detail;
  return {
    status: 'failed',
    code,
    retryable,
    held: [],
    ...(typeof owner === 'string' ? { owner } : {}),
    ...(typeof accounts === 'string' ? { accounts } : {}),
  };
}

function keyOf(target: string, person: PersonId): string {
  return `${target} ${person}`;
}

/** The promise, or `target_pending` when the signal ends first; the work itself goes on. */
export function withSignal<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(new LatchgateError('target_pending', 'still being prepared'));
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
