import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, BrowserContext, Page, Response } from 'playwright-core';
import { keycloakPassword } from '../services/keycloak.ts';
import { projectRoot } from '../services/project.ts';

const PAGE_TIMEOUT_MS = 60_000;

export interface ApiAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers of several services, of which a journey looks at a few members
  readonly body: any;
}

/** One browser with its own cookies, and somebody in front of it. */
export class Visitor {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Everything that the gateway answered to this browser. */
  readonly answers: Response[] = [];
  readonly #gateway: string;

  private constructor(gateway: string, context: BrowserContext, page: Page) {
    this.#gateway = gateway;
    this.context = context;
    this.page = page;
    page.on('response', (answer) => {
      if (answer.url().startsWith(`${gateway}/`)) this.answers.push(answer);
    });
  }

  /** `gateway`: the address that people see. What a page wants from outside this machine is not fetched. */
  static async open(browser: Browser, gateway: string, options: { bypassCSP?: boolean } = {}): Promise<Visitor> {
    const context = await browser.newContext({ ...options, viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(PAGE_TIMEOUT_MS);
    await context.route(
      ({ hostname }) => hostname !== 'localhost' && hostname !== '127.0.0.1',
      (route) => route.abort(),
    );
    return new Visitor(gateway, context, await context.newPage());
  }

  async goto(path: string): Promise<void> {
    await this.page.goto(`${this.#gateway}${path}`, { waitUntil: 'domcontentloaded' });
  }

  /** Types name and password into Keycloak's form. Ends when the browser is back at the gateway. */
  async logInAs(name: string): Promise<void> {
    await this.atKeycloak();
    await this.page.locator('#username').fill(name);
    await this.page.locator('#password').fill(keycloakPassword(name));
    await this.page.locator('#kc-login').click();
    await this.page.waitForURL((url) => url.href.startsWith(`${this.#gateway}/`), { waitUntil: 'domcontentloaded' });
  }

  async atKeycloak(): Promise<void> {
    await this.page.waitForURL(/\/realms\/acme\//);
    await this.page.locator('#username').waitFor();
  }

  /** Goes the way of the page that asks first. Ends at Keycloak's form, because Keycloak has logged out, too. */
  async logOut(): Promise<void> {
    await this.page.getByRole('button', { name: 'Log out' }).click();
    await this.atKeycloak();
  }

  /** What a script of the page gets that the browser is at. */
  fetch(path: string, headers: Readonly<Record<string, string>> = {}): Promise<ApiAnswer> {
    return this.page.evaluate(
      async ([address, more]) => {
        const answer = await fetch(address, { headers: { accept: 'application/json', ...more } });
        const text = await answer.text();
        const isJson = answer.headers.get('content-type')?.includes('json') === true;
        return { status: answer.status, body: isJson ? JSON.parse(text) : text };
      },
      [path, headers] as const,
    );
  }

  /** `name=value` of the gateway's own cookie. */
  async sessionCookie(): Promise<string> {
    const cookies = await this.context.cookies(this.#gateway);
    const own = cookies.find(({ name }) => name === 'latchgate');
    if (own === undefined) throw new Error('the browser has no session cookie of the gateway');
    return `${own.name}=${own.value}`;
  }

  /** As if the provider had forgotten this browser: the next login shows its form. */
  async forgetKeycloak(): Promise<void> {
    await this.context.clearCookies({ domain: '127.0.0.1' });
  }

  /** Into ./screenshots, for people to look at. */
  async shoot(name: string): Promise<void> {
    const folder = join(projectRoot(), 'screenshots');
    mkdirSync(folder, { recursive: true });
    await this.page.waitForLoadState('networkidle');
    await this.page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled' });
  }

  /** `status path` of everything that the gateway answered with an error. */
  failures(): string[] {
    return this.answers
      .filter((answer) => answer.status() >= 400)
      .map((answer) => `${answer.status()} ${new URL(answer.url()).pathname}`);
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
