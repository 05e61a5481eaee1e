import { toLatchgateError } from '../model/errors.ts';
import { type Clock, systemClock } from './clock.ts';

/** Resolves when the dependency can do its work, else throws. */
export type Probe = (signal: AbortSignal) => Promise<unknown>;

export interface ProbeResult {
  readonly ok: boolean;
  /** True: it is said, and does not count for readiness. */
  readonly advisory?: true;
  readonly code?: string;
  readonly reason?: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly checks: Readonly<Record<string, ProbeResult>>;
}

/** What is worth saying of something that people can do without: it says itself whether all is well. */
export type Advisory = (signal: AbortSignal) => Promise<Omit<ProbeResult, 'advisory'>>;

export interface ReadinessOptions {
  readonly probes: Readonly<Record<string, Probe>>;
  /** Stand among the checks, and never make the gateway unready. */
  readonly advisories?: Readonly<Record<string, Advisory>>;
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
  const { probes, advisories = {}, timeoutMs = 3_000, cacheMs = 2_000, clock = systemClock, closing } = options;
  let last: { readonly at: number; readonly result: Promise<Readiness> } | undefined;
  return () => {
    const now = clock.now();
    if (last === undefined || now - last.at >= cacheMs)
      last = { at: now, result: runAll(probes, advisories, timeoutMs) };
    return closing?.aborted === true ? last.result.then(stopping) : last.result;
  };
}

/** The same of a gateway that is stopping. */
export function stopping({ checks }: Readiness): Readiness {
  return { ready: false, checks: { ...checks, [STOPPING]: { ok: false, reason: 'the gateway is stopping' } } };
}

async function runAll(
  probes: Readonly<Record<string, Probe>>,
  advisories: Readonly<Record<string, Advisory>>,
  timeoutMs: number,
): Promise<Readiness> {
  const checked = Object.entries(probes).map(async ([name, probe]) => {
    const asked: Advisory = (signal) => probe(signal).then(() => ({ ok: true }));
    return [name, await runOne(asked, timeoutMs)] as const;
  });
  const advised = Object.entries(advisories).map(async ([name, advisory]) => {
    return [name, { ...(await runOne(advisory, timeoutMs)), advisory: true as const }] as const;
  });
  const checks = Object.fromEntries<ProbeResult>(await Promise.all([...checked, ...advised]));
  return { ready: areReady(checks), checks };
}

function areReady(checks: Readiness['checks']): boolean {
  return Object.values(checks).every(({ ok, advisory }) => ok || advisory === true);
}

async function runOne(ask: Advisory, timeoutMs: number): Promise<ProbeResult> {
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
      return await ask(controller.signal);
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
  return { ready: areReady(checks), checks };
}
