import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisSessions } from '../../src/session/redis.ts';
import type { RedisServers } from '../../src/session/schema.ts';
import { newSessionId, sessionHandle } from '../../src/session/seal.ts';
import type { PrunedSessions } from '../../src/session/store.ts';
import { testServers } from '../conformance/redis-sessions.ts';
import { exampleSession } from '../conformance/session-store.ts';
import { REDIS_PASSWORD, type RunningRedis } from '../services/redis.ts';
import { startCluster } from '../services/redis-cluster.ts';
import { startSentinels } from '../services/redis-sentinel.ts';

const IDLE_MS = 60 * 60_000;
const SESSIONS = 200;
const WORKERS = 20;
/** A second, and what a busy machine adds to it. */
const SEEN_WITHIN_MS = 1_500;
/** Until the ends that may have been lost with a server were written again. */
const SAID_AGAIN_MS = 16_000;
const RECOVERY_LIMIT_MS = 30_000;
const SLOTS_AT_ONCE = 1_000;

interface Report {
  readonly served: number;
  readonly refused: number;
  readonly logouts: number;
  /** Between the first request that was refused and the last. */
  readonly outageMs: number;
  readonly letInAfterLogout: number;
  readonly otherErrors: readonly unknown[];
  /** Of those who were there all the time and are not any more. */
  readonly lost: number;
}

/** Two instances with people who work, log in and log out, while something happens to the servers. */
async function underLoad(
  servers: RedisServers,
  happen: () => Promise<void>,
  settleMs = SAID_AGAIN_MS,
): Promise<Report> {
  const stores = [1, 2].map(() => createRedisSessions(servers, { clock: { now: () => Date.now() } }));
  const [here, there] = stores as [PrunedSessions, PrunedSessions];
  const ids = Array.from({ length: SESSIONS }, newSessionId);
  for (const id of ids) await here.save(id, exampleSession(Date.now()), IDLE_MS);
  const loggedOut = new Map<string, number>();
  const counts = { served: 0, refused: 0, letInAfterLogout: 0 };
  const refusedAt: number[] = [];
  const otherErrors: unknown[] = [];
  let isOver = false;
  const ask = async (work: () => Promise<void>) => {
    try {
      await work();
      counts.served += 1;
    } catch (error) {
      if ((error as { code?: string }).code !== 'session_store_unavailable') otherErrors.push(error);
      counts.refused += 1;
      refusedAt.push(performance.now());
    }
  };
  const look = async (id: string) => {
    const out = loggedOut.get(id);
    const isOut = out !== undefined && performance.now() - out > SEEN_WITHIN_MS;
    const store = Math.random() < 0.5 ? here : there;
    if ((await store.load(id)) === undefined) return;
    await store.touch(id, IDLE_MS);
    if (isOut) counts.letInAfterLogout += 1;
  };
  const work = async () => {
    while (!isOver) {
      await ask(() => look(pick(ids)));
      const out = [...loggedOut.keys()];
      if (out.length > 0) await ask(() => look(pick(out)));
      await sleep(5);
    }
  };
  const logInAndOut = async () => {
    while (!isOver) {
      const id = newSessionId();
      await ask(async () => {
        await here.save(id, exampleSession(Date.now()), IDLE_MS);
        await there.load(id);
        await here.destroy(id);
        loggedOut.set(id, performance.now());
      });
      await sleep(10);
    }
  };
  const workers = [...Array.from({ length: WORKERS }, work), logInAndOut(), logInAndOut()];
  await sleep(1_000);
  await happen();
  await recovered(stores, ids);
  await sleep(settleMs);
  counts.letInAfterLogout += await stillIn(servers, [...loggedOut.keys()]);
  isOver = true;
  await Promise.all(workers);
  const lost = await missing(here, ids);
  await Promise.all(stores.map((store) => store.close()));
  const outageMs = Math.round((refusedAt.at(-1) ?? 0) - (refusedAt[0] ?? 0));
  return { ...counts, logouts: loggedOut.size, outageMs, otherErrors, lost };
}

function pick(ids: readonly string[]): string {
  return ids[Math.floor(Math.random() * ids.length)] ?? '';
}

async function recovered(stores: readonly PrunedSessions[], ids: readonly string[]): Promise<void> {
  const deadline = performance.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    const answers = await Promise.allSettled(
      stores.flatMap((store) => [store.probe(), ...ids.map((id) => store.loadWhole(id))]),
    );
    if (answers.every(({ status }) => status === 'fulfilled')) return;
    if (performance.now() > deadline) throw new Error('the store was not found again');
    await sleep(100);
  }
}

