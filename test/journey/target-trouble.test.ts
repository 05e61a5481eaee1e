import type { Fault } from '../emulators/gooddata/faults.ts';
import { type Page, refusalOn } from './browser.ts';
import {
  claimsOf,
  GOODDATA,
  gooddataPeople,
  gooddataUser,
  person,
  type Sections,
  SUPERSET,
  supersetPeople,
  supersetUser,
} from './company.ts';
import { type Journey, startJourney, until } from './harness.ts';

const LIMIT_MS = 60_000;
const isApi = (_method: string, path: string) => path.startsWith('/api/');
const isWrite = (method: string, path: string) => method !== 'GET' && isApi(method, path);

/** What goes wrong at every call of the API, and the code that `why` names for it. */
const FAULTS: readonly (readonly [string, Fault, string])[] = [
  ['is down', { reset: true, match: isApi }, 'target_unavailable'],
  ['answers 401', { status: 401, match: isApi }, 'target_refused'],
  ['answers 500', { status: 500, match: isApi }, 'target_unavailable'],
  ['answers 429', { rateLimit: { perSecond: 0, retryAfter: 1 }, match: isApi }, 'target_unavailable'],
  ['answers HTML instead of JSON', { html: true, match: isApi }, 'target_answer_invalid'],
  ['takes 30 s', { delayMs: 30_000, match: isApi }, 'target_unavailable'],
  ['answers 500 to every write', { status: 500, match: isWrite }, 'target_unavailable'],
];

const BACKENDS: readonly (readonly ['gooddata' | 'superset', Sections])[] = [
  ['gooddata', GOODDATA],
  ['superset', SUPERSET],
];

describe.each(BACKENDS)('%s at a login', (name, sections) => {
  let journey: Journey;
  let people = 0;
  beforeAll(async () => {
    const targets = sections['targets']?.replace('timeout: 10s', 'timeout: 4s') ?? '';
    journey = await startJourney({ people: [person('first')], sections: { ...sections, targets } });
    await journey.logIn('first');
  });
  afterAll(() => journey.close());
  afterEach(() => journey[name].faults.clear());

  const says = (sub: string, groups: readonly string[]) => journey.idp.setClaims(sub, claimsOf(sub, { groups }));
  const everybody = () =>
    name === 'gooddata' ? gooddataPeople(journey.gooddata.state) : supersetPeople(journey.superset.state);
  const groupsOf = (sub: string) =>
    (name === 'gooddata' ? gooddataUser(journey.gooddata.state, sub) : supersetUser(journey.superset.state, sub))
      ?.groups;
  const somebodyWith = async (groups: readonly string[]): Promise<string> => {
    people += 1;
    const sub = `known${people}`;
    says(sub, groups);
    expect(refusalOn(await journey.logIn(sub))).toMatchObject({ status: 200, code: '' });
    return sub;
  };
  const expectTryAgain = async (page: Page, reason: string): Promise<void> => {
    const refusal = refusalOn(page);
    expect(refusal).toMatchObject({ status: 503, code: 'target_unavailable' });
    expect(page.headers['retry-after']).toBeDefined();
    expect(page.text).toContain('Try again');
    const { code, out } = await journey.cli('why', refusal.requestId);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`reason +${reason}`)) });
  };

  it.each(FAULTS)(
    'that %s: in with nothing to withdraw, else "try again"; the next login mends it',
    async (_what, fault, reason) => {
      const same = await somebodyWith(['team-a']);
      const more = await somebodyWith(['team-a']);
      const fewer = await somebodyWith(['team-a', 'team-b']);
      people += 1;
      const fresh = `fresh${people}`;
      const before = everybody();
      says(more, ['team-a', 'team-c']);
      says(fewer, ['team-a']);
      says(fresh, ['team-a']);
      journey[name].faults.set(fault);

      const [in1, in2, out1, out2] = await Promise.all([same, more, fewer, fresh].map((sub) => journey.logIn(sub)));
      expect([in1, in2].map((page) => page && { status: page.status, code: refusalOn(page).code })).toEqual([
        { status: 200, code: '' },
        { status: 200, code: '' },
      ]);
      await expectTryAgain(out1 as Page, reason);
      await expectTryAgain(out2 as Page, reason);
      expect(everybody()).toEqual(before);
      expect([same, more, fewer].map(groupsOf)).toEqual([['team-a'], ['team-a'], ['team-a', 'team-b']]);

      journey[name].faults.clear();
      for (const sub of [more, fewer, fresh]) {
        expect(refusalOn(await journey.logIn(sub))).toMatchObject({ status: 200, code: '' });
      }
      expect([more, fewer, fresh].map(groupsOf)).toEqual([['team-a', 'team-c'], ['team-a'], ['team-a']]);
      expect(everybody()).toHaveLength(before.length + 1);
    },
    LIMIT_MS,
  );

  it('that cuts the line after each write it did: nobody notices, nothing is doubled', async () => {
    journey[name].faults.set({ match: isWrite, dropAfterApply: 'cut', times: 1 });
    const sub = await somebodyWith(['team-a', 'team-x']);
    expect(groupsOf(sub)).toEqual(['team-a', 'team-x']);
    expect(everybody().filter((one) => one.startsWith(sub))).toEqual([sub]);
  });
});

it(
  'a backend that comes back is mended in the background, without another login',
  async () => {
    const journey = await startJourney({ people: [person('ann', { groups: ['team-a'] })] });
    const groups = () => gooddataUser(journey.gooddata.state, 'ann')?.groups;
    try {
      await journey.logIn('ann');
      journey.idp.setClaims('ann', claimsOf('ann', { groups: ['team-a', 'team-later'] }));
      journey.gooddata.faults.set({ status: 500, match: isApi });
      expect((await journey.logIn('ann')).status).toBe(200);
      expect(groups()).toEqual(['team-a']);
      journey.gooddata.faults.clear();
      await until('the retry', () => groups()?.includes('team-later') || undefined, 30_000);
      expect(groups()).toEqual(['team-a', 'team-later']);
    } finally {
      await journey.close();
    }
  },
  LIMIT_MS,
);
