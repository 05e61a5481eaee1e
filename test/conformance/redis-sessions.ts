import { Cluster, Redis } from 'ioredis';
import { createRedisSessions } from '../../src/session/redis.ts';
import type { RedisServers } from '../../src/session/schema.ts';
import { newSessionId } from '../../src/session/seal.ts';
import type { PrunedSessions } from '../../src/session/store.ts';
import { REDIS_PASSWORD } from '../services/redis.ts';
import type { SessionStoreHarness } from './session-store.ts';
import { TestClock } from './state.ts';

const SHIFT = `
for _, key in ipairs(redis.call('KEYS', '*')) do
  local left = redis.call('PTTL', key)
  if left >= 0 then redis.call('PEXPIRE', key, left - tonumber(ARGV[1])) end
end`;

/** Looks into the servers beside the store. */
export interface RedisInspector {
  flush(): Promise<void>;
  /** Everything that is there, by key. */
  contents(): Promise<Record<string, unknown>>;
  /** Lets every key expire so much earlier. */
  shift(ms: number): Promise<void>;
  /** Puts a hash back as it was. */
  restore(key: string, fields: Readonly<Record<string, string>>): Promise<void>;
  /** As if another instance had said it. */
  say(...fields: readonly string[]): Promise<void>;
  close(): void;
}

/** A password as it stands in the servers of the tests. */
export function testServers(
  kind: RedisServers['kind'],
  addresses: readonly string[],
  more: Partial<RedisServers> = {},
): RedisServers {
  const nodes = addresses.map((address) => {
    const [host = '', port] = address.split(':');
    return { host, port: Number(port) };
  });
  return { kind, nodes, tls: false, database: 0, password: REDIS_PASSWORD, ...more };
}

const closing: Promise<void>[] = [];

/** When every instance of the tests so far is gone. */
export async function storesClosed(): Promise<void> {
  await Promise.all(closing.splice(0));
}

/** The store on running servers, emptied before, as the suite of all stores wants it. */
export async function redisHarness(servers: RedisServers): Promise<SessionStoreHarness> {
  const clock = new TestClock();
  const inspector = inspectRedis(servers);
  await inspector.flush();
  const stores: { readonly store: PrunedSessions; readonly heard: Set<string> }[] = [];
  /** Events come in order: who has heard the last has heard all. */
  const heardByAll = async () => {
    const last = newSessionId();
    await inspector.say('ended', last);
    for (const { heard } of stores) {
      while (!heard.has(last)) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return {
    open: async () => {
      const store = createRedisSessions(servers, { clock });
      const heard = new Set<string>();
      store.onEnded((handle) => heard.add(handle));
      stores.push({ store, heard });
      return store;
    },
    now: () => clock.now(),
    fastForward: async (ms) => {
      clock.fastForward(ms);
      await inspector.shift(ms);
      if (ms >= 1_000) await heardByAll();
    },
    dump: async () => JSON.stringify(await inspector.contents()),
    dispose: async () => {
      // Not waited for here: a read that is under way blocks for a moment.
      for (const { store } of stores) closing.push(store.close());
      inspector.close();
    },
  };
}

export function inspectRedis(servers: RedisServers): RedisInspector {
  const client = connect(servers);
  const nodes = async () => {
    if (client instanceof Redis) return [client];
    if (client.status !== 'ready') await new Promise((resolve) => client.once('ready', resolve));
    return client.nodes('master');
  };
  const onEach = async (work: (node: Redis) => Promise<unknown>) => {
    for (const node of await nodes()) await work(node);
  };
  return {
    flush: () => onEach((node) => node.flushall()),
    contents: async () => {
      const held: Record<string, unknown> = {};
      await onEach(async (node) => {
        for (const key of await node.keys('*')) held[key] = await contentOf(node, key);
      });
      return held;
    },
    shift: (ms) => onEach((node) => node.eval(SHIFT, 0, ms)),
    restore: async (key, fields) => {
      await client.del(key);
      await client.hset(key, fields);
    },
    say: async (...fields) => void (await client.xadd('latchgate:events', '*', ...fields)),
    close: () => client.disconnect(),
  };
}

function connect({ kind, nodes, master, tls, ca, username, password }: RedisServers): Redis | Cluster {
  const common = {
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls ? { tls: ca === undefined ? {} : { ca } } : {}),
  };
  if (kind === 'cluster') return new Cluster([...nodes], { redisOptions: common });
  if (kind === 'single') return new Redis({ ...common, ...nodes[0] });
  return new Redis({ ...common, sentinels: [...nodes], name: master as string, sentinelPassword: REDIS_PASSWORD });
}

async function contentOf(node: Redis, key: string): Promise<unknown> {
  const type = await node.type(key);
  if (type === 'hash') return node.hgetall(key);
  if (type === 'zset') return node.zrange(key, 0, -1, 'WITHSCORES');
  if (type === 'stream') return node.xrange(key, '-', '+');
  return node.get(key);
}
