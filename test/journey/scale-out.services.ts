import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockForServing } from '../../src/directory/serving-lock.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import type { Browser } from './browser.ts';
import { BOTH, person } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

// docs/operations.md, "From one instance to several": one gateway on SQLite becomes two on PostgreSQL.
let postgres: RunningPostgres;
let journey: Journey;
let first: Instance;
let next: string;

beforeAll(async () => {
  postgres = await startPostgres();
  journey = await startJourney({
    people: ['ann', 'tim'].map((sub) => person(sub, { groups: ['team-a'] })),
    sections: BOTH,
    start: false,
  });
  first = await journey.start();
  next = join(journey.folder, 'next.yaml');
  writeFileSync(next, onPostgres(), { mode: 0o600 });
});
afterAll(async () => {
  await journey?.close();
  await postgres?.stop();
});

function onPostgres(): string {
  const former = 'sqlite:./latchgate.db';
  const text = readFileSync(journey.configFile, 'utf8');
  expect(text).toContain(former);
  return text.replace(former, postgres.url);
}

const copy = () => journey.cli('state', 'copy', '--new', next);

async function statusAt(gateway: Instance, browser: Browser): Promise<number> {
  const other = journey.browser();
  other.setCookie(gateway.url, 'latchgate', browser.cookie(journey.url, 'latchgate') ?? '');
  return (await other.call(`${gateway.url}/`, { headers: { host: new URL(journey.url).host } })).status;
}

it('nobody is logged out, nothing is lost, and an end at one instance is one at the other', async () => {
  const browser = journey.browser();
  const goes = journey.browser();
  await browser.logIn(`${journey.url}/`, 'ann');
  await goes.logIn(`${journey.url}/`, 'tim');
  const shown = (await journey.cli('users', 'show', 'ann@acme.test', '--json')).out;
  const records = (await journey.cli('audit', 'list', '--json')).out;

  // As `serve` does.
  const release = lockForServing(`sqlite:${join(journey.folder, 'latchgate.db')}`);
  expect(await copy()).toMatchObject({ code: 1, err: expect.stringMatching(/^state_in_use: /) });
  release();
  await first.stop();
  const copied = await copy();
  expect({ ...copied, out: '' }).toEqual({ code: 0, out: '', err: '' });
  expect(copied.out).toMatch(/^people +2$/m);
  expect(await copy()).toMatchObject({ code: 1, err: expect.stringMatching(/^state_not_empty: /) });

  writeFileSync(journey.configFile, readFileSync(next));
  const one = await journey.start();
  const other = await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' });
  for (const instance of [one, other]) {
    expect(await statusAt(instance, browser)).toBe(200);
    expect(await statusAt(instance, goes)).toBe(200);
  }
  expect((await journey.cli('users', 'show', 'ann@acme.test', '--json')).out).toBe(shown);
  expect((await journey.cli('audit', 'list', '--json')).out.slice(0, records.length)).toBe(records);
  expect(await journey.cli('audit', 'verify')).toMatchObject({ code: 0 });
  // Numbers that the database gives go on: an end is heard of.
  expect((await journey.cli('sessions', 'end', '--user', 'tim@acme.test')).code).toBe(0);
  for (const instance of [one, other]) {
    await until('the end of his session', async () => (await statusAt(instance, goes)) === 401, 5_000);
    expect(await statusAt(instance, browser)).toBe(200);
  }
}, 120_000);
