import type { Config } from '../config/schema.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import type { Metrics } from '../ops/metrics.ts';
import type { Shadowed } from '../provisioning/runs.ts';
import type { ProxyTarget } from '../proxy/deps.ts';
import type { Adoption, Syncs } from '../sync/sync.ts';

/** Of the connections to a backend one in so many may be taken by public requests. */
const PUBLIC_SHARE = 4;
/** Of no headers: nothing of it runs out. */
const VALID_FOR_S = 3_600;

/** Tells what would have been done: a line in the log without values, and a metric. */
export function shadowing(log: Pick<Log, 'info'>, metrics: Pick<Metrics, 'shadowed'>): (shadowed: Shadowed) => void {
  return ({ person, target, requestId, changes, held, code }) => {
    for (const { op } of changes) metrics.shadowed(target, op);
    for (const _held of held) metrics.shadowed(target, 'held');
    const counts = Object.fromEntries(
      [...new Set(changes.map(({ op }) => op))].map((op) => [op, changes.filter((one) => one.op === op).length]),
    );
    const why = code === undefined ? {} : { code };
    log.info('shadow mode: this would be done', { target, person, requestId, counts, held: held.length, ...why });
  };
}

/**
 * The backend as it is without us: who is signed in there is its own to say, and all that browsers send arrives, their
 * cookies and Authorization too. But what says who somebody is by its mere name still comes from nobody.
 */
export function asItIs({ name, url, host, signIn, timeouts }: ProxyTarget): ProxyTarget {
  const drop = (signIn?.drop ?? []).filter((header) => header.toLowerCase() !== 'authorization');
  return {
    name,
    url,
    ...(host === undefined ? {} : { host }),
    signIn: { headers: async () => ({ set: {}, validForSeconds: VALID_FOR_S }), drop },
    ...(timeouts === undefined ? {} : { timeouts: forAll(timeouts) }),
  };
}

/** Public requests get a quarter of the connections, and here all are public: as many as the config says are for them. */
function forAll(timeouts: NonNullable<ProxyTarget['timeouts']>): NonNullable<ProxyTarget['timeouts']> {
  const { connections } = timeouts;
  return connections === undefined ? timeouts : { ...timeouts, connections: connections * PUBLIC_SHARE };
}

/** Syncs and adoption that plan, and refuse all else. */
export function planningOnly<T extends { readonly syncs: Syncs; readonly adoption: Adoption }>(commands: T): T {
  const refuse = async (): Promise<never> => {
    throw new LatchgateError('shadow_mode', 'in shadow mode nothing is written, and nothing is ours');
  };
  return {
    ...commands,
    syncs: { plan: (name: string, signal: AbortSignal) => commands.syncs.plan(name, signal), apply: refuse },
    adoption: {
      plan: (target: string | undefined, signal: AbortSignal) => commands.adoption.plan(target, signal),
      apply: refuse,
    },
  };
}

export function isShadow({ mode }: Pick<Config, 'mode'>): boolean {
  return mode === 'shadow';
}
