import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openDatabase } from '../../src/directory/database.ts';
import { person, SUPERSET, supersetRow } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

let journey: Journey;
let live: string;

beforeAll(async () => {
  journey = await startJourney({
    people: [person('hal'), person('ida')],
    start: false,
    sections: {
      ...SUPERSET,
      rules: `
  everybody: { grant: { superset: { roles: [Gamma] } } }`,
    },
  });
  const before = await journey.start();
  await journey.logIn('hal');
  await journey.logIn('ida');
  live = readFileSync(journey.configFile, 'utf8');
  await before.stop();
});
afterAll(() => journey.close());

/** Everything that waits is due from now on. */
async function waiting(): Promise<string[]> {
  const database = await openDatabase(`sqlite:${join(journey.folder, 'latchgate.db')}`);
  try {
    await database.run((db) => db.updateTable('retries').set({ due_at: 0 }).execute());
    const rows = await database.run((db) => db.selectFrom('retries').select('target').execute());
    return rows.map(({ target }) => target);
  } finally {
    await database.close();
  }
}

const activeAt = (sub: string): boolean => supersetRow(journey.superset.state, sub).active;

it('does nothing in shadow mode of what is to be taken, says so, and does it once the gateway is live again', async () => {
  writeFileSync(journey.configFile, `${live}\nmode: shadow\n`);
  expect(await journey.cli('users', 'disable', 'hal@acme.test')).toMatchObject({
    code: 0,
    out: expect.not.stringContaining('superset: done'),
    err: expect.stringMatching(/^superset: not done: shadow mode writes nothing/),
  });
  expect(JSON.parse((await journey.cli('users', 'disable', 'ida@acme.test', '--json')).out)).toMatchObject({
    targets: [{ target: 'superset', status: 'failed', code: 'shadow_mode' }],
  });
  expect(await waiting()).toEqual(['superset', 'superset']);

  const shadow = await journey.start();
  await until('the scheduler', async () => {
    const metrics = await (await fetch(`${shadow.admin}/metrics`)).text();
    return /^latchgate_provisioning_retries_waiting(?:\{[^}]*\})? 2$/m.test(metrics) || undefined;
  });
  await shadow.stop();
  expect(await waiting()).toEqual(['superset', 'superset']);
  expect(['hal', 'ida'].map(activeAt)).toEqual([true, true]);

  writeFileSync(journey.configFile, live);
  await journey.start();
  await until('the scheduler', () => (['hal', 'ida'].some(activeAt) ? undefined : true));
});
