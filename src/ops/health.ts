import { toLatchgateError } from '../model/errors.ts';
import { type Clock, systemClock } from './clock.ts';

/** Resolves when the dependency can do its work, else throws. */
export type Probe = (signal: AbortSignal) => Promise<unknown>;

export interface ProbeResult {
  readonly ok: boolean;
  readonly code?: string;
  readonly reason?: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, ProbeResult>>;
}

export interface ReadinessOptions {
  readonly probes: Readonly<Record<string, Probe>>;
  /** For each probe; default 3 s. */
  readonly timeoutMs?: number;
  /** How long an answer stands; default 2 s, so that pollers cannot load the dependencies. */
  readonly cacheMs?: number;
  readonly clock?: Clock;
  /** From then on nothing is ready: a check of its own says so. */
  readonly closing?: AbortSignal;
}

/** Name of the check that is there, and fails, once the gateway is stopping. */
export const STOPPING = 'stopping';

/** Readiness out of named probes, which run at the same time. Callers at once share one run; never throws. */
export function createReadiness(options: ReadinessOptions): () => Promise<Readiness> {
  const { probes, timeoutMs = 3_000, cacheMs = 2_000, clock = systemClock, closing } = options;
  let last: { readonly at: number; readonly result: Promise<Readiness> } | undefined;
  return () => {
    const now = clock.now();
    if (last === undefined || now - last.at >= cacheMs) last = { at: now, result: runAll(probes, timeoutMs) };
    return closing?.aborted === true ? last.result.then(stopping) : last.result;
  };
}

/** The same of a gateway that is stopping. */
export function stopping({ checks }: Readiness): Readiness {
  return { ready: false, checks: { ...checks, [STOPPING]: { ok: false, reason: 'the gateway is stopping' } } };
}

async function runAll(probes: Readonly<Record<string, Probe>>, timeoutMs: number): Promise<Readiness> {
  const results = await Promise.all(
    Object.entries(probes).map(async ([name, probe]) => [name, await runOne(probe, timeoutMs)] as const),
  );
  return { ready: results.every(([, result]) => result.ok), checks: Object.fromEntries(results) };
}

async function runOne(probe: Probe, timeoutMs: number): Promise<ProbeResult> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooSlow = new Promise<ProbeResult>((resolve) => {
    timer = setTimeout(() => {
      controller.abort();
      resolve({ ok: false, code: 'timeout', reason: `no answer within ${timeoutMs} ms` });
    }, timeoutMs);
  });
  const answer = (async (): Promise<ProbeResult> => {
    try {
      await probe(controller.signal);
      return { ok: true };
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      return { ok: false, code: error.code, reason: error.message };
    }
  })();
  try {
    return await Promise.race([answer, tooSlow]);
  } finally {
    clearTimeout(timer);
  }
}

/** What one of several workers says of itself; undefined: it did not answer. */
export type WorkerReadiness = readonly [worker: string, readiness: Readiness | undefined];

/**
 * Ready when every worker is. Of each check the worst answer stands there, and `workers` says who did not answer.
 */
export function mergeReadiness(workers: readonly WorkerReadiness[]): Readiness {
  const checks: Record<string, ProbeResult> = {};
  for (const [worker, readiness] of workers) {
    for (const [name, result] of Object.entries(readiness?.checks ?? {})) {
      if (result.ok) checks[name] ??= result;
      else if (checks[name]?.ok !== false)
        checks[name] = { ...result, reason: `worker ${worker}: ${result.reason ?? ''}` };
    }
  }
  const silent = workers.filter(([, readiness]) => readiness === undefined).map(([worker]) => worker);
  checks['workers'] =
    silent.length === 0 ? { ok: true } : { ok: false, reason: `no answer of worker ${silent.join(', ')}` };
  return { ready: Object.values(checks).every(({ ok }) => ok), checks };
}
