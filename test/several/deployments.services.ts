import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningGateway, startGateway } from '../services/gateway.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';

// What a start refuses: instances that would not be one gateway, whatever their config files say by themselves.
const SECRET = 'only for tests, and long enough for the rule';
const OTHER = 'another one for tests, and long enough too';

let folder: string;
let redis: RunningRedis;
let postgres: RunningPostgres;
const running: RunningGateway[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-deployments-'));
  [redis, postgres] = await Promise.all([startRedis({ durable: true }), startPostgres()]);
});
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
  await redis.command('flushall');
});
afterAll(async () => {
  await postgres?.stop();
  await redis?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const sqlite = (name: string) => `sqlite:${join(folder, name)}`;
const inRedis = (number: number) => `redis://${redisUserInfo()}${redis.address}/${number}`;

interface Instance {
  readonly database: string;
  readonly store?: string;
  readonly secrets?: readonly string[];
  readonly workers?: number;
}

async function start({ database, store = 'embedded', secrets = [SECRET], workers = 1 }: Instance) {
  const gateway = await startGateway({
    config: `
version: 1
public_url: http://127.0.0.1:1
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
workers: ${workers}
state: { database: ${JSON.stringify(database)} }
session: { secrets: ${JSON.stringify(secrets)}, store: ${JSON.stringify(store)} }
login: { acme: { issuer: "http://127.0.0.1:2", client_id: x, client_secret: of a client that is not there } }
targets: { superset: { type: superset, url: "http://127.0.0.1:3" } }
default: { grant: { superset: { roles: [Gamma] } } }
routes: [{ path: /, to: superset }]
`,
  });
  running.push(gateway);
  return gateway;
}

describe.each([1, 2])('with %i workers each', (workers) => {
  const at = (name: string) => sqlite(`${name}-${workers}.db`);

  it('two instances on one Redis, each with a SQLite file, are refused', async () => {
    await start({ database: at('one'), store: inRedis(0), workers });
    await expect(start({ database: at('two'), store: inRedis(0), workers })).rejects.toThrow(/session_store_foreign/);
    await start({ database: at('two'), store: inRedis(1), workers });
  });

  it('two instances on one SQLite file are refused', async () => {
    const first = await start({ database: at('same'), workers });
    await expect(start({ database: at('same'), workers })).rejects.toThrow(/state_in_use/);
    await first.kill9();
    // Of a process that was killed nothing stays in the way.
    await start({ database: at('same'), workers });
  });

  it('instances without a common secret are refused', async () => {
    await start({ database: postgres.url, secrets: [SECRET], workers });
    await expect(start({ database: postgres.url, secrets: [OTHER], workers })).rejects.toThrow(
      /session_secrets_differ/,
    );
    const second = await start({ database: postgres.url, secrets: [SECRET, OTHER], workers });
    expect(second.log.join('\n')).not.toContain('begins with another secret');
  });
});

it('instances on one PostgreSQL are one gateway, with their sessions there or in one Redis', async () => {
  for (const store of ['embedded', inRedis(2)]) {
    for (let count = 0; count < 2; count += 1) await start({ database: postgres.url, store, workers: count + 1 });
  }
  expect(running).toHaveLength(4);
});
