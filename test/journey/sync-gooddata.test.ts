import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { calls, given, on } from '../targets/gooddata/organisation.ts';
import { GOODDATA } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

const PEOPLE = Array.from({ length: 60 }, (_, at) => `p${String(at).padStart(2, '0')}`);

let journey: Journey;
beforeAll(async () => {
  journey = await startJourney({
    start: false,
    sections: {
      ...GOODDATA,
      rules: `
  analysts: { when: { groups: Analyst }, grant: { gooddata: { groups: [analysts] } } }
  admins: { when: { groups: Admin }, grant: { gooddata: { groups: [chiefs], permissions: { shop: MANAGE } } } }`,
      default: '{ grant: { gooddata: { groups: [viewers] } } }',
      targets: `
  gooddata:
    type: gooddata
    url: "\${GOODDATA_URL}"
    token: "\${GOODDATA_TOKEN}"
    timeout: 20s
    workspaces:
      viewers: { sales: VIEW }
      analysts: [{ workspace: "\${WORKSPACE:-sales}", permissions: [ANALYZE, EXPORT] }]
      chiefs: { "*": MANAGE }`,
      sources: '{ hr: { type: file, path: people.csv } }',
      sync: '{ hr-to-gooddata: { from: hr, to: gooddata } }',
    },
    gooddata: {
      groups: [{ id: 'viewers' }, { id: 'manual' }],
      users: [{ id: 'by-hand', groups: ['manual'] }],
      workspaces: [{ id: 'sales', permissions: [on('by-hand', 'user', 'VIEW')] }, { id: 'shop' }],
    },
  });
});
afterAll(() => journey.close());

const lists = (roleOf: (id: string, at: number) => string) =>
  writeFileSync(
    join(journey.folder, 'people.csv'),
    ['email,role', ...PEOPLE.map((id, at) => `${id}@acme.test,${roleOf(id, at)}`)].join('\n'),
  );
const apply = async () => {
  const { code, err } = await journey.cli('apply', 'hr-to-gooddata');
  expect([code, err]).toEqual([0, expect.any(String)]);
};
const members = (group: string) =>
  [...journey.gooddata.state.users.values()].filter(({ relationships }) =>
    relationships['userGroups']?.some(({ id }) => id === group),
  ).length;
const writes = () => calls({ emulator: journey.gooddata }).filter((line) => !line.startsWith('GET'));

it('makes everybody, the groups that are missing, and what groups and people may do', async () => {
  lists((_id, at) => (at === 0 ? 'Admin' : at % 2 === 0 ? 'Analyst' : ''));
  await apply();
  expect([members('viewers'), members('analysts'), members('chiefs'), members('manual')]).toEqual([30, 29, 1, 1]);
  expect(given(journey.gooddata.state).filter((line) => !line.includes('user'))).toEqual([
    'sales: group analysts ANALYZE',
    'sales: group analysts EXPORT',
    'sales: group chiefs >MANAGE',
    'sales: group viewers VIEW',
    'shop: group chiefs >MANAGE',
  ]);
  const own = given(journey.gooddata.state).filter((line) => line.includes('user'));
  expect(own).toEqual(['sales: user by-hand VIEW', expect.stringMatching(/^shop: user p00\S* MANAGE$/)]);
}, 60_000);

it('plans nothing the second time, and writes nothing', async () => {
  calls({ emulator: journey.gooddata });
  expect(await journey.cli('plan', 'hr-to-gooddata')).toMatchObject({ code: 0 });
  await apply();
  expect(writes()).toEqual([]);
}, 60_000);

it('moves everybody who changes sides with one call for each group', async () => {
  lists((_id, at) => (at === 0 ? 'Admin' : 'Analyst'));
  calls({ emulator: journey.gooddata });
  const { code } = await journey.cli('apply', 'hr-to-gooddata', '--approve');
  expect(code).toBe(0);
  expect(writes()).toEqual([
    'POST actions/userManagement/userGroups/viewers/removeMembers',
    'POST actions/userManagement/userGroups/analysts/addMembers',
  ]);
  expect([members('viewers'), members('analysts'), members('manual')]).toEqual([0, 59, 1]);
}, 60_000);

it('takes back the permission of somebody who is no chief any more, and theirs alone', async () => {
  lists(() => 'Analyst');
  await apply();
  expect(members('chiefs')).toBe(0);
  expect(given(journey.gooddata.state).filter((line) => line.includes('user'))).toEqual(['sales: user by-hand VIEW']);
}, 60_000);

it('gives a group again before a sync what was taken from it by hand', async () => {
  const sales = journey.gooddata.state.workspaces.get('sales');
  if (sales === undefined) throw new Error('there is no workspace');
  sales.permissions = sales.permissions.filter(({ assignee }) => assignee.id !== 'viewers');
  await apply();
  expect(given(journey.gooddata.state)).toContain('sales: group viewers VIEW');
}, 60_000);
