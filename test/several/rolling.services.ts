import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningRedis, redisUserInfo, startRedis } from '../services/redis.ts';
import { startLoad, type Visitor } from './load.ts';
import { type Site, startSite } from './site.ts';

const PEOPLE = Array.from({ length: 12 }, (_, at) => `p${at}`);

describe('a rolling restart under load, behind nginx', () => {
  let redis: RunningRedis;
  let site: Site;
  beforeAll(async () => {
    redis = await startRedis({ durable: true });
    site = await startSite({ people: PEOPLE, store: `"redis://${redisUserInfo()}${redis.address}"` });
  });
  afterAll(async () => {
    await site?.close();
    await redis?.stop();
  });

  it('loses not one request', async () => {
    const visitors: Visitor[] = [];
    for (const sub of PEOPLE) visitors.push(await site.logIn(sub));
    const load = startLoad({ url: site.url, visitors, clients: 24, restMs: 3_000 });
    await sleep(1_000);
    for (const at of [0, 1, 0, 1]) {
      await site.restart(at);
      await sleep(1_000);
    }
    const report = await load.stop();
    console.info(`rolling restart of both, twice: ${JSON.stringify(report)}`);
    const { wrong, lost, refused, askedToLogIn } = report;
    expect({ wrong, lost, refused, askedToLogIn }).toEqual({ wrong: [], lost: {}, refused: {}, askedToLogIn: 0 });
    expect(site.witness.wrong).toEqual([]);
    expect(report.served).toBeGreaterThan(500);
  });
});
