import type { Browser, BrowserContext, Page } from 'playwright-core';
import { LatchgateError } from '../../src/model/errors.ts';
import { type Site, startSite } from '../login/site.ts';
import { startChromium } from '../services/chromium.ts';

let site: Site;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  [site, chromium] = await Promise.all([startSite(), startChromium()]);
});
beforeEach(async () => {
  site.refuseWith = undefined;
  context = await chromium.newContext();
  page = await context.newPage();
  complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text());
  });
});
afterEach(() => context.close());
afterAll(async () => {
  await chromium.close();
  await site.close();
});

async function logIn(name: string): Promise<void> {
  await page.goto(`${site.url}/.latchgate/login?rd=/dashboard`);
  await page.getByRole('button', { name }).click();
}

it('logs in by a click, out by a click, and then asks again who you are', async () => {
  await logIn('alice');
  await page.waitForURL(`${site.url}/dashboard`);
  await page.goto(`${site.url}/.latchgate/logout`);
  expect(await page.getByRole('heading').textContent()).toBe('Log out?');
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.waitForURL(`${site.url}/`);
  await logIn('bob');
  await page.waitForURL(`${site.url}/dashboard`);
  await page.goto(`${site.url}/.latchgate/logout`);
  expect(await page.locator('strong').textContent()).toBe('bob');
  expect(complaints).toEqual([]);
});

it('lets somebody else log in after a refusal', async () => {
  site.refuseWith = new LatchgateError('no_access', 'x');
  await logIn('alice');
  await page.waitForURL(/\/\.latchgate\/callback\/staff/);
  expect(await page.getByRole('heading').textContent()).toBe('You do not have access');
  // The style came through the policy.
  expect(await page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth")).toBe('480px');
  site.refuseWith = undefined;
  await page.getByRole('button', { name: 'Log in as somebody else' }).click();
  await page.waitForURL(`${site.url}/`);
  await logIn('bob');
  await page.waitForURL(`${site.url}/dashboard`);
  expect(complaints).toEqual([]);
});

it('lets nobody else log a person out', async () => {
  await logIn('alice');
  await page.waitForURL(`${site.url}/dashboard`);
  // localhost and 127.0.0.1 are two sites to a browser.
  const elsewhere = site.emulator.issuer.replace('127.0.0.1', 'localhost');
  await page.goto(`${elsewhere}/nothing`);
  await page.setContent(
    `<form method="post" action="${site.url}/.latchgate/logout"><button>Win a prize</button></form>`,
  );
  await page.getByRole('button').click();
  expect(await page.locator('dd').first().textContent()).toBe('origin_not_allowed');
  await page.goto(`${site.url}/.latchgate/logout`);
  expect(await page.locator('strong').textContent()).toBe('alice');
});
