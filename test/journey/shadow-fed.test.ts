import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { composeEngine } from '../../src/compose/engine.ts';
import { composeLog, composeState } from '../../src/compose/state.ts';
import { loadConfig } from '../../src/config/load.ts';
import type { AccountState } from '../../src/provisioning/provision.ts';
import { claimsOf, person, SUPERSET, supersetPeople } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

const RULES = `
  everybody: { grant: { superset: { roles: [Gamma] } } }`;
let journey: Journey;
let live: string;

beforeAll(async () => {
  journey = await startJourney({ people: [person('ann'), person('bob')], sections: { ...SUPERSET, rules: RULES } });
  live = readFileSync(journey.configFile, 'utf8');
});
afterAll(() => journey.close());

async function feed(...subs: string[]): Promise<string> {
  const file = join(journey.folder, 'claims.ndjson');
  writeFileSync(file, subs.map((sub) => `${JSON.stringify({ sub, ...claimsOf(sub) })}\n`).join(''));
  writeFileSync(journey.configFile, `${live}\nmode: shadow\n`);
  const { code, out } = await journey.cli('shadow', 'feed', '--origin', 'acme', '--claims', file);
  expect(code).toBe(0);
  writeFileSync(journey.configFile, live);
  return out;
}

/** What an operator, a retry or a sync would have done, by what is known of the person. */
async function again(person: string): Promise<AccountState> {
  const config = loadConfig(journey.configFile, { env: journey.env });
  const state = await composeState(config, composeLog(config, new PassThrough()));
  const engines = composeEngine(config, state);
  const done = await engines.engine.again(person, 'superset', 'a test', '0123456789abcdef');
  await engines.close();
  await state.close();
  return done;
}

const breakGlass = (sub: string) => journey.cli('break-glass', `${sub}@acme.test`, '--reason', 'the provider is down');

function use(link: string): Promise<{ readonly status: number }> {
  const form = { link: new URL(link).searchParams.get('link') ?? '' };
  const headers = { origin: journey.url, 'sec-fetch-site': 'same-origin' };
  return journey.browser().visit(`${journey.url}/.latchgate/break-glass`, { method: 'POST', form, headers });
}

it('lets nobody in by an emergency link of whom only claims that were fed are known', async () => {
  await feed('neverhere');
  expect(await breakGlass('neverhere')).toMatchObject({
    code: 64,
    out: '',
    err: expect.stringContaining('no login has ever said anything'),
  });
});

it('leaves what the provider itself has said as it is', async () => {
  await journey.logIn('ann');
  const { code, out } = await breakGlass('ann');
  expect(code).toBe(0);
  expect(await feed('ann')).toMatch(/^0 taken, 0 not.*\n1 left out/);
  expect((await use(out.trim())).status).toBeLessThan(400);
});

it('goes by what is fed in shadow mode alone: live, nothing is made of it until the person logs in', async () => {
  const superset = () => supersetPeople(journey.superset.state);
  expect(await feed('bob')).toMatch(/^1 taken/);
  const { id } = JSON.parse((await journey.cli('users', 'show', 'bob@acme.test', '--json')).out) as { id: string };
  const before = superset();
  expect(await again(id)).toEqual({ status: 'none' });
  expect(superset()).toEqual(before);
  writeFileSync(journey.configFile, `${live}\nmode: shadow\n`);
  expect((await journey.cli('drift')).out).toContain('account_not_made');
  writeFileSync(journey.configFile, live);
  await journey.logIn('bob');
  expect(superset()).toEqual([...before, 'bob']);
  expect(await again(id)).toMatchObject({ status: 'ready' });
});