/** As an instance sees it that is new, and has heard of nothing. */
async function stillIn(servers: RedisServers, ids: readonly string[]): Promise<number> {
  const store = createRedisSessions(servers, { clock: { now: () => Date.now() } });
  const found = await present(store, ids);
  await store.close();
  return found;
}

async function missing(store: PrunedSessions, ids: readonly string[]): Promise<number> {
  return ids.length - (await present(store, ids));
}

/** One after the other, and again while the store does not answer: what counts is who is there, not how fast that is said. */
async function present(store: PrunedSessions, ids: readonly string[]): Promise<number> {
  let found = 0;
  for (const id of ids) if ((await answerOf(store, id)) !== undefined) found += 1;
  return found;
}

async function answerOf(store: PrunedSessions, id: string): Promise<unknown> {
  const deadline = performance.now() + RECOVERY_LIMIT_MS;
  for (;;) {
    try {
      return await store.loadWhole(id);
    } catch (thrown) {
      if (performance.now() > deadline) throw thrown;
      await sleep(50);
    }
  }
}

function expectSafe(name: string, report: Report): void {
  console.info(`${name}: ${JSON.stringify(report)}`);
  expect(report.otherErrors).toEqual([]);
  expect(report.letInAfterLogout).toBe(0);
  expect(report.lost).toBe(0);
  expect(report.served).toBeGreaterThan(1_000);
  expect(report.logouts).toBeGreaterThan(10);
}

it('Sentinel: the master is killed, and another leads', async () => {
  const sentinels = await startSentinels();
  const more = { master: sentinels.name, sentinelPassword: REDIS_PASSWORD };
  const servers = testServers('sentinel', sentinels.addresses, more);
  const report = await underLoad(servers, async () => {
    const master = await sentinels.master();
    await master.kill9();
  });
  expectSafe('Sentinel, kill -9 of the master', report);
  await sentinels.stop();
});

it('Sentinel: the master hangs, and another leads', async () => {
  const sentinels = await startSentinels();
  const more = { master: sentinels.name, sentinelPassword: REDIS_PASSWORD };
  const servers = testServers('sentinel', sentinels.addresses, more);
  const report = await underLoad(servers, async () => {
    const master = await sentinels.master();
    master.signal('SIGSTOP');
    while ((await sentinels.master()) === master) await sleep(100);
    await sleep(3_000);
    master.signal('SIGCONT');
  });
  expectSafe('Sentinel, a master that hangs', report);
  await sentinels.stop();
});

it('Cluster: a master is killed, and its replica leads', async () => {
  const cluster = await startCluster({ replicas: true });
  const servers = testServers(
    'cluster',
    cluster.nodes.map((node) => node.address),
  );
  const report = await underLoad(servers, async () => {
    await (await cluster.nodeOf('latchgate:events')).kill9();
  });
  expectSafe('Cluster, kill -9 of the master of the events', report);
  await cluster.stop();
});

it('Cluster: a node that is killed comes back with its sessions', async () => {
  const cluster = await startCluster({ durable: true });
  const servers = testServers(
    'cluster',
    cluster.nodes.map((node) => node.address),
  );
  const come = async () => {
    const node = await cluster.nodeOf(`latchgate:{${sessionHandle(newSessionId())}}:s`);
    await node.kill9();
    await sleep(4_000);
    await node.start();
    await cluster.whole();
  };
  const report = await underLoad(servers, come, 2_000);
  expectSafe('Cluster, kill -9 of a node and its return', report);
  await cluster.stop();
});

it('Cluster: the slots of a node move to others, with the sessions and the events in them', async () => {
  const cluster = await startCluster();
  const [first] = cluster.nodes as [RunningRedis];
  const addresses = cluster.nodes.map((node) => node.address);
  const move = async () => {
    const from = await cluster.nodeOf('latchgate:events');
    const to = cluster.nodes.find((node) => node !== from) as RunningRedis;
    const [source = '', target = ''] = await Promise.all([from, to].map((node) => node.command('cluster', 'myid')));
    const steps = ['--cluster-from', source, '--cluster-to', target, '--cluster-slots', String(SLOTS_AT_ONCE)];
    // Until it has none: where the events are is not ours to choose.
    while ((await cluster.nodeOf('latchgate:events')) === from) {
      await first.command('--cluster', 'reshard', first.address, ...steps, '--cluster-yes');
    }
  };
  const report = await underLoad(testServers('cluster', addresses), move, 2_000);
  expectSafe('Cluster, slots that move', report);
  // Whoever asked the former node was told of the other one.
  expect(report.refused).toBe(0);
  await cluster.stop();
});
