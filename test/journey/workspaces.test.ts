import { writeFileSync } from 'node:fs';
import { given, on } from '../targets/gooddata/organisation.ts';
import { claimsOf, configText, GOODDATA, GROUPS, person, type Sections } from './company.ts';
import { type Instance, type Journey, startJourney, until } from './harness.ts';

const target = (workspaces: string) => `
  gooddata:
    type: gooddata
    url: "\${GOODDATA_URL}"
    token: "\${GOODDATA_TOKEN}"
    timeout: 5s
    workspaces: ${workspaces}`;

const RULES = `
  same-name:
    when: { groups: "*" }
    grant: { gooddata: { groups: ["\${match}"] } }`;
const PERMISSIONS = `${RULES}
  leads:
    when: { groups: "~lead-(?<team>.+)" }
    grant: { gooddata: { permissions: { "\${team}": [ANALYZE, EXPORT] } } }`;

const sections = (rules: string): Sections => ({
  ...GOODDATA,
  rules,
  targets: target('{ analysts: { sales: ANALYZE }, standing: { shop: VIEW }, admins: { "*": MANAGE } }'),
});

let journey: Journey;
let running: Instance;
beforeAll(async () => {
  journey = await startJourney({
    start: false,
    people: ['ann', 'ben', 'cleo'].map((sub) => person(sub)),
    sections: sections(PERMISSIONS),
    gooddata: {
      groups: [{ id: 'standing' }],
      workspaces: [
        { id: 'company', permissions: [on('standing', 'userGroup', 'EXPORT')] },
        { id: 'sales', parent: 'company' },
        { id: 'shop' },
      ],
    },
  });
});
afterAll(() => journey.close());

const says = (sub: string, groups: readonly string[]) =>
  journey.idp.setClaims(sub, claimsOf(sub, { [GROUPS]: groups }));
const logIn = async (sub: string) => {
  const page = await journey.logIn(sub);
  expect(page.status).toBe(200);
  return page;
};
const there = () => given(journey.gooddata.state);

it('gives a group that is there what the config says as soon as the gateway runs', async () => {
  running = await journey.start();
  await until('the start', () => there().includes('shop: group standing VIEW') || undefined);
  expect(there()).toEqual(['company: group standing EXPORT', 'shop: group standing VIEW']);
});

it('lets somebody in by a group that was made at this login, with what it may do', async () => {
  says('ann', ['analysts']);
  const page = await logIn('ann');
  expect(there()).toContain('sales: group analysts ANALYZE');
  expect(page.text).toContain('sales');
  says('ben', ['admins']);
  await logIn('ben');
  expect(there()).toEqual(expect.arrayContaining(['company: group admins >MANAGE', 'shop: group admins >MANAGE']));
});

it('gives a person permissions of their own, and takes back those alone', async () => {
  says('cleo', ['lead-sales', 'lead-shop']);
  await logIn('cleo');
  const own = () => there().filter((line) => line.includes('user cleo'));
  expect(own()).toEqual(['sales', 'shop'].flatMap((id) => [`${id}: user cleo ANALYZE`, `${id}: user cleo EXPORT`]));
  journey.gooddata.state.workspaces.get('sales')?.permissions.push(on('cleo', 'user', 'VIEW'));
  const others = there().filter((line) => !line.includes('user cleo'));
  says('cleo', ['lead-shop']);
  await logIn('cleo');
  expect(own()).toEqual(['sales: user cleo VIEW', 'shop: user cleo ANALYZE', 'shop: user cleo EXPORT']);
  expect(there().filter((line) => !line.includes('user cleo'))).toEqual(others);
});

it('holds a permission on a workspace that is not there, and lets the person in', async () => {
  says('cleo', ['lead-shop', 'lead-nowhere']);
  await logIn('cleo');
  expect(there().filter((line) => line.includes('nowhere'))).toEqual([]);
  const { out } = await journey.cli('audit', 'list', '--user', 'cleo@acme.test', '--json');
  expect(out).toContain('"code":"permission_missing"');
});

it('takes back what an earlier config gave', async () => {
  writeFileSync(journey.configFile, configText(sections(RULES)));
  await running.stop();
  await journey.start();
  await logIn('cleo');
  expect(there().filter((line) => line.includes('user cleo'))).toEqual(['sales: user cleo VIEW']);
});
