import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, freePort, startChild, waitUntil } from './child.ts';
import { portSettings, REDIS_PASSWORD, type RunningRedis, redisCli, startRedis } from './redis.ts';
import type { Certificates } from './tls.ts';

const MASTER = 'sessions';
const QUORUM = 2;
const READY_TIMEOUT_MS = 30_000;

export type RunningSentinels = {
  readonly name: string;
  /** `host:port` of each sentinel. */
  readonly addresses: readonly string[];
  readonly servers: readonly RunningRedis[];
  /** The server that the sentinels name as the master now. */
  master(): Promise<RunningRedis>;
  stop(): Promise<void>;
};

/** One master, two replicas and three sentinels, which take half a second without an answer for its end. */
export async function startSentinels(options: { readonly tls?: Certificates } = {}): Promise<RunningSentinels> {
  const { tls } = options;
  const first = await startRedis(options);
  const settings = [`replicaof 127.0.0.1 ${first.port}`];
  const servers = [first, await startRedis({ ...options, settings }), await startRedis({ ...options, settings })];
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-sentinel-'));
  const sentinels: { port: number; child: Child }[] = [];
  for (let at = 0; at < 3; at += 1) {
    const port = await freePort();
    sentinels.push({ port, child: startSentinel(folder, port, first.port, tls) });
  }
  const ask = (...args: readonly string[]) => redisCli(sentinels[0]?.port ?? 0, args, tls);
  for (const { child, port } of sentinels) {
    await waitUntil(child, READY_TIMEOUT_MS, () => knowsAll(port, tls));
  }
  return {
    name: MASTER,
    addresses: sentinels.map(({ port }) => `127.0.0.1:${port}`),
    servers,
    master: async () => {
      const [, port] = (await ask('sentinel', 'get-master-addr-by-name', MASTER)).split('\n');
      const server = servers.find((one) => String(one.port) === port);
      if (server === undefined) throw new Error(`the sentinels name a master on port ${port}`);
      return server;
    },
    stop: async () => {
      await Promise.all(sentinels.map(({ child }) => child.stop({ graceMs: 2_000 })));
      await Promise.all(servers.map((server) => server.stop()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function startSentinel(folder: string, port: number, masterPort: number, tls: Certificates | undefined): Child {
  const file = join(folder, `${port}.conf`);
  const lines = [
    ...portSettings(port, tls),
    'bind 127.0.0.1',
    `dir ${folder}`,
    `requirepass "${REDIS_PASSWORD}"`,
    `sentinel sentinel-pass "${REDIS_PASSWORD}"`,
    `sentinel monitor ${MASTER} 127.0.0.1 ${masterPort} ${QUORUM}`,
    `sentinel auth-pass ${MASTER} "${REDIS_PASSWORD}"`,
    `sentinel down-after-milliseconds ${MASTER} 500`,
    `sentinel failover-timeout ${MASTER} 2000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return startChild('redis-sentinel', ['redis-sentinel', file], { cwd: folder });
}

/** A sentinel that has not met the others and the replicas cannot fail over. */
async function knowsAll(port: number, tls: Certificates | undefined): Promise<boolean> {
  try {
    const known = await redisCli(port, ['sentinel', 'master', MASTER], tls);
    const fields = known.split('\n');
    const value = (name: string) => fields[fields.indexOf(name) + 1];
    if (value('num-slaves') === '2' && value('num-other-sentinels') === '2' && value('flags') === 'master') return true;
  } catch {
    // Not up yet.
  }
  await sleep(50);
  return false;
}
