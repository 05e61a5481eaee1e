import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './child.ts';
import { type RunningRedis, startRedis } from './redis.ts';
import type { Certificates } from './tls.ts';

const SLOTS = 16_384;
const READY_TIMEOUT_MS = 30_000;

export type RunningCluster = {
  /** The masters at the beginning, then the replicas. */
  readonly nodes: readonly RunningRedis[];
  /** Every node says that all slots are served. */
  isWhole(): Promise<boolean>;
  /** Waits until it is so. */
  whole(): Promise<void>;
  /** The node that serves a key now. */
  nodeOf(key: string): Promise<RunningRedis>;
  stop(): Promise<void>;
};

export type ClusterOptions = {
  /** One replica for each master. Default false. */
  readonly replicas?: boolean;
  readonly durable?: boolean;
  readonly tls?: Certificates;
};

/** A cluster of three masters, each with a third of the slots. */
export async function startCluster({ replicas = false, ...options }: ClusterOptions = {}): Promise<RunningCluster> {
  const buses: number[] = [];
  const nodes: RunningRedis[] = [];
  for (let at = 0; at < (replicas ? 6 : 3); at += 1) {
    const bus = await freePort();
    buses.push(bus);
    const settings = ['cluster-enabled yes', `cluster-port ${bus}`, 'cluster-node-timeout 1000'];
    nodes.push(await startRedis({ ...options, settings }));
  }
  const masters = nodes.slice(0, 3);
  for (const [at, master] of masters.entries()) {
    const from = Math.floor((at * SLOTS) / 3);
    const to = Math.floor(((at + 1) * SLOTS) / 3) - 1;
    await master.command('cluster', 'addslotsrange', String(from), String(to));
    await master.command('cluster', 'set-config-epoch', String(at + 1));
  }
  for (const [at, node] of nodes.slice(1).entries()) {
    await nodes[0]?.command('cluster', 'meet', '127.0.0.1', String(node.port), String(buses[at + 1]));
  }
  const isWhole = async () => {
    const states = await Promise.all(nodes.map((node) => node.command('cluster', 'info').catch(() => '')));
    return states.every(
      (state) => state.includes('cluster_state:ok') && state.includes(`cluster_known_nodes:${nodes.length}`),
    );
  };
  const whole = () => until('the cluster to serve every slot', isWhole);
  await whole();
  for (const [at, replica] of nodes.slice(3).entries()) {
    const id = await masters[at]?.command('cluster', 'myid');
    await until('a replica', () => replica.command('cluster', 'replicate', id ?? '').then((said) => said === 'OK'));
    await until('its data', async () => (await replica.command('info', 'replication')).includes('link_status:up'));
  }
  return {
    nodes,
    isWhole,
    whole,
    nodeOf: (key) => nodeOf(nodes, key),
    stop: async () => {
      await Promise.all(nodes.map((node) => node.stop()));
    },
  };
}

async function nodeOf(nodes: readonly RunningRedis[], key: string): Promise<RunningRedis> {
  for (const node of nodes) {
    const answer = await node.command('type', key).catch(() => 'MOVED');
    if (!answer.includes('MOVED') && (await node.command('role')).startsWith('master')) return node;
  }
  throw new Error(`no node serves ${key}`);
}

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + READY_TIMEOUT_MS;
  while (!(await probe().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await sleep(100);
  }
}
