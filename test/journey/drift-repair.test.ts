import { readFileSync, writeFileSync } from 'node:fs';
import { person, SUPERSET, supersetRow, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

// A repair brings the whole account to the rules of today: what that takes counts, and not what the differences are called.
const PEOPLE = ['ann', 'bob', 'cid', 'dan'];
let journey: Journey;

beforeEach(async () => {
  journey = await startJourney({
    people: PEOPLE.map((sub) => person(sub, { groups: ['team-a'] })),
    sections: {
      ...SUPERSET,
      rules: `
  analysts: { when: { groups: team-a }, grant: { superset: { roles: [Alpha] } } }
  everybody: { grant: { superset: { roles: [Gamma] } } }`,
      safety: '{ privileged: ["superset:role:Admin"], never_touch: [admin], stop_if: { removals: 2 } }',
    },
  });
  for (const sub of PEOPLE) await journey.logIn(sub);
});
afterEach(() => journey.close());

const rolesOf = (sub: string) => [...(supersetUser(journey.superset.state, sub)?.roles ?? [])].sort();

async function keys(): Promise<readonly string[]> {
  const { out } = await journey.cli('drift', '--json');
  return (JSON.parse(out) as { rows: { key: string }[] }).rows.map(({ key }) => key);
}

it('holds a repair that takes by the rules of today what no difference shows, from all and from one', async () => {
  for (const sub of PEOPLE) supersetRow(journey.superset.state, sub).last_name = 'Other';
  const text = readFileSync(journey.configFile, 'utf8');
  writeFileSync(journey.configFile, text.replace('groups: team-a', 'groups: team-nobody'));
  const [key = ''] = await keys();
  const before = JSON.stringify([...journey.superset.state.users]);
  const all = await journey.cli('drift', 'repair', '--all');
  expect([all.code, all.out]).toEqual([11, expect.stringMatching(/^held, too_many_removals: 4 of 4 people/)]);
  expect(all.out.match(/superset: revoke role "Alpha"/g)).toHaveLength(4);
  const one = await journey.cli('drift', 'repair', key);
  expect([one.code, one.out]).toEqual([11, expect.stringMatching(/^held, not_shown: /)]);
  expect(one.out.match(/superset: revoke role "Alpha"/g)).toHaveLength(1);
  expect(JSON.stringify([...journey.superset.state.users])).toBe(before);
  expect((await journey.cli('drift', 'repair', '--all', '--approve')).code).toBe(0);
  expect(PEOPLE.map(rolesOf)).toEqual(PEOPLE.map(() => ['Gamma']));
});
