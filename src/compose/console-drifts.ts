import type { Config } from '../config/schema.ts';
import type { ConsoleDrifts } from '../console/deps.ts';
import type { DriftReport } from '../drift/drift.ts';
import type { Drifts } from '../drift/drifts.ts';
import { composeDrifts } from './drift.ts';
import { rememberDrift, seenDrift } from './drift-seen.ts';
import type { Engines } from './engine.ts';
import { isShadow } from './shadow.ts';

const LONGEST_MS = 10 * 60_000;

export interface ComposedConsoleDrifts extends ConsoleDrifts {
  /** What is being read or written ends early. */
  close(): Promise<void>;
}

/** Drift for the operators' page. However many ask at once, a target is read for all of them together. */
export function composeConsoleDrifts(config: Config, engines: Engines): ComposedConsoleDrifts {
  const stop = new AbortController();
  const running = new Set<Promise<unknown>>();
  const reading = new Map<string, Promise<DriftReport>>();
  const work = async <Result>(use: (drifts: Drifts, signal: AbortSignal) => Promise<Result>): Promise<Result> => {
    const { drifts, close } = await composeDrifts(config, engines);
    try {
      return await use(drifts, AbortSignal.any([stop.signal, AbortSignal.timeout(LONGEST_MS)]));
    } finally {
      await close();
    }
  };
  const tracked = async <Result>(run: Promise<Result>): Promise<Result> => {
    running.add(run);
    try {
      return await run;
    } finally {
      running.delete(run);
    }
  };
  return {
    targets: [...engines.targets.keys()],
    isShadow: isShadow(config),
    review: (target) => {
      const known = reading.get(target);
      if (known !== undefined) return known;
      const review = async (drifts: Drifts, signal: AbortSignal): Promise<DriftReport> => {
        const report = await drifts.review(target, signal);
        await rememberDrift(engines.state.directory, report);
        return report;
      };
      const run = tracked(work(review)).finally(() => reading.delete(target));
      reading.set(target, run);
      return run;
    },
    seen: async () => {
      const seen = await seenDrift(engines.state.directory);
      return seen.filter(({ target }) => engines.targets.has(target));
    },
    adopt: ({ target, key, ...by }) =>
      tracked(work((drifts, signal) => drifts.adopt({ target, which: [key], ...by, signal }))),
    repair: ({ target, key, ...by }) =>
      tracked(work((drifts, signal) => drifts.repair({ target, which: [key], ...by, signal }))),
    close: async () => {
      stop.abort();
      await Promise.allSettled(running);
    },
  };
}
