import { setTimeout as sleep } from 'node:timers/promises';
import { REDIS_PASSWORD, type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { type RunningSentinels, startSentinels } from '../services/redis-sentinel.ts';
import { type Fault, passThrough } from './fault.ts';
import { type Site, startSite, sumOf } from './site.ts';

const PEOPLE = Array.from({ length: 8 }, (_, at) => `p${at}`);
const FAULT_MS = 4_000;
/** Longer than the half minute after which a session whose check failed is checked again. */
const PROVIDER_AWAY_MS = 60_000;

const pass = (site: Site, fault: Omit<Fault, 'site' | 'people'>) => passThrough({ ...fault, site, people: PEOPLE });

describe('two instances on Redis and PostgreSQL', () => {
  let redis: RunningRedis;
  let site: Site;
  beforeAll(async () => {
    redis = await startRedis({ durable: true });
    site = await startSite({ people: PEOPLE, refresh: '2s', store: `"redis://${redisUserInfo()}${redis.address}"` });
  });
  afterAll(async () => {
    await site?.close();
    await redis?.stop();
  });

  it('get over a Redis that is killed: nobody is let in meanwhile, and no session is lost', async () => {
    const report = await pass(site, {
      name: 'Redis killed for 4 s',
      happen: async () => {
        await redis.kill9();
        await sleep(FAULT_MS);
        await redis.start();
      },
      mayRefuse: /^503 session_store_unavailable$/,
      mayRefuseLogins: /^503 session_store_unavailable$/,
    });
    expect(report.refused['503 session_store_unavailable']).toBeGreaterThan(0);
  });

  it('get over a PostgreSQL that is killed', async () => {
    const report = await pass(site, {
      name: 'PostgreSQL killed for 4 s',
      happen: async () => {
        await site.postgres.stopHard();
        await sleep(FAULT_MS);
        await site.postgres.start();
      },
      mayRefuse: /^503 state_unavailable$/,
      mayRefuseLogins: /^503 state_unavailable$/,
    });
    expect(report.refused['503 state_unavailable']).toBeGreaterThan(0);
  });

  it('serve on when one of them is killed, and with both when it is back', async () => {
    await pass(site, {
      name: 'one instance killed for 4 s',
      happen: async () => {
        await site.gateways[0]?.kill9();
        await sleep(FAULT_MS);
        await site.startAgain(0);
      },
      // Writes that were under way in it: nobody but who sent them knows whether they may be sent again.
      mayLose: /^POST 502 not of the gateway$/,
    });
  });

  it.each([
    ['refuses', (idp: Site['idp']) => idp.suspend(), /^(503 provider_unavailable|ECONNREFUSED|UND_ERR_SOCKET)$/],
    ['hangs', async (idp: Site['idp']) => idp.hang(), /^(503 provider_unavailable|no answer|UND_ERR_SOCKET)$/],
  ])('serve everybody who is logged in while the provider %s', async (what, begin, mayRefuseLogins) => {
    const failed = () => sumOf(site, /^latchgate_session_checks_total\{[^}]*outcome="failed"[^}]*\} (\d+)$/gm);
    const before = await failed();
    const report = await pass(site, {
      name: `provider ${what} for 60 s`,
      happen: async () => {
        await begin(site.idp);
        await sleep(PROVIDER_AWAY_MS);
        await site.idp.resume();
      },
      mayRefuseLogins,
    });
    const { refused, lost, troubles } = report;
    expect({ refused, lost, troubles }).toEqual({ refused: {}, lost: {}, troubles: 0 });
    // Some of them for the second time.
    expect((await failed()) - before).toBeGreaterThan(PEOPLE.length);
  });

  it('cut off what the backend cuts off, and nothing else', async () => {
    const report = await pass(site, {
      name: 'a fifth of the answers reset in the middle for 4 s',
      happen: async () => {
        site.witness.resets = 0.2;
        await sleep(FAULT_MS);
        site.witness.resets = 0;
      },
      mayRefuse: /^502 upstream_unavailable$/,
      mayLose: /^(GET|POST) UND_ERR_SOCKET$/,
      mayRefuseLogins: /^(502 upstream_unavailable|UND_ERR_SOCKET)$/,
    });
    expect(Object.keys(report.lost).length).toBeGreaterThan(0);
  });
});

describe('two instances on Redis under Sentinel', () => {
  let sentinels: RunningSentinels;
  let site: Site;
  beforeAll(async () => {
    sentinels = await startSentinels();
    const url = `redis-sentinel://${redisUserInfo()}${sentinels.addresses.join(',')}/${sentinels.name}`;
    site = await startSite({
      people: PEOPLE,
      store: JSON.stringify({ url, sentinel_password: REDIS_PASSWORD }),
      refresh: '2s',
    });
  });
  afterAll(async () => {
    await site?.close();
    await sentinels?.stop();
  });

  it('get over the end of the master: the next one has every session', async () => {
    await pass(site, {
      name: 'Redis master killed under Sentinel',
      happen: async () => {
        const master = await sentinels.master();
        await master.kill9();
        while ((await sentinels.master()) === master) await sleep(100);
      },
      mayRefuse: /^503 session_store_unavailable$/,
      mayRefuseLogins: /^503 session_store_unavailable$/,
    });
  });
});
