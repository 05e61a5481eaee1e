import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import type { PersonId } from '../model/person.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Target } from '../targets/target.ts';
import { type Goal, isErrorCode, isTargetFault } from './outcome.ts';
import { type Missing, withdrawsNothing } from './plan.ts';
import type { AccountState } from './provision.ts';
import { type ReconcileContext, reconcile } from './reconcile.ts';

export interface ConfiguredTarget {
  readonly target: Target;
  readonly missing: Missing;
  /** For everything at one login. */
  readonly timeoutMs: number;
}

export interface RunsDeps extends ReconcileContext {
  readonly targets: ReadonlyMap<string, ConfiguredTarget>;
  readonly clock: Clock;
  readonly log: Pick<Log, 'warn' | 'error'>;
  readonly metrics: Pick<Metrics, 'provisioning' | 'change'>;
}

const FIRST_RETRY_MS = 5_000;
const LAST_RETRY_MS = 300_000;
const ACCOUNT_CACHE_MS = 2_000;
const ACCOUNT_CACHE_SIZE = 20_000;

/**
 * Reconciles under way and what they led to. Work on one account of one person is shared: callers who want the same
 * thing at the same time get the same answer; another goal waits for the run before it.
 */
export class Runs {
  readonly #deps: RunsDeps;
  readonly #running = new Map<string, { readonly goal: string; readonly result: Promise<AccountState> }>();
  readonly #accounts = new Map<string, { readonly state: AccountState; readonly until: number }>();

  constructor(deps: RunsDeps) {
    this.#deps = deps;
  }

  /** The account to use for a live session; waits for a run that is under way, else reads what we remember. */
  async account(person: PersonId, target: string, signal: AbortSignal): Promise<AccountState> {
    const key = keyOf(target, person);
    const cached = this.#accounts.get(key);
    if (cached !== undefined && cached.until > this.#deps.clock.now()) return cached.state;
    const running = this.#running.get(key);
    const state =
      running === undefined ? await this.#remembered(person, target) : await withSignal(running.result, signal);
    if (state.status === 'ready') this.#cache(key, state);
    return state;
  }

  /** One run at a time for a person in a target; the same goal joins the run under way, another one waits for it. */
  run(person: PersonId, target: string, goal: Goal, actor: string, requestId: string): Promise<AccountState> {
    const key = keyOf(target, person);
    const fingerprint = JSON.stringify(goal);
    const running = this.#running.get(key);
    if (running?.goal === fingerprint) return running.result;
    const before = running?.result.catch(() => undefined) ?? Promise.resolve(undefined);
    const result = before.then(() => this.#reconcile(person, target, goal, actor, requestId));
    const entry = { goal: fingerprint, result };
    this.#running.set(key, entry);
    this.#accounts.delete(key);
    const forget = (): void => {
      if (this.#running.get(key) === entry) this.#running.delete(key);
      this.#accounts.delete(key);
    };
    result.then(forget, forget);
    return result;
  }

  async #reconcile(
    person: PersonId,
    name: string,
    goal: Goal,
    actor: string,
    requestId: string,
  ): Promise<AccountState> {
    const configured = this.#deps.targets.get(name);
    if (configured === undefined) return { status: 'none' };
    const started = performance.now();
    const state = await this.#attempt(configured, { person, name, goal, actor, requestId });
    const outcome = state.status === 'ready' && state.degraded !== undefined ? 'degraded' : state.status;
    this.#deps.metrics.provisioning(name, outcome, (performance.now() - started) / 1_000);
    return state;
  }

  async #attempt(
    { target, missing, timeoutMs }: ConfiguredTarget,
    {
      person,
      name,
      goal,
      actor,
      requestId,
    }: { person: PersonId; name: string; goal: Goal; actor: string; requestId: string },
  ): Promise<AccountState> {
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      const { account, changes, held } = await reconcile(this.#deps, {
        person,
        target,
        missing,
        goal,
        actor,
        requestId,
        signal,
      });
      await this.#deps.directory.retries.done(person, name);
      for (const change of changes) this.#deps.metrics.change(name, change.op);
      if (account === undefined || 'leaving' in goal || !account.active) return { status: 'none' };
      return { status: 'ready', id: account.id, userName: account.userName, changes, held };
    } catch (thrown) {
      return this.#failed(person, name, goal, toLatchgateError(thrown));
    }
  }

  async #failed(person: PersonId, name: string, goal: Goal, error: LatchgateError): Promise<AccountState> {
    const { directory, log } = this.#deps;
    const fields = { target: name, person, code: error.code, ...error.detail };
    if (error.code === 'internal') log.error('provisioning failed', { ...fields, error });
    else log.warn('provisioning failed', fields);
    if (isTargetFault(error.code)) await this.#schedule(person, name, error.code);
    const failed = { status: 'failed', code: error.code, retryable: error.retryable, held: [] } as const;
    if (!isTargetFault(error.code) || 'leaving' in goal) return failed;
    const [link, ledger] = await Promise.all([
      directory.accounts.get(person, name),
      directory.ledger.ofAccount(person, name),
    ]);
    const desired = this.#deps.targets.get(name)?.target.adapt(goal.desired) ?? goal.desired;
    if (link?.state !== 'ready' || link.accountId === undefined || !withdrawsNothing(desired, ledger)) return failed;
    return {
      status: 'ready',
      id: link.accountId,
      userName: link.userName,
      changes: [],
      held: [],
      degraded: error.code,
    };
  }

  async #schedule(person: PersonId, target: string, code: string): Promise<void> {
    const { directory, clock } = this.#deps;
    const attempts = (await directory.retries.get(person, target))?.attempts ?? 0;
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** attempts, LAST_RETRY_MS);
    await directory.retries.put(person, target, code, new Date(clock.now() + delayMs));
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
