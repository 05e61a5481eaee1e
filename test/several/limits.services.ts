import { Pool } from 'undici';
import { until } from '../journey/harness.ts';
import { type Site, startSite } from './site.ts';

/** How often one address may fail in a minute. */
const LIMIT = 300;
/** At each place: alone less than the limit, together far more, also when it takes a while. */
const TRIES = 280;
const CONNECTIONS = 20;

/** What a callback that nobody began is answered. */
async function fail(site: Site, place: Pool, from: string): Promise<number> {
  const headers = { host: new URL(site.url).host, 'x-forwarded-for': from };
  const path = '/.latchgate/callback/acme?code=x&state=y';
  const { statusCode, body } = await place.request({ method: 'GET', path, headers });
  await body.dump();
  return statusCode;
}

describe.each([
  ['two instances', { instances: 2 }],
  // Connections go to them in turn.
  ['two workers', { instances: 1, database: 'sqlite', sections: { workers: '2' } }],
] as const)('%s', (_, options) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ ...options, people: ['ann'] });
  });
  afterAll(() => site?.close());

  it('count together what one address fails at', async () => {
    const places = [site.addresses[0], site.addresses.at(-1)].map(
      (address) => new Pool(address as string, { connections: CONNECTIONS, pipelining: 1 }),
    );
    expect(TRIES).toBeLessThan(LIMIT);
    const all = places.flatMap((place) => Array.from({ length: TRIES }, () => fail(site, place, '192.0.2.1')));
    const statuses = new Set(await Promise.all(all));
    // The page of a login that is over, until it was too often.
    expect([...statuses].filter((status) => status !== 429)).toEqual([400]);
    await until('the limit at both', async () => {
      const answers = await Promise.all(places.map((place) => fail(site, place, '192.0.2.1')));
      return answers.every((status) => status === 429) || undefined;
    });
    for (const place of places) expect(await fail(site, place, '192.0.2.2')).toBe(400);
    expect((await site.logIn('ann')).user).toBe('ann');
    await Promise.all(places.map((place) => place.close()));
  });
});
