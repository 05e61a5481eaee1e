import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { type ConsoleStage, HOSTILE, startConsoleStage } from '../console/stage.ts';
import { gooddataUser } from '../journey/company.ts';
import { until } from '../journey/harness.ts';
import { startChromium } from '../services/chromium.ts';
import { projectRoot } from '../services/project.ts';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const LOOKS = [
  { name: 'light', colorScheme: 'light', width: 1280, rules: [] },
  // The same page in other colours, or other places.
  { name: 'dark', colorScheme: 'dark', width: 1280, rules: ['color-contrast'] },
  { name: 'narrow', colorScheme: 'light', width: 320, rules: ['scrollable-region-focusable', 'target-size'] },
] as const;

const everybody = ['amy', 'ben', 'cat', 'dan', 'eli', 'fay'];

let stage: ConsoleStage;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [stage, chromium] = await Promise.all([
    startConsoleStage({ sections: { safety: '{ privileged: ["gooddata:group:adminGroup"] }' } }),
    startChromium(),
  ]);
  await Promise.all(['ann', 'eve'].map((sub) => stage.journey.logIn(sub)));
  stage.list(Object.fromEntries(everybody.map((name) => [name, ['team-a']])));
  await stage.journey.cli('apply', 'hr-to-gooddata');
});
beforeEach(() => open({}));
afterEach(() => context.close());
afterAll(async () => {
  await chromium.close();
  await stage.close();
});

async function open(options: Parameters<Browser['newContext']>[0]): Promise<void> {
  await context?.close();
  context = await chromium.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(30_000);
  page = await context.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
}

async function logIn(name: string, path = '/'): Promise<void> {
  await page.goto(`${stage.admin}${path}`);
  await page.getByRole('button', { name, exact: true }).click();
  await page.waitForURL((url) => url.origin === stage.admin);
}

const menu = (name: string) => page.getByRole('navigation').getByRole('link', { name }).click();
const heading = () => page.getByRole('heading', { level: 1 }).textContent();

/** A plan that the brake holds: half of those who were listed are gone. */
async function holdPlan(left: readonly string[]): Promise<string> {
  stage.list(Object.fromEntries(left.map((name) => [name, ['team-a']])));
  await stage.journey.cli('apply', 'hr-to-gooddata');
  const { out } = await stage.journey.cli('plans', 'list', '--json');
  return String(JSON.parse(out.split('\n')[0] ?? '').id);
}

it('an operator finds a person, sees why they have what they have, and puts them out and in again', async () => {
  await logIn('olga');
  expect(await heading()).toBe('Overview');
  await menu('People');
  await page.getByLabel('Name, or exactly').fill('ann@acme.test');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: 'ann', exact: true }).click();
  const grants = page.getByRole('region', { name: 'Grants' });
  expect(await grants.getByRole('row', { name: 'group:team-b' }).textContent()).toContain('same-name');
  await page.getByText('Disable…').click();
  await page.getByRole('button', { name: 'Disable', exact: true }).click();
  expect(await page.getByRole('status').textContent()).toMatch(/^Disabled: no new login.*request \w{16}/);
  expect(await page.getByRole('region', { name: 'Sessions' }).count()).toBe(0);
  await page.getByText('Enable…').click();
  await page.getByRole('button', { name: 'Enable', exact: true }).click();
  expect(await page.getByRole('status').textContent()).toContain('May log in again');
  expect(complaints).toEqual([]);
});

it('an operator ends a session', async () => {
  await stage.journey.logIn('ann');
  await logIn('olga');
  await menu('Sessions');
  const own = page.getByRole('row', { name: /^ann/ });
  await own.first().getByRole('button', { name: 'End' }).click();
  expect(await page.getByRole('status').textContent()).toContain('The session has ended');
  expect(await own.count()).toBe(0);
});

it('an operator reads a plan that is held, rejects it, and approves the next one', async () => {
  const first = await holdPlan(['amy', 'ben', 'cat']);
  await logIn('olga');
  await page.getByRole('link', { name: first }).click();
  expect(await page.getByRole('region', { name: 'The plan' }).textContent()).toContain('dan@acme.test');
  await page.getByRole('button', { name: 'Reject' }).click();
  expect(await page.getByRole('status').textContent()).toContain('Rejected');
  const second = await holdPlan(['amy', 'ben']);
  await menu('Plans');
  await page.getByRole('link', { name: second }).click();
  await page.getByText('Approve…').click();
  await page.getByRole('button', { name: 'Approve and apply' }).click();
  expect(await page.getByRole('status').textContent()).toContain('Approved.');
  await until('the plan is applied', async () => {
    await page.goto(`${stage.admin}/plans/${second}`);
    return (await page.getByText('applied', { exact: true }).count()) > 0;
  });
  await menu('Syncs');
  await page.getByRole('link', { name: 'hr-to-gooddata' }).click();
  expect(await page.getByRole('region', { name: 'Runs' }).textContent()).toContain('olga');
});

