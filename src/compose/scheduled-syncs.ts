import type { Config } from '../config/schema.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Advisory } from '../ops/health.ts';
import { createHttpClient } from '../ops/http.ts';
import { newRequestId } from '../ops/request-id.ts';
import { annotate, inSpan } from '../ops/tracing.ts';
import { isScheduled } from '../sync/due.ts';
import { type RunEnd, type ScheduledSync, SyncSchedule } from '../sync/schedule.ts';
import { standingOf } from '../sync/standing.ts';
import type { Engines } from './engine.ts';
import { isShadow } from './shadow.ts';
import { composeFeed, hasFeed } from './sources.ts';
import type { ComposedSyncs } from './syncs.ts';

const SCHEDULER = 'scheduler';
/** From a change to the run: their lists lag behind, and changes come in crowds. */
const SETTLE_MS = 10_000;
const GOOD = ['applied', 'planned'] as const;

/** The syncs of the config that `serve` runs by itself. */
export interface ScheduledSyncs {
  readonly syncs: readonly ScheduledSync[];
  /** Runs this one if it is due. */
  look(sync: ScheduledSync, stop: AbortSignal): Promise<void>;
  /** The sources whose changes are followed. */
  readonly followed: readonly string[];
  /** Follows this one until the signal ends it, unless another instance does, and has its syncs run soon after a change. */
  follow(source: string, stop: AbortSignal): Promise<void>;
  /** Sets the metrics that all instances show alike, from the history. */
  measure(): Promise<void>;
  /** How each sync stands, by `sync:NAME`. */
  readonly advisories: Readonly<Record<string, Advisory>>;
  close(): Promise<void>;
}

export function composeScheduledSyncs(config: Config, engines: Engines): ScheduledSyncs {
  const { state, metrics } = engines;
  const { directory, clock, log } = state;
  let composed: Promise<ComposedSyncs> | undefined;
  const syncsOf = async (): Promise<ComposedSyncs> => {
    // What syncs and their sources need is loaded only where one is due. Whoever could not be composed is tried again.
    const compose = async () => (await import('./syncs.ts')).composeSyncs(config, engines);
    composed ??= compose().catch((thrown: unknown) => {
      composed = undefined;
      throw thrown;
    });
    return composed;
  };
  const schedule = new SyncSchedule({
    ...directory,
    clock,
    log,
    run: (name, stop) => inSpan('sync', { 'latchgate.sync': name }, () => run(name, stop)),
  });
  const entries = Object.entries(config.sync);
  const syncs = entries.flatMap(([name, sync]) => (isScheduled(sync) ? [{ ...sync, name }] : []));
  return {
    syncs,
    followed: [...new Set(syncs.map(({ from }) => from))].filter((name) => hasFeed(config.sources[name])),
    follow: async (source, stop) => {
      const own = syncs.filter(({ from }) => from === source);
      const onChange = async (): Promise<void> => {
        await Promise.all(own.map((sync) => schedule.hasten(sync, clock.now() + SETTLE_MS)));
      };
      await followSource(source, { config, engines, onChange }, stop);
    },
    look: (sync, stop) => schedule.look(sync, stop),
    measure: () => measure(Object.keys(config.sync), engines),
    advisories: Object.fromEntries(
      entries.map(([name, sync]) => [`sync:${name}`, () => standingOf(name, sync, { ...directory, clock })]),
    ),
    close: async () => (await composed?.catch(() => undefined))?.close(),
  };

  async function run(name: string, stop: AbortSignal): Promise<RunEnd> {
    const startedAt = clock.now();
    const ended = (outcome: string, code: string): void => {
      annotate('latchgate.outcome', outcome);
      annotate('latchgate.code', code);
      metrics.syncRun(name, outcome, code, (clock.now() - startedAt) / 1_000);
    };
    const requestId = newRequestId();
    log.info('a sync begins', { sync: name, requestId });
    try {
      const { syncs } = await syncsOf();
      const { applySync, reportSync } = await import('../sync/runs.ts');
      const deps = { ...directory, clock, syncs };
      const options = { actor: SCHEDULER, requestId };
      if (config.sync[name]?.do !== 'apply' || isShadow(config)) {
        const { plan, kept } = await reportSync(name, { ...options, signal: stop }, deps);
        ended(plan.brake === undefined ? 'planned' : 'held', plan.brake?.code ?? 'ok');
        log.info('a sync was planned', { sync: name, requestId, plan: kept?.id ?? plan.id, counts: plan.summary });
        return 'ended';
      }
      const { outcome, plan, kept, applied, failed, skipped } = await applySync(
        name,
        { ...options, approve: false, stop },
        deps,
      );
      ended(outcome, outcome === 'held' ? (plan.brake?.code ?? 'ok') : 'ok');
      const fields = {
        sync: name,
        requestId,
        outcome,
        plan: kept?.id ?? plan.id,
        counts: plan.summary,
        applied,
        failed,
        skipped,
      };
      if (outcome === 'held') log.warn('a sync is held until a person approves', { ...fields, why: plan.brake?.code });
      else log.info('a sync was applied', fields);
      return outcome === 'stopped' ? 'stopped' : 'ended';
    } catch (thrown) {
      if (stop.aborted) {
        ended('stopped', 'ok');
        return 'stopped';
      }
      ended('failed', toLatchgateError(thrown).code);
      throw thrown;
    }
  }
}

interface FollowParts {
  readonly config: Config;
  readonly engines: Engines;
  readonly onChange: () => Promise<void>;
}

async function followSource(
  name: string,
  { config, engines: { state, limiters }, onChange }: FollowParts,
  stop: AbortSignal,
): Promise<void> {
  const source = config.sources[name];
  const { directory, clock, log } = state;
  const http = createHttpClient({ readOnly: true, log, limiters });
  const { followChanges } = await import('../sync/following.ts');
  const feed = source && (await composeFeed({ name, config: source, http, clock, log, limiters }));
  try {
    if (feed !== undefined) await followChanges(name, { ...directory, clock, feed, onChange }, stop);
  } finally {
    await feed?.close();
    await http.close();
  }
}

async function measure(names: readonly string[], { state: { directory }, metrics }: Engines): Promise<void> {
  const waiting = await directory.plans.list(names.length * 2 + 100);
  for (const name of names) {
    const last = await directory.syncRuns.lastFinished(name);
    const good = await directory.syncRuns.lastFinished(name, GOOD);
    metrics.syncState(name, {
      ...(last?.finishedAt === undefined ? {} : { lastRunAt: last.finishedAt.getTime() / 1_000, counts: last.counts }),
      ...(good?.finishedAt === undefined ? {} : { lastSuccessAt: good.finishedAt.getTime() / 1_000 }),
      waiting: waiting.filter(({ sync, state }) => sync === name && (state === 'held' || state === 'saved')).length,
    });
  }
}
