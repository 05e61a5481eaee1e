import { setTimeout as sleep } from 'node:timers/promises';
import { createRedisSessions } from '../../src/session/redis.ts';
import { RedisConnection } from '../../src/session/redis-connection.ts';
import { type RedisServers, sessionSchema } from '../../src/session/schema.ts';
import { newSessionId } from '../../src/session/seal.ts';
import { redisHarness, storesClosed } from '../conformance/redis-sessions.ts';
import { describeSessionStore, exampleSession } from '../conformance/session-store.ts';
import { REDIS_PASSWORD, type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { startCluster } from '../services/redis-cluster.ts';
import { startSentinels } from '../services/redis-sentinel.ts';
import { type Certificates, makeCertificates } from '../services/tls.ts';

const SECRETS = ['a secret of at least thirty-two characters'];
const IDLE_MS = 60 * 60_000;
/** What docs/operations.md says that the gateway's account in Redis needs. */
const ACCOUNT = [
  ...['acl', 'setuser', 'latchgate', 'on', `>${REDIS_PASSWORD}`],
  ...'~latchgate:* +@read +@write +@scripting +@connection -@dangerous +info +cluster|info +cluster|slots'.split(' '),
];

let certificates: Certificates;
let server: RunningRedis;

beforeAll(async () => {
  certificates = await makeCertificates();
  server = await startRedis({ tls: certificates });
  await server.command(...ACCOUNT);
});
afterAll(async () => {
  await storesClosed();
  await server.stop();
  certificates.remove();
});

/** As the config says it. */
function servers(store: unknown): RedisServers {
  const parsed = sessionSchema.parse({ store, secrets: SECRETS }).store;
  if (parsed === 'embedded') throw new Error('not an address of Redis');
  return parsed;
}

async function say(store: unknown): Promise<string> {
  const sessions = createRedisSessions(servers(store), { clock: { now: () => Date.now() } });
  try {
    const id = newSessionId();
    await sessions.save(id, exampleSession(Date.now()), IDLE_MS);
    await sessions.save(id, exampleSession(Date.now()), IDLE_MS);
    await sessions.touch(id, IDLE_MS);
    await sessions.probe();
    await sessions.prune();
    const isListed = (await sessions.list()).length > 0 && (await sessions.load(id)) !== undefined;
    await sessions.destroyFor({ person: 'p_alice' });
    return isListed && (await sessions.count()) === 0 ? 'kept and ended' : 'lost';
  } catch (error) {
    const { code, cause } = error as { code?: string; cause?: Error };
    return `${code}: ${cause?.message}`;
  } finally {
    await sessions.close();
  }
}

describeSessionStore('Redis over TLS', () =>
  redisHarness(servers({ url: `rediss://${server.address}`, password: REDIS_PASSWORD, ca: certificates.ca })),
);

it('opens with the password in the address or beside it, and with an account that may do nothing else', async () => {
  const { ca } = certificates;
  expect(await say({ url: `rediss://${redisUserInfo()}${server.address}`, ca })).toBe('kept and ended');
  expect(await say({ url: `rediss://${redisUserInfo('latchgate')}localhost:${server.port}/0`, ca })).toBe(
    'kept and ended',
  );
  expect(await say({ url: `rediss://latchgate@${server.address}`, password: REDIS_PASSWORD, ca })).toBe(
    'kept and ended',
  );
});

it('opens a cluster with such an account', async () => {
  const cluster = await startCluster();
  for (const node of cluster.nodes) await node.command(...ACCOUNT);
  const addresses = cluster.nodes.map((node) => node.address).join(',');
  expect(await say({ url: `redis-cluster://latchgate@${addresses}`, password: REDIS_PASSWORD })).toBe('kept and ended');
  await cluster.stop();
});

it('opens what the sentinels name, and a cluster, over TLS', async () => {
  const { ca } = certificates;
  const sentinels = await startSentinels({ tls: certificates });
  const url = `rediss-sentinel://${sentinels.addresses.join(',')}/${sentinels.name}`;
  const store = { url, password: REDIS_PASSWORD, sentinel_password: REDIS_PASSWORD, ca };
  expect(await say(store)).toBe('kept and ended');
  expect(await say({ ...store, sentinel_password: 'wrong' })).toMatch(/^session_store_unavailable: .*WRONGPASS/);
  await sentinels.stop();
  const cluster = await startCluster({ tls: certificates });
  const addresses = cluster.nodes.map((node) => node.address).join(',');
  expect(await say({ url: `rediss-cluster://${redisUserInfo()}${addresses}`, ca })).toBe('kept and ended');
  await cluster.stop();
});

it.each([
  ['without a certificate authority', () => ({ url: `rediss://${redisUserInfo()}${server.address}` }), /certificate/],
  ['without TLS', () => ({ url: `redis://${redisUserInfo()}${server.address}` }), /max retries|closed|ECONNRESET/],
  [
    'with another password',
    () => ({ url: `rediss://:wrong@${server.address}`, ca: certificates.ca }),
    /WRONGPASS|invalid username-password/,
  ],
  ['without a password', () => ({ url: `rediss://${server.address}`, ca: certificates.ca }), /NOAUTH/],
])('is unavailable %s', async (_, store, cause) => {
  const said = await say(store());
  expect(said).toMatch(/^session_store_unavailable: /);
  expect(said).toMatch(cause);
});

it('may be closed at any moment of a handshake that fails', async () => {
  const closed = Array.from({ length: 100 }, async (_, at) => {
    const connection = new RedisConnection({ servers: servers({ url: `rediss://${server.address}` }), name: 'closed' });
    await sleep(at % 60);
    connection.close();
  });
  await Promise.all(closed);
  // What nobody hears fails the test.
  await sleep(1_000);
  expect(await say({ url: `rediss://${redisUserInfo()}${server.address}`, ca: certificates.ca })).toBe(
    'kept and ended',
  );
});
