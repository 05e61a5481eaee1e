import { readFileSync, writeFileSync } from 'node:fs';
import { person, roleId, SUPERSET, supersetRow, supersetUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';
import { inDirectory } from './in-directory.ts';

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

describe('of what somebody was given by hand', () => {
  beforeEach(() => {
    const { state } = journey.superset;
    supersetRow(state, 'ann').roles.push(roleId(state, 'Admin'));
  });

  /** No grant of ours, no word of a repair, and the difference is still said. */
  async function expectNothingOfIt(): Promise<void> {
    expect(rolesOf('ann')).toEqual(['Admin', 'Alpha', 'Gamma']);
    expect((await journey.cli('audit', 'list', '--user', 'ann@acme.test')).out).not.toContain('drift.repaired');
    expect((await journey.cli('users', 'show', 'ann@acme.test')).out).not.toContain('Admin');
    const grants = await inDirectory(journey, async ({ people, ledger }) => {
      const [ann] = await people.search('ann@acme.test', 2);
      return ledger.ofAccount(ann?.id ?? '', 'superset');
    });
    expect(grants.map(({ name }) => name).sort()).toEqual(['Alpha', 'Gamma']);
  }

  it('nothing is done, nor said to be, where nobody says what they are to have', async () => {
    await inDirectory(journey, (_, database) =>
      database.run((db) => db.updateTable('assertions').set({ origin: 'another' }).execute()),
    );
    const { code, out } = await journey.cli('drift', 'repair', '--all');
    expect([code, out]).toEqual([1, expect.stringContaining('failed (nobody_speaks)')]);
    await expectNothingOfIt();
    expect(await keys()).toHaveLength(1);
  });

  it.each([422, 503])('nothing is ours of what the backend did not let go (%i)', async (status) => {
    journey.superset.faults.set({ status, match: (method) => method === 'PUT' });
    const { code, out } = await journey.cli('drift', 'repair', '--all');
    expect([code, out]).toEqual([1, expect.stringMatching(/failed \(target_\w+\)/)]);
    await expectNothingOfIt();
  });

  it('it is not repaired when the backend says yes and has it still', async () => {
    const row = supersetRow(journey.superset.state, 'ann');
    const roles = [...row.roles];
    Object.defineProperty(row, 'roles', { get: () => [...roles], set: () => undefined, configurable: true });
    const { code, out } = await journey.cli('drift', 'repair', '--all');
    expect([code, out]).toEqual([1, expect.stringContaining('failed (')]);
    await expectNothingOfIt();
    expect(await keys()).toHaveLength(1);
  });
});

it('what could not be given again is not repaired, though its person may go on', async () => {
  const row = supersetRow(journey.superset.state, 'ann');
  row.roles.splice(row.roles.indexOf(roleId(journey.superset.state, 'Alpha')), 1);
  journey.superset.faults.set({ status: 503, match: (method) => method === 'PUT' });
  const { code, out } = await journey.cli('drift', 'repair', '--all');
  expect([code, out]).toEqual([1, expect.stringContaining('failed (target_unavailable)')]);
  expect((await journey.cli('audit', 'list', '--user', 'ann@acme.test')).out).not.toContain('drift.repaired');
});
