import type { ActualAccount } from '../model/change.ts';
import { entitlementKey } from '../model/entitlement.ts';
import type { LatchgateError } from '../model/errors.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Engines } from './engine.ts';
import type { ScheduledSyncs } from './scheduled-syncs.ts';

const RETRY_EVERY_MS = 2_000;
const RETRIES_AT_ONCE = 20;
const HOURLY_MS = 3_600_000;
/** How often to look whether a sync is due. */
const LOOK_EVERY_MS = 2_000;
/** How often to look whether the instance that follows a source is still there. */
const FOLLOW_EVERY_MS = 15_000;
/** After a refusal, which somebody has to put right. */
const FOLLOW_AGAIN_MS = 5 * 60_000;
/** Of decisions, of plans that were decided on, of runs. */
const KEEP_MS = 90 * 24 * HOURLY_MS;
/** For everything that the config says of a target itself. */
const PREPARE_MS = 10 * 60_000;
/** After a failure at the start: sooner than the hour. */
const REGISTER_AGAIN_MS = 15_000;

/** Work of another part that is done again and again. */
export interface Job {
  readonly everyMs: number;
  readonly work: () => Promise<void>;
}

/**
 * What goes on beside the requests. Returns how to stop it; nothing here ever ends the process. A sync that runs ends
 * early once `stop` says so.
 */
export function startJobs(
  { state, engine, targets, metrics, neverTouch, privileged }: Engines,
  scheduled: Pick<ScheduledSyncs, 'syncs' | 'look' | 'followed' | 'follow'>,
  stop: AbortSignal,
  more: readonly Job[] = [],
): () => Promise<void> {
  const { log, clock, directory } = state;
  const jobs = [
    repeat(RETRY_EVERY_MS, async () => {
      await engine.retryDue(RETRIES_AT_ONCE);
      metrics.retriesWaiting(await directory.retries.count());
    }),
    repeat(HOURLY_MS, () => engine.deleteDue()),
    repeat(HOURLY_MS, async () => {
      const before = new Date(clock.now() - KEEP_MS);
      await directory.decisions.prune(before);
      await directory.plans.prune(before);
      await directory.syncRuns.prune(before);
    }),
    ...more.map(({ everyMs, work }) => repeat(everyMs, work)),
    ...scheduled.syncs.map((sync) => repeat(LOOK_EVERY_MS, () => scheduled.look(sync, stop))),
    ...scheduled.followed.map((source) =>
      repeat(FOLLOW_EVERY_MS, () => scheduled.follow(source, stop), { againMs: FOLLOW_AGAIN_MS }),
    ),
    ...[...targets].flatMap(([name, { registrar }]) =>
      registrar === undefined
        ? []
        : [
            repeat(HOURLY_MS, () => registrar.ensure(AbortSignal.timeout(60_000)), {
              target: name,
              againMs: REGISTER_AGAIN_MS,
            }),
          ],
    ),
    ...[...targets].flatMap(([name, { target }]) =>
      target.prepare === undefined
        ? []
        : [
            repeat(HOURLY_MS, async () => target.prepare?.(AbortSignal.timeout(PREPARE_MS)), {
              target: name,
              againMs: REGISTER_AGAIN_MS,
            }),
          ],
    ),
  ];
  const isOurs = (target: string, account: ActualAccount): boolean =>
    !account.isProtected &&
    !neverTouch(account) &&
    !account.entitlements.some((entitlement) => privileged.includes(`${target}:${entitlementKey(entitlement)}`));
  const warnings = warnOfLostLedger();
  return async () => {
    await Promise.all(jobs.map((end) => end()));
    await warnings;
  };

  function repeat(
    everyMs: number,
    work: () => Promise<void>,
    options: { target?: string; againMs?: number } = {},
  ): () => Promise<void> {
    let stopped = false;
    let timer: NodeJS.Timeout | undefined;
    let running: Promise<void> = Promise.resolve();
    const run = async (): Promise<void> => {
      const failure = await work().then(() => undefined, toLatchgateError);
      if (failure !== undefined) report(failure, options.target);
      if (!stopped) schedule(failure === undefined ? everyMs : (options.againMs ?? everyMs));
    };
    const schedule = (delayMs: number): void => {
      timer = setTimeout(() => {
        running = run();
      }, delayMs);
      timer.unref();
    };
    schedule(0);
    return async () => {
      stopped = true;
      clearTimeout(timer);
      await running;
    };
  }

  function report(error: LatchgateError, target: string | undefined): void {
    log.warn('background work failed', { code: error.code, ...(target === undefined ? {} : { target }), error });
  }

  /** A sidecar without a volume forgets whose grants are whose; that must not go unseen. */
  async function warnOfLostLedger(): Promise<void> {
    for (const [name, { target }] of targets) {
      try {
        if ((await directory.accounts.count(name)) > 0) continue;
        const { accounts } = await target.read({ kind: 'all' }, AbortSignal.timeout(60_000));
        const people = accounts.filter((account) => isOurs(name, account)).length;
        if (people > 0)
          log.warn('nothing is remembered of a target that has accounts: first start, or was the state lost?', {
            target: name,
            accounts: people,
          });
      } catch (thrown) {
        log.debug('a target could not be read at the start', { target: name, code: toLatchgateError(thrown).code });
      }
    }
  }
}
