import { redisHarness, storesClosed, testServers } from '../conformance/redis-sessions.ts';
import { describeSessionStore } from '../conformance/session-store.ts';
import { REDIS_PASSWORD, type RunningRedis, startRedis } from '../services/redis.ts';
import { type RunningCluster, startCluster } from '../services/redis-cluster.ts';
import { type RunningSentinels, startSentinels } from '../services/redis-sentinel.ts';

describe('one server', () => {
  let server: RunningRedis;
  beforeAll(async () => {
    server = await startRedis();
  });
  afterAll(async () => {
    await storesClosed();
    await server.stop();
  });

  describeSessionStore('Redis', () => redisHarness(testServers('single', [server.address])));
});

describe('three nodes', () => {
  let cluster: RunningCluster;
  beforeAll(async () => {
    cluster = await startCluster();
  });
  afterAll(async () => {
    await storesClosed();
    await cluster.stop();
  });

  const servers = () =>
    testServers(
      'cluster',
      cluster.nodes.map((node) => node.address),
    );
  describeSessionStore('a Redis Cluster', () => redisHarness(servers()));
});

describe('three sentinels', () => {
  let sentinels: RunningSentinels;
  beforeAll(async () => {
    sentinels = await startSentinels();
  });
  afterAll(async () => {
    await storesClosed();
    await sentinels.stop();
  });

  const servers = () =>
    testServers('sentinel', sentinels.addresses, { master: sentinels.name, sentinelPassword: REDIS_PASSWORD });
  describeSessionStore('Redis under Sentinel', () => redisHarness(servers()));
});