/** As an administrator of GoodData gives it. */
function giveByHand(name: string, ...groups: readonly string[]): void {
  const user = stage.journey.gooddata.state.users.get(name);
  user?.relationships['userGroups']?.push(...groups.map((id) => ({ id, type: 'userGroup' })));
}

it('an operator compares a target, repairs one difference, lets another stand, and sees what is left on the overview', async () => {
  giveByHand('ann', 'adminGroup');
  giveByHand('eve', 'team-b');
  await logIn('olga');
  await menu('Drift');
  await page.getByRole('button', { name: 'Compare now' }).click();
  const rows = page.getByRole('region', { name: 'What differs in gooddata' });
  const admin = rows.getByRole('row', { name: /^ann.*adminGroup/ });
  expect(await admin.textContent()).toContain('privileged');
  await menu('Overview');
  expect(await page.getByRole('listitem').filter({ hasText: 'difference' }).textContent()).toMatch(
    /2 differences in gooddata, 1 of privileged rights/,
  );
  await page.getByRole('link', { name: '2 differences' }).click();
  await page.getByRole('button', { name: 'Compare now' }).click();
  await admin.getByText('Repair…').click();
  await admin.getByRole('button', { name: 'Repair', exact: true }).click();
  expect(await page.getByRole('status').textContent()).toContain('Repaired');
  expect(gooddataUser(stage.journey.gooddata.state, 'ann')?.groups).toEqual(['team-a', 'team-b']);
  await page.getByRole('button', { name: 'Compare now' }).click();
  const eve = rows.getByRole('row', { name: /team-b/ });
  await eve.getByText('Adopt…').click();
  await eve.getByRole('button', { name: 'Adopt', exact: true }).click();
  expect(await page.getByRole('status').textContent()).toContain('Adopted');
  await page.getByRole('button', { name: 'Compare now' }).click();
  expect(await rows.count()).toBe(0);
  expect(await page.getByRole('main').textContent()).toContain('As it should be.');
  await menu('Overview');
  expect(await page.getByRole('link', { name: /difference/ }).count()).toBe(0);
  expect(complaints).toEqual([]);
});

it('a viewer searches the audit, reads why, and tries claims out, but finds no button that acts', async () => {
  await logIn('vera');
  await menu('Audit');
  await page.getByLabel('Event, such as').fill('login.allowed');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('region', { name: 'Records' }).getByRole('row').nth(1).getByRole('link').last().click();
  expect(await heading()).toBe('Why');
  expect(await page.getByRole('main').textContent()).toContain('Groups from acme');
  await menu('Try the mapping');
  const claims = { sub: 'x', email: 'x@acme.test', 'urn.gooddata.user_groups': ['team-z'] };
  await page.getByLabel('Claims').fill(JSON.stringify(claims));
  await page.getByRole('button', { name: 'Try' }).click();
  expect(await page.getByRole('heading', { name: 'Gets in' }).count()).toBe(1);
  expect(await page.getByRole('region', { name: 'Account in gooddata' }).textContent()).toContain('group:team-z');
  await menu('Sessions');
  expect(await page.getByRole('button', { name: 'End' }).count()).toBe(0);
  expect(complaints).toEqual([]);
});

it('a viewer who sends the form of an operator, and somebody whose session is over, change nothing', async () => {
  await logIn('vera');
  const id = JSON.parse((await stage.journey.cli('users', 'show', 'ann@acme.test', '--json')).out).id;
  const send = async () => {
    await page.evaluate((address) => {
      const form = document.createElement('form');
      form.method = 'post';
      form.action = address;
      form.append(...document.querySelectorAll('input[name=token]'));
      document.body.append(form);
      form.submit();
    }, `/people/${id}/disable`);
    await page.waitForURL(/\/disable$/);
    return page.locator('dd').first().textContent();
  };
  expect(await send()).toBe('operator_viewer');
  await page.goto(stage.admin);
  await stage.journey.cli('sessions', 'end', '--user', 'vera@acme.test');
  await until('the end is heard of', async () => {
    const answer = await context.request.get(`${stage.admin}/people`, { maxRedirects: 0 });
    return answer.status() === 302;
  });
  expect(await send()).toBe('login_required');
  expect(JSON.parse((await stage.journey.cli('users', 'show', id, '--json')).out).disabled).toBe(false);
});

