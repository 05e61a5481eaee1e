import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { availableParallelism } from 'node:os';
import { joinDeployment } from '../compose/deployment.ts';
import { composeEngine } from '../compose/engine.ts';
import { composeGateway, type Gateway, type GatewayPart } from '../compose/gateway.ts';
import { drain, listen } from '../compose/listener.ts';
import { composeLog, composeState } from '../compose/state.ts';
import { connectToPrimary } from '../compose/worker-link.ts';
import { createWorkers, type Workers } from '../compose/workers.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { lockForServing } from '../directory/serving-lock.ts';
import { type AdminOptions, createAdminApp } from '../ops/admin.ts';
import { mergeReadiness, stopping } from '../ops/health.ts';
import type { Log } from '../ops/log.ts';
import { type MetricValues, mergeMetrics, type RenderedMetrics } from '../ops/metrics.ts';
import { startTracing } from '../ops/tracing.ts';
import type { Io } from './io.ts';

/** The worker that also does what goes on beside the requests. */
const FIRST_WORKER = 1;

/**
 * `latchgate serve`: runs until SIGTERM or SIGINT, then lets open requests end. One log line `ready` names both
 * addresses. Exit code 0; 1 when workers die again and again; 2 for a config error, which is thrown as ConfigError.
 */
export async function serve(options: { readonly config: string }, io: Io): Promise<number> {
  if (cluster.isWorker) return serveAsWorker();
  const config = loadConfig(options.config, { env: io.env });
  const log = composeLog(config);
  const ended = untilSignal();
  const unlock = lockForServing(config.state.database);
  try {
    const count = config.workers === 'auto' ? availableParallelism() : config.workers;
    if (count === 1) await serveAlone(config, log, ended);
    else await serveWithWorkers(config, count, log, ended);
  } finally {
    unlock();
  }
  log.info('stopped');
  return 0;
}

async function serveAlone(config: Config, log: Log, ended: Promise<NodeJS.Signals>): Promise<void> {
  await withGateway(config, log, {}, async (gateway) => {
    const addresses = await gateway.listen();
    log.info('ready', { ...addresses, publicUrl: config.public_url });
    log.info('stopping', { signal: await ended });
  });
}

/** The primary holds nothing but the admin listener: what serves can die and be replaced. */
async function serveWithWorkers(
  config: Config,
  count: number,
  log: Log,
  ended: Promise<NodeJS.Signals>,
): Promise<void> {
  const state = await composeState(config, log);
  await joinDeployment(config, state).finally(() => state.close());
  const workers = createWorkers(config, count, log);
  const closing = new AbortController();
  const admin = adminOf(workers, closing.signal);
  const console =
    config.operators === undefined
      ? undefined
      : await (await import('../compose/console.ts')).composeLoneConsole(config, log, admin.readiness);
  const pages =
    console === undefined
      ? {}
      : { console: console.handler, metrics: async () => metricsOf(workers, await console.counted()) };
  const adminServer = createServer(createAdminApp({ ...admin, ...pages }));
  const run = async (): Promise<never> => {
    const address = await workers.start();
    const adminAddress = await listen(adminServer, config.admin_listen);
    log.info('ready', { public: address, admin: adminAddress, publicUrl: config.public_url, workers: count });
    return workers.givenUp;
  };
  try {
    log.info('stopping', { signal: await Promise.race([run(), ended]) });
  } finally {
    closing.abort();
    await workers.stop();
    await drain(adminServer);
    await console?.close();
  }
}

function adminOf(workers: Workers, closing: AbortSignal): AdminOptions {
  return {
    isAlive: async () => closing.aborted || (await workers.areAlive()),
    readiness: async () => {
      const merged = mergeReadiness(await workers.ask('readiness'));
      return closing.aborted ? stopping(merged) : merged;
    },
    metrics: () => metricsOf(workers),
  };
}

/** `own`: what the primary has counted. */
async function metricsOf(workers: Workers, own: MetricValues = []): Promise<RenderedMetrics> {
  const theirs = (await workers.ask('metrics')).flatMap(([, values]) => [values ?? []]);
  return mergeMetrics([...theirs, own]);
}

/** In a worker: everything but the admin listener, until the primary says stop. */
async function serveAsWorker(): Promise<number> {
  const primary = connectToPrimary();
  const ended = untilSignal();
  try {
    const task = await Promise.race([primary.task, primary.stop]);
    if (task === undefined) return 0;
    const { worker, config } = task;
    const part = { admin: false, jobs: worker === FIRST_WORKER };
    await withGateway(config, composeLog(config, undefined, { worker }), part, async (gateway) => {
      const { public: address } = await gateway.listen();
      primary.ready(address, { alive: async () => true, readiness: gateway.readiness, metrics: gateway.metrics });
      await Promise.race([primary.stop, ended]);
    });
    return 0;
  } catch (thrown) {
    primary.failed(thrown);
    return 1;
  } finally {
    primary.leave();
  }
}

async function withGateway(
  config: Config,
  log: Log,
  part: GatewayPart,
  work: (gateway: Gateway) => Promise<void>,
): Promise<void> {
  // The packages read the environment of the process, whatever others are handed.
  const stopTracing = await startTracing(process.env, log);
  const state = await composeState(config, log).catch(async (thrown: unknown) => {
    await stopTracing();
    throw thrown;
  });
  try {
    // For its workers the primary has done so.
    if (part.admin !== false) await joinDeployment(config, state);
    const engines = composeEngine(config, state);
    const gateway = await composeGateway(config, engines, part);
    try {
      await work(gateway);
    } finally {
      await gateway.close();
      await engines.close();
    }
  } finally {
    await state.close();
    await stopTracing();
  }
}

function untilSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve(signal));
  });
}
