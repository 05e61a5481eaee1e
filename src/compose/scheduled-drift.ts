import type { Config } from '../config/schema.ts';
import type { DriftReport } from '../drift/drift.ts';
import type { driftCounts } from '../drift/render.ts';
import { LatchgateError, toLatchgateError } from '../model/errors.ts';
import { createHttpClient } from '../ops/http.ts';
import type { ComposedDrifts } from './drift.ts';
import { rememberDrift } from './drift-seen.ts';
import type { Engines } from './engine.ts';
import type { Job } from './jobs.ts';

const LOOK_EVERY_MS = 2_000;
const WEBHOOK_ROWS = 100;
/** What the last review found, for the metrics of every instance. */
const LAST = 'drift last review';

interface Last {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly counts: ReturnType<typeof driftCounts>;
}

/** The reviews that `serve` does by itself. */
export interface ScheduledDrift {
  readonly jobs: readonly Job[];
  /** Sets the metrics that all instances show alike. */
  measure(): Promise<void>;
  close(): Promise<void>;
}

/** `stop` ends a review under way: it is left to the next start. */
export function composeScheduledDrift(config: Config, engines: Engines, stop: AbortSignal): ScheduledDrift {
  const { state, metrics } = engines;
  const { directory, clock, log } = state;
  const { every } = config.drift;
  const http = createHttpClient({ log });
  let composed: Promise<ComposedDrifts> | undefined;
  const review = async (): Promise<void> => {
    // Here, so that it takes memory only where somebody wants it.
    const compose = async () => (await import('./drift.ts')).composeDrifts(config, engines);
    composed ??= compose().catch((thrown: unknown) => {
      composed = undefined;
      throw thrown;
    });
    const { drifts } = await composed;
    const names = config.drift.targets.length === 0 ? Object.keys(config.targets) : config.drift.targets;
    const reports: DriftReport[] = [];
    for (const name of names) {
      try {
        const report = await drifts.review(name, stop);
        reports.push(report);
        await rememberDrift(directory, report);
      } catch (thrown) {
        // One that is down keeps nobody from hearing of the others.
        if (!stop.aborted)
          log.warn('a target could not be compared', { target: name, code: toLatchgateError(thrown).code });
      }
    }
    if (stop.aborted || reports.length === 0) return;
    await tell(reports);
  };
  const tell = async (reports: readonly DriftReport[]): Promise<void> => {
    const { driftCounts } = await import('../drift/render.ts');
    const counts = reports.flatMap(driftCounts);
    const last: Last = { at: clock.now(), counts };
    await directory.values.swap(LAST, await directory.values.get(LAST), JSON.stringify(last));
    const fields = { targets: reports.flatMap(({ targets }) => targets.map(({ target }) => target)), counts };
    if (counts.length === 0) return log.info('targets were compared with what is known', fields);
    log.warn('targets were compared with what is known, and differ', fields);
    if (config.drift.webhook !== undefined) await send(config.drift.webhook, last, reports);
  };
  const send = async (url: string, { at, counts }: Last, reports: readonly DriftReport[]): Promise<void> => {
    const rows = reports.flatMap((one) => one.rows).slice(0, WEBHOOK_ROWS);
    const shown = rows.map(({ key, kind, target, account, privileged, seen }) => ({
      key,
      kind,
      target,
      account,
      privileged,
      seen,
    }));
    const json = {
      type: 'latchgate.drift',
      at: new Date(at).toISOString(),
      gateway: config.public_url,
      counts,
      rows: shown,
    };
    const { status } = await http.send({ method: 'POST', url: new URL(url), json, signal: stop });
    if (status < 200 || status > 299) {
      throw new LatchgateError('webhook_refused', 'the webhook did not take the review', { detail: { status } });
    }
  };
  return {
    jobs:
      every === undefined
        ? []
        : [
            {
              everyMs: Math.min(every, LOOK_EVERY_MS),
              work: async () => {
                // Whoever asks first has it: one instance for each span of time, whenever it was started.
                const now = clock.now();
                const span = Math.floor(now / every);
                if (await directory.leases.once('drift', String(span), new Date((span + 2) * every))) await review();
              },
            },
          ],
    measure: async () => {
      const text = await directory.values.get(LAST);
      if (text === undefined) return;
      const { at, counts } = JSON.parse(text) as Last;
      metrics.drift(at / 1_000, counts);
    },
    close: async () => {
      await (await composed?.catch(() => undefined))?.close();
      await http.close();
    },
  };
}