it('another site does nothing in the name of an operator', async () => {
  await logIn('olga');
  const id = JSON.parse((await stage.journey.cli('users', 'show', 'ann@acme.test', '--json')).out).id;
  // localhost and 127.0.0.1 are two sites to a browser.
  const elsewhere = stage.journey.idp.issuer.replace('127.0.0.1', 'localhost');
  await page.goto(`${elsewhere}/nothing`);
  await page.setContent(
    `<form method="post" action="${stage.admin}/people/${id}/disable"><button>Win a prize</button></form>`,
  );
  await page.getByRole('button').click();
  await page.waitForURL(/\/disable$/);
  expect(await page.locator('dd').first().textContent()).toBe('login_required');
  // What is at public_url is on the same site: from there the cookie comes along.
  await page.goto(`${stage.journey.url}/.latchgate/jwks.json`);
  await page.setContent(
    `<form method="post" action="${stage.admin}/people/${id}/disable"><button>Win a prize</button></form>`,
  );
  await page.getByRole('button').click();
  await page.waitForURL(/\/disable$/);
  expect(await page.locator('dd').first().textContent()).toBe('origin_not_allowed');
  expect(JSON.parse((await stage.journey.cli('users', 'show', id, '--json')).out).disabled).toBe(false);
});

it('is used by keys alone: past the menu, to a person, and to what is asked first', async () => {
  await logIn('olga', '/people?q=ann%40acme.test');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Skip to the content');
  await page.keyboard.press('Enter');
  for (let at = 0; at < 6; at += 1) {
    await page.keyboard.press('Tab');
    if ((await page.evaluate(() => document.activeElement?.textContent)) === 'ann') break;
  }
  expect(await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineStyle)).toBe('solid');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/people\/p_/);
  await page.locator('summary', { hasText: 'Disable…' }).focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Tab');
  expect(await page.evaluate(() => document.activeElement?.textContent)).toBe('Disable');
});

it('has something of everything to look at', async () => {
  const listed = ['gus', 'hal', 'ian', 'joe', 'kim', 'lou'];
  stage.list(Object.fromEntries([...everybody, ...listed].map((name) => [name, ['team-a', 'team-c']])));
  await stage.journey.cli('apply', 'hr-to-gooddata', '--approve');
  await holdPlan(['gus', 'hal', 'ian']);
  giveByHand('ann', 'adminGroup', HOSTILE);
  const { out } = await stage.journey.cli('plans', 'list', '--json');
  expect(JSON.parse(out.split('\n')[0] ?? '')).toMatchObject({ state: 'held', code: expect.any(String) });
});

it.each(LOOKS)('looks right in $name, and axe finds nothing serious', async ({ name, colorScheme, width, rules }) => {
  await open({ colorScheme, viewport: { width, height: 900 }, bypassCSP: true });
  await logIn('olga');
  const ids = async (who: string) => JSON.parse((await stage.journey.cli('users', 'show', who, '--json')).out).id;
  const { out } = await stage.journey.cli('plans', 'list', '--json');
  const [record] = (await stage.journey.cli('audit', 'list', '--json')).out
    .split('\n')
    .flatMap((line) => (line.includes('"login.allowed"') ? [JSON.parse(line)] : []));
  const paths = {
    people: '/people',
    person: `/people/${await ids('ann@acme.test')}`,
    hostile: `/people/${await ids('eve@acme.test')}`,
    sessions: '/sessions',
    plans: '/plans',
    plan: `/plans/${JSON.parse(out.split('\n')[0] ?? '').id}`,
    drift: '/drift',
    syncs: '/syncs',
    runs: '/syncs/hr-to-gooddata',
    audit: '/audit',
    why: `/why?id=${record.requestId}`,
    activity: '/activity?span=fortnight',
    try: '/try',
    // Last, so that it says what differs.
    overview: '/',
  };
  for (const [shown, path] of Object.entries(paths)) {
    await page.goto(`${stage.admin}${path}`);
    if (shown === 'person') await page.getByText('Disable…').click();
    if (shown === 'drift') await page.getByRole('button', { name: 'Compare now' }).click();
    if (shown === 'try') {
      const claims = { sub: 'x', email: 'x@acme.test', name: HOSTILE, 'urn.gooddata.user_groups': ['team-z'] };
      await page.getByLabel('Claims').fill(JSON.stringify(claims, null, 2));
      await page.getByRole('button', { name: 'Try' }).click();
    }
    await shoot(`${shown}-${name}`);
    expect([shown, await serious(rules)]).toEqual([shown, []]);
    // Nothing but tables scrolls sideways.
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect([shown, overflow <= 0]).toEqual([shown, true]);
  }
});

/** Of these rules; of all there are when it is empty. */
async function serious(rules: readonly string[]): Promise<string[]> {
  await page.addScriptTag({ path: AXE });
  const only = rules.length === 0 ? {} : { runOnly: rules };
  const { violations } = (await page.evaluate(`axe.run(document, ${JSON.stringify(only)})`)) as AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical' || impact === 'moderate')
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
}

/** Into ./screenshots, for people to look at. */
async function shoot(name: string): Promise<void> {
  const folder = join(projectRoot(), 'screenshots');
  mkdirSync(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `console-${name}.png`), animations: 'disabled', fullPage: true });
}
