import { request } from 'undici';
import { until } from '../journey/harness.ts';
import { type Site, startSite } from './site.ts';

/** How often one address may fail in a minute. */
const LIMIT = 300;
/** At each place: together more than the limit, alone far from it. */
const TRIES = 200;

/** What a callback that nobody began is answered at this address, on a connection of its own. */
async function fail(site: Site, address: string, from: string): Promise<number> {
  const headers = { host: new URL(site.url).host, 'x-forwarded-for': from, connection: 'close' };
  const answer = await request(`${address}/.latchgate/callback/acme?code=x&state=y`, { headers });
  await answer.body.dump();
  return answer.statusCode;
}

describe.each([
  ['two instances', { instances: 2 }],
  // Each connection goes to the next one.
  ['two workers', { instances: 1, database: 'sqlite', sections: { workers: '2' } }],
] as const)('%s', (_, options) => {
  let site: Site;
  beforeAll(async () => {
    site = await startSite({ ...options, people: ['ann'] });
  });
  afterAll(() => site?.close());

  it('count together what one address fails at', async () => {
    const places = [...site.addresses, ...site.addresses].slice(0, 2) as [string, string];
    const statuses = new Set<number>();
    for (let at = 0; at < TRIES; at += 1)
      for (const place of places) statuses.add(await fail(site, place, '192.0.2.1'));
    expect(TRIES).toBeLessThan(LIMIT);
    // A person is shown the page of a login that is over; nobody was told to wait who was alone.
    expect([...statuses].filter((status) => status !== 429)).toEqual([400]);
    await until('the limit at both', async () => {
      const answers = await Promise.all(places.map((place) => fail(site, place, '192.0.2.1')));
      return answers.every((status) => status === 429) || undefined;
    });
    for (const place of places) expect(await fail(site, place, '192.0.2.2')).toBe(400);
    expect((await site.logIn('ann')).user).toBe('ann');
  });
});
