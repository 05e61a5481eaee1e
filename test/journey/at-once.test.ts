import { type Balancer, startBalancer } from './balancer.ts';
import { type Browser, isChoice, type Page, refusalOn } from './browser.ts';
import { BOTH, claimsOf, gooddataPeople, gooddataUser, person, supersetPeople, supersetUser } from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

const MANY = 50;
const LIMIT_MS = 60_000;

/** Everybody stands before the button first, and then all press it. */
async function allAtOnce(journey: Journey, sub: string, path: (at: number) => string): Promise<Page[]> {
  const browsers = Array.from({ length: MANY }, () => journey.browser());
  const pages = await Promise.all(
    browsers.map(async (browser, at) => [browser, await browser.visit(`${journey.url}${path(at)}`)] as const),
  );
  expect(pages.filter(([, page]) => !isChoice(page)).map(([, page]) => [page.status, page.url.href])).toEqual([]);
  return Promise.all(pages.map(([browser, page]: readonly [Browser, Page]) => browser.choose(page, sub)));
}

/** What went wrong on the way, if anything: every answer counts, not only the last. */
function troubles(pages: readonly Page[]): unknown[] {
  return pages.flatMap((page) =>
    page.trail
      .filter(({ status }) => status >= 400)
      .map(({ status, url }) => ({ at: url, status, code: refusalOn(page).code })),
  );
}

function grantsOf(show: string): string[] {
  const { grants } = JSON.parse(show) as { grants: { target: string; kind: string; name: string }[] };
  return grants.map(({ target, kind, name }) => `${target} ${kind} ${name}`).sort();
}

describe('fifty first logins of one new person at once', () => {
  let journey: Journey;
  beforeAll(async () => {
    journey = await startJourney({ people: [person('ann', { groups: ['team-a', 'team-b'] })], sections: BOTH });
  });
  afterAll(() => journey.close());

  it(
    'make one account in each target, and nobody sees an error',
    async () => {
      const pages = await allAtOnce(journey, 'ann', (at) => (at % 2 === 0 ? '/' : '/superset/welcome/'));
      expect(troubles(pages)).toEqual([]);
      expect(new Set(pages.map(({ status, url }) => `${status} ${url.pathname}`))).toEqual(
        new Set(['200 /', '200 /superset/welcome/']),
      );
      expect(gooddataPeople(journey.gooddata.state)).toEqual(['ann']);
      expect(supersetPeople(journey.superset.state)).toEqual(['ann']);
      expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['team-a', 'team-b']);
      expect(supersetUser(journey.superset.state, 'ann')).toMatchObject({
        roles: ['Gamma'],
        groups: ['team-a', 'team-b'],
      });
      expect([...journey.superset.state.groups.values()].map(({ name }) => name).sort()).toEqual(['team-a', 'team-b']);
    },
    LIMIT_MS,
  );

  it('leave one person, one ledger row a grant, and fifty sessions', async () => {
    expect((await journey.cli('users', 'list', '--json')).out.split('\n')).toHaveLength(1);
    expect(grantsOf((await journey.cli('users', 'show', 'ann', '--json')).out)).toEqual([
      'gooddata group team-a',
      'gooddata group team-b',
      'superset group team-a',
      'superset group team-b',
      'superset role Gamma',
    ]);
    expect((await journey.cli('sessions', 'list', '--json')).out.split('\n')).toHaveLength(MANY);
    expect((await journey.cli('audit', 'verify')).code).toBe(0);
  });
});

describe('fifty first logins over two gateways on one state', () => {
  let journey: Journey;
  let balancer: Balancer;
  beforeAll(async () => {
    journey = await startJourney({ people: [person('ann', { groups: ['team-a'] })], sections: BOTH, start: false });
    const instances = [];
    for (const _ of [1, 2]) instances.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
    balancer = await startBalancer(Number(new URL(journey.url).port), instances);
  });
  afterAll(async () => {
    await balancer?.close();
    await journey.close();
  });

  it(
    'make one account in each target, and nobody sees an error',
    async () => {
      const pages = await allAtOnce(journey, 'ann', (at) => (at % 2 === 0 ? '/' : '/superset/welcome/'));
      expect(troubles(pages)).toEqual([]);
      expect(Math.min(...balancer.given)).toBeGreaterThan(10);
      expect(gooddataPeople(journey.gooddata.state)).toEqual(['ann']);
      expect(supersetPeople(journey.superset.state)).toEqual(['ann']);
      expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['team-a']);
      expect(supersetUser(journey.superset.state, 'ann')).toMatchObject({ roles: ['Gamma'], groups: ['team-a'] });
      expect(grantsOf((await journey.cli('users', 'show', 'ann', '--json')).out)).toHaveLength(3);
      expect((await journey.cli('audit', 'verify')).code).toBe(0);
    },
    LIMIT_MS,
  );

  it('keep one membership each when the person’s groups change meanwhile', async () => {
    journey.idp.setClaims('ann', claimsOf('ann', { groups: ['team-b'] }));
    const pages = await allAtOnce(journey, 'ann', () => '/');
    expect(troubles(pages)).toEqual([]);
    expect(gooddataUser(journey.gooddata.state, 'ann')?.groups).toEqual(['team-b']);
    await until(
      'the other target',
      () => supersetUser(journey.superset.state, 'ann')?.groups[0] === 'team-b' || undefined,
    );
  });

  it('end a session on both when it is ended on one', async () => {
    const browser = journey.browser();
    await browser.logIn(`${journey.url}/`, 'ann');
    expect((await journey.cli('sessions', 'end', '--all')).code).toBe(0);
    await until('the end of the session on both', async () => {
      const fresh = [journey.browser(), journey.browser()];
      const cookie = browser.cookie(journey.url, 'latchgate') ?? '';
      for (const one of fresh) one.setCookie(journey.url, 'latchgate', cookie);
      const answers = await Promise.all(fresh.map((one) => one.call(`${journey.url}/`)));
      return answers.every(({ status }) => status === 401) || undefined;
    });
  });
});
