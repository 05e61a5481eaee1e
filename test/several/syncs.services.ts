import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openDatabase } from '../../src/directory/database.ts';
import type { SyncRun } from '../../src/directory/sync-history.ts';
import { createSyncRuns } from '../../src/directory/sync-runs.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { configText, GOODDATA, gooddataPeople } from '../journey/company.ts';
import { until } from '../journey/harness.ts';
import { freePort } from '../services/child.ts';
import { type RunningGateway, startGateway } from '../services/gateway.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';

// Two gateways, each a process of its own, with one PostgreSQL and one schedule.
const EVERY_MS = 2_000;
const RUNS = 12;
const TAKEOVER_MS = 60_000;
const PEOPLE = Array.from({ length: 40 }, (_, at) => `p${String(at).padStart(2, '0')}@acme.test`);

interface Line {
  readonly message: string;
  readonly requestId?: string;
  readonly outcome?: string;
}

let postgres: RunningPostgres;
let gooddata: GoodDataEmulator;
let folder: string;
let gateways: RunningGateway[];

beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
beforeEach(async () => {
  gooddata = await startGoodDataEmulator();
  folder = mkdtempSync(join(tmpdir(), 'latchgate-syncs-'));
  gateways = [];
});
afterEach(async () => {
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  await gooddata.close();
  rmSync(folder, { recursive: true });
});

/** One more instance; `sync` is what its schedule says. */
async function start(name: string, sync: string): Promise<RunningGateway> {
  const port = await freePort();
  const config = configText({
    ...GOODDATA,
    state: `{ database: "${postgres.url}" }`,
    sources: `{ hr: { type: file, path: "${join(folder, 'people.csv')}" } }`,
    sync: `{ ${name}: { from: hr, to: gooddata, jitter: 0s, ${sync} } }`,
  });
  const gateway = await startGateway({
    config,
    env: {
      GATEWAY_URL: `http://127.0.0.1:${port}`,
      GATEWAY_LISTEN: `127.0.0.1:${port}`,
      ISSUER: 'http://127.0.0.1:9',
      GOODDATA_URL: gooddata.url,
      GOODDATA_TOKEN: gooddata.token,
    },
  });
  gateways.push(gateway);
  return gateway;
}

const list = (people: readonly string[]) =>
  writeFileSync(join(folder, 'people.csv'), `${['email,role', ...people.map((one) => `${one},team-a`)].join('\n')}\n`);
const said = (gateway: RunningGateway, message: string) =>
  gateway.log
    .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Line] : []))
    .filter((line) => line.message === message);

async function history(sync: string): Promise<readonly SyncRun[]> {
  const database = await openDatabase(postgres.url);
  try {
    return await createSyncRuns(database, { now: Date.now }).recent(sync, 1_000);
  } finally {
    await database.close();
  }
}

it('each due run happens once', async () => {
  list(PEOPLE.slice(0, 3));
  const [one, other] = await Promise.all([start('often', 'every: 2s'), start('often', 'every: 2s')]);
  const ended = async () => (await history('often')).filter(({ finishedAt }) => finishedAt !== undefined);
  await until(`${RUNS} runs`, async () => (await ended()).length >= RUNS || undefined, 60_000);
  await Promise.all(gateways.map((gateway) => gateway.stop()));
  // One that an instance was stopped in the middle of is gone on with by the other: not another due run.
  const all = [...(await history('often'))].reverse();
  const runs = all.filter(({ outcome }) => outcome !== 'stopped');
  const first = runs[0]?.startedAt.getTime() ?? 0;
  const seconds = runs.map(({ startedAt }) => (startedAt.getTime() - first) / 1_000);
  console.info(`runs began after s: ${seconds.map((after) => after.toFixed(1)).join(' ')}`);
  // No more than were due, and none while another was at it.
  expect(runs.length).toBeLessThanOrEqual(Math.floor(((seconds.at(-1) ?? 0) * 1_000) / EVERY_MS) + 1);
  for (const [at, run] of runs.entries()) {
    const before = at === 0 ? run.startedAt : runs[at - 1]?.finishedAt;
    expect(run.startedAt.getTime()).toBeGreaterThanOrEqual(before?.getTime() ?? Number.POSITIVE_INFINITY);
  }
  const begun = [one, other].map((gateway) => said(gateway, 'a sync begins').length);
  console.info(`by the two instances: ${begun.join(' and ')}`);
  expect((begun[0] ?? 0) + (begun[1] ?? 0)).toBe(all.length);
});

it('a run whose instance is killed is taken over by the other within a minute, and ends as it should', async () => {
  list(PEOPLE);
  // Slow enough to be in the middle.
  gooddata.faults.set({ match: (method) => method !== 'GET', delayMs: 400 });
  await Promise.all([start('once', 'every: 1h, do: apply'), start('once', 'every: 1h, do: apply')]);
  await until('some people', () => (gooddataPeople(gooddata.state).length >= 3 ? true : undefined), 60_000);
  const holder = gateways.find((gateway) => said(gateway, 'a sync begins').length > 0) as RunningGateway;
  const other = gateways.find((gateway) => gateway !== holder) as RunningGateway;
  const there = gooddataPeople(gooddata.state).length;
  await holder.kill9();
  const killedAt = Date.now();
  expect(there).toBeLessThan(PEOPLE.length);
  gooddata.faults.clear();
  await until('the other begins', () => (said(other, 'a sync begins').length > 0 ? true : undefined), TAKEOVER_MS);
  console.info(`killed with ${there} of ${PEOPLE.length} there; taken over after ${Date.now() - killedAt} ms`);
  await until('its end', () => (said(other, 'a sync was applied').length > 0 ? true : undefined), 60_000);
  expect(said(other, 'a sync was applied')).toEqual([expect.objectContaining({ outcome: 'applied' })]);
  const users = [...gooddata.state.users.values()].filter(({ relationships }) =>
    (relationships['userGroups'] ?? []).some(({ id }) => id === 'team-a'),
  );
  expect([gooddataPeople(gooddata.state).length, users.length]).toEqual([PEOPLE.length, PEOPLE.length]);
  const runs = await history('once');
  expect(runs.map(({ outcome }) => outcome)).toEqual(['applied', undefined]);
  await sleep(EVERY_MS * 3);
  expect(await history('once')).toHaveLength(2);
});
