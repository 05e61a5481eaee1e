import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { claimsOf, person, SUPERSET } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

const RULES = `
  everybody: { grant: { superset: { roles: [Gamma] } } }`;
let journey: Journey;
let live: string;

beforeAll(async () => {
  journey = await startJourney({ people: [person('ann')], sections: { ...SUPERSET, rules: RULES } });
  live = readFileSync(journey.configFile, 'utf8');
});
afterAll(() => journey.close());

async function feed(...subs: string[]): Promise<void> {
  const file = join(journey.folder, 'claims.ndjson');
  writeFileSync(file, subs.map((sub) => `${JSON.stringify({ sub, ...claimsOf(sub) })}\n`).join(''));
  writeFileSync(journey.configFile, `${live}\nmode: shadow\n`);
  expect(await journey.cli('shadow', 'feed', '--origin', 'acme', '--claims', file)).toMatchObject({ code: 0 });
  writeFileSync(journey.configFile, live);
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

it('takes what is fed for no word of the provider until the next login, even by a link that was made before', async () => {
  await journey.logIn('ann');
  const { code, out } = await breakGlass('ann');
  expect(code).toBe(0);
  await feed('ann');
  expect((await use(out.trim())).status).toBeGreaterThanOrEqual(400);
  expect(await breakGlass('ann')).toMatchObject({ out: '', err: expect.stringContaining('no login has ever') });
  await journey.logIn('ann');
  const again = await breakGlass('ann');
  expect((await use(again.out.trim())).status).toBeLessThan(400);
});
