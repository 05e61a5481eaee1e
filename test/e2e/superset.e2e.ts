import { generateKeyPair, SignJWT } from 'jose';
import type { Browser } from 'playwright-core';
import { send } from '../integrations/superset-client.ts';
import { startChromium } from '../services/chromium.ts';
import { freePort, startGateway } from '../services/gateway.ts';
import { type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';
import { type RunningSuperset, startSuperset } from '../services/superset.ts';
import { Visitor } from './browsing.ts';
import { latchgate } from './command.ts';
import { describeDailyCheck } from './daily-check.ts';
import { keycloakLogin, settings } from './settings.ts';
import { eventually, Stage } from './stage.ts';
import { SupersetAdmin } from './superset-admin.ts';

/*
 * One company's way to its dashboards: real Keycloak, the built gateway, real Superset with our security manager, and a
 * browser. Each step goes on from the one before.
 */

const TARGET = 'superset';
const WELCOME = '/superset/welcome/';
const LOGIN = `/.latchgate/login?rd=${encodeURIComponent(WELCOME)}`;

const stage = new Stage();
let gateway: string;
let configFile: string;
let keycloak: RunningKeycloak;
let superset: RunningSuperset;
let admin: SupersetAdmin;
let browser: Browser;
let alice: Visitor;

beforeAll(async () => {
  const port = await freePort();
  // Another site than Keycloak's 127.0.0.1: cookies do not mind ports.
  gateway = `http://localhost:${port}`;
  const jwks = `http://127.0.0.1:${port}/.latchgate/jwks.json`;
  [keycloak, superset, browser] = await Promise.all([
    stage.add(startKeycloak({ gatewayUrl: gateway }), (one) => one.stop()),
    stage.add(
      startSuperset({ mode: 'assertion', jwks, issuer: gateway, audience: TARGET, roles: ['Finance'] }),
      (one) => one.stop(),
    ),
    stage.add(startChromium(), (one) => one.close()),
  ]);
  admin = new SupersetAdmin(superset);
  configFile = stage.write('latchgate.yaml', config());
  await stage.add(startGateway({ config: { file: configFile } }), (one) => one.stop());
}, 900_000);

afterAll(() => stage.end(), 120_000);

function config(): string {
  return `${settings(gateway, keycloakLogin(keycloak))}
groups: { strip: "/" }
rules:
  builders: { when: { groups: Admin }, grant: { superset: { roles: [Alpha, sql_lab], groups: [builders] } } }
  readers: { when: { groups: User }, grant: { superset: { roles: [Gamma, sql_lab], groups: [readers] } } }
  suspended: { when: { groups: bi-suspended }, deny: Your BI access is suspended. Ask bi-help@acme.test. }
default: { grant: { superset: { roles: [Gamma] } } }
targets:
  superset: { type: superset, url: "${superset.url}" }
routes: [{ path: /, to: superset }]
safety: { privileged: ["superset:role:Admin"] }
`;
}

const open = (): Promise<Visitor> => Visitor.open(browser, gateway);

/** Superset has drawn its welcome page and knows that there is nothing on it yet. */
async function welcomed({ page }: Visitor): Promise<void> {
  await page.getByText('Nothing here yet').first().waitFor();
}

async function me(visitor: Visitor): Promise<string | number> {
  const { status, body } = await visitor.fetch('/api/v1/me/');
  return status === 200 ? body.result.username : status;
}

describe('alice', () => {
  it('logs in for the first time at Keycloak and lands on the welcome page as herself', async () => {
    expect(await admin.find('alice')).toEqual([]);
    alice = await open();
    await alice.goto(WELCOME);
    await alice.atKeycloak();
    await alice.shoot('superset-1-keycloak-form');
    await alice.logInAs('alice');
    expect(alice.page.url()).toBe(gateway + WELCOME);
    await welcomed(alice);
    await alice.shoot('superset-2-welcome-alice');

    const { body } = await alice.fetch('/api/v1/me/');
    expect(body.result).toMatchObject({ username: 'alice', first_name: 'Alice', last_name: 'Adams', is_active: true });
    const { body: mine } = await alice.fetch('/api/v1/me/roles/');
    expect(Object.keys(mine.result.roles).sort()).toEqual(['Alpha', 'sql_lab']);
    expect(alice.failures()).toEqual([]);
  });

  it('has an account with her names, address, groups and roles, as Superset itself says', async () => {
    expect(await admin.find('alice')).toEqual([
      {
        id: expect.any(Number),
        username: 'alice',
        first_name: 'Alice',
        last_name: 'Adams',
        email: 'alice@acme.test',
        active: true,
        roles: ['Alpha', 'sql_lab'],
        groups: ['builders'],
      },
    ]);
    expect(await admin.groups('builders')).toHaveLength(1);
  });

  it('sees herself on the page about her account', async () => {
    await alice.goto('/user_info/');
    await alice.page.getByText('alice@acme.test').first().waitFor();
    await alice.shoot('superset-3-user-info');
  });

  it('is nobody else whatever her browser claims', async () => {
    const { privateKey } = await generateKeyPair('ES256');
    const now = Math.floor(Date.now() / 1_000);
    const { keys } = (await alice.fetch('/.latchgate/jwks.json')).body;
    const forged = await new SignJWT({ iss: gateway, aud: TARGET, sub: 'admin', iat: now, exp: now + 60 })
      .setProtectedHeader({ alg: 'ES256', kid: keys[0].kid })
      .sign(privateKey);
    const claims: Record<string, string>[] = [
      { 'X-Forwarded-User': 'admin' },
      { 'X-Latchgate-Assertion': forged },
      { X_Latchgate_Assertion: forged },
      { 'X-Forwarded-User': 'admin', 'X-Forwarded-Groups': 'Admin', 'X-Latchgate-Assertion': forged },
      // A token that Superset itself would take: its administrator's.
      { Authorization: `Bearer ${await admin.token()}` },
    ];
    for (const headers of claims) {
      const { status, body } = await alice.fetch('/api/v1/me/', headers);
      expect([headers, status, body.result?.username]).toEqual([headers, 200, 'alice']);
    }
    const stranger = await open();
    await stranger.context.setExtraHTTPHeaders({ 'X-Forwarded-User': 'admin', 'X-Latchgate-Assertion': forged });
    await stranger.goto(WELCOME);
    await stranger.atKeycloak();
    await stranger.close();
  });

  it('logs out from Superset’s own menu, everywhere', async () => {
    const cookie = await alice.sessionCookie();
    await alice.goto(WELCOME);
    await welcomed(alice);
    await alice.page.getByText('Settings').first().hover();
    await alice.page.getByText('Logout').first().waitFor();
    await alice.shoot('superset-4-menu');
    await alice.page.getByText('Logout').first().click();
    await alice.page.getByRole('button', { name: 'Log out' }).waitFor();
    await alice.shoot('superset-5-logout-page');
    await alice.logOut();

    expect((await send(gateway, '/api/v1/me/', { cookies: [cookie] })).status).toBe(401);
    const page = await send(gateway, WELCOME, { cookies: [cookie], headers: { accept: 'text/html' } });
    expect([page.status, page.headers.location]).toEqual([302, LOGIN]);
  });

  it('keeps what was given by hand when her group changes, and loses what we gave', async () => {
    await admin.createGroup('by-hand');
    await admin.giveByHand('alice', { role: 'Finance', group: 'by-hand' });
    const before = await admin.account('alice');
    expect(before).toMatchObject({ roles: ['Alpha', 'Finance', 'sql_lab'], groups: ['builders', 'by-hand'] });
    await keycloak.admin.setUserGroups('alice', ['User']);
    await keycloak.admin.updateUser('alice', { lastName: 'Adams-Baker' });

    await alice.goto(WELCOME);
    await alice.logInAs('alice');
    await welcomed(alice);
    expect(await admin.account('alice')).toEqual({
      ...before,
      last_name: 'Adams-Baker',
      roles: ['Finance', 'Gamma', 'sql_lab'],
      groups: ['by-hand', 'readers'],
    });
  });
});

describe('others', () => {
  it('without any group get the default', async () => {
    const carol = await open();
    await carol.goto('/');
    await carol.logInAs('carol');
    await welcomed(carol);
    await carol.shoot('superset-6-welcome-carol');
    expect(await me(carol)).toBe('carol');
    expect(await admin.account('carol')).toMatchObject({ first_name: 'Carol', roles: ['Gamma'], groups: [] });
    await carol.close();
  });

  it('who are suspended read why and get no account; somebody else can log in from there', async () => {
    const erin = await open();
    await erin.goto(WELCOME);
    await erin.logInAs('erin');
    const page = erin.page.locator('main');
    await page.getByText('Your BI access is suspended. Ask bi-help@acme.test.').waitFor();
    await erin.shoot('superset-7-refused');
    expect(erin.answers.at(-1)?.status()).toBe(403);
    const [code, requestId] = await page.locator('dd').allTextContents();
    expect(code).toBe('denied_by_rule');
    expect(erin.answers.at(-1)?.headers()['x-request-id']).toBe(requestId);
    expect(await admin.find('erin')).toEqual([]);

    const why = await latchgate(configFile, 'why', requestId ?? '');
    expect(why).toMatchObject({ code: 0, err: '' });
    expect(why.out).toContain('denied_by_rule');
    expect(why.out).toContain('bi-suspended');
    expect(why.out).toContain('Your BI access is suspended.');

    await page.getByRole('button', { name: 'Log in as somebody else' }).click();
    // The page brought her ID token along, so Keycloak logs her out without asking.
    await erin.logInAs('bob');
    expect(await me(erin)).toBe('bob');
    await erin.close();
  });

  it('who log in after alice in her browser are themselves, her session being over', async () => {
    expect(await me(alice)).toBe('alice');
    const hers = await alice.sessionCookie();
    const backend = (await alice.context.cookies(gateway)).filter(({ name }) => name === 'session');
    expect(backend).toHaveLength(1);
    await alice.forgetKeycloak();
    await alice.goto(LOGIN);
    await alice.logInAs('bob');
    expect(await me(alice)).toBe('bob');
    await welcomed(alice);
    await alice.shoot('superset-8-bob-after-alice');
    expect((await send(gateway, '/api/v1/me/', { cookies: [hers] })).status).toBe(401);
    // Superset's cookie is no login: with hers put back it is still bob.
    await alice.context.addCookies(backend);
    expect(await me(alice)).toBe('bob');
    await alice.close();
  });

  it('arrive where a deep link leads', async () => {
    const bob = await open();
    const link = '/dashboard/list/?pageIndex=0&sortColumn=changed_on_delta_humanized&sortOrder=asc&viewMode=table';
    await bob.goto(link);
    await bob.logInAs('bob');
    expect(bob.page.url()).toBe(gateway + link);
    await bob.page
      .getByText(/^No (data|results)/i)
      .first()
      .waitFor();
    await bob.shoot('superset-9-deep-link');
    await bob.close();
  });
});

describe('an operator', () => {
  it('disables alice while her browser is open: the next request is refused, her account is inactive', async () => {
    alice = await open();
    await alice.goto(WELCOME);
    await alice.logInAs('alice');
    expect(await me(alice)).toBe('alice');
    const cookie = await alice.sessionCookie();
    const done = await latchgate(configFile, 'users', 'disable', 'alice');
    expect(done).toMatchObject({ code: 0, err: '' });
    expect(done.out).toContain('superset: done');
    // Asked past her page, which leaves for the login by itself when a call of its own is refused.
    const api = async () => (await send(gateway, '/api/v1/me/', { cookies: [cookie] })).status;
    await eventually('her session ended', async () => (await api()) === 401, 5_000);
    expect(await admin.account('alice')).toMatchObject({ active: false });

    // Keycloak still knows her and sends her straight back.
    await alice.goto(WELCOME);
    await alice.page.getByText('person_disabled').waitFor();
    await alice.shoot('superset-10-disabled');
    expect(alice.answers.at(-1)?.status()).toBe(403);
    expect(await admin.account('alice')).toMatchObject({ active: false });
    await alice.close();
  });

  it('can tell who alice is, what happened, and that nobody changed the record', async () => {
    const shown = await latchgate(configFile, 'users', 'show', 'alice', '--json');
    expect(shown.code).toBe(0);
    expect(JSON.parse(shown.out)).toMatchObject({
      displayName: 'Alice Adams-Baker',
      email: 'alice@acme.test',
      disabled: true,
      subjects: [{ issuer: keycloak.issuer, subject: await keycloak.admin.userId('alice'), origin: 'keycloak' }],
      accounts: [{ target: TARGET, userName: 'alice', created: true, state: 'disabled' }],
    });
    const listed = await latchgate(configFile, 'audit', 'list', '--user', 'alice');
    expect(listed.code).toBe(0);
    for (const event of ['account.created', 'grant.given', 'grant.taken', 'login.allowed', 'person.disabled']) {
      expect(listed.out).toContain(event);
    }
    expect(listed.out).toMatch(/grant\.taken .*key=role:Alpha/);
    expect(listed.out).not.toContain('Finance');
    const verified = await latchgate(configFile, 'audit', 'verify');
    expect(verified).toMatchObject({ code: 0, err: '' });
    expect(verified.out).toMatch(/^\d+ records, the chain holds\n$/);
  });
});

describeDailyCheck(() => ({
  keycloak,
  superset: admin,
  config: config(),
  write: (name, text) => stage.write(name, text),
}));
