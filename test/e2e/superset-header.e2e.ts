import type { Browser } from 'playwright-core';
import { send } from '../integrations/superset-client.ts';
import { startChromium } from '../services/chromium.ts';
import { freePort, startGateway } from '../services/gateway.ts';
import { type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';
import { type RunningSuperset, startSuperset } from '../services/superset.ts';
import { Visitor } from './browsing.ts';
import { keycloakLogin, settings } from './settings.ts';
import { Stage } from './stage.ts';
import { SupersetAdmin } from './superset-admin.ts';

/*
 * Superset as it comes, with remote-user login: its own cookie is then the login, and whoever has it is that person,
 * whatever the header says. It has to stay on the gateway's side.
 */

const WELCOME = '/superset/welcome/';
const LOGIN = `/.latchgate/login?rd=${encodeURIComponent(WELCOME)}`;

const stage = new Stage();
let gateway: string;
let keycloak: RunningKeycloak;
let superset: RunningSuperset;
let admin: SupersetAdmin;
let browser: Browser;
let visitor: Visitor;

beforeAll(async () => {
  gateway = `http://localhost:${await freePort()}`;
  [keycloak, superset, browser] = await Promise.all([
    stage.add(startKeycloak({ gatewayUrl: gateway }), (one) => one.stop()),
    stage.add(startSuperset({ mode: 'header' }), (one) => one.stop()),
    stage.add(startChromium(), (one) => one.close()),
  ]);
  admin = new SupersetAdmin(superset);
  const file = stage.write('latchgate.yaml', config());
  await stage.add(startGateway({ config: { file } }), (one) => one.stop());
  visitor = await Visitor.open(browser, gateway);
}, 900_000);

afterAll(() => stage.end(), 120_000);

function config(): string {
  return `${settings(gateway, keycloakLogin(keycloak))}
rules:
  builders: { when: { groups: Admin }, grant: { superset: { roles: [Alpha] } } }
default: { grant: { superset: { roles: [Gamma] } } }
targets:
  superset:
    type: superset
    url: "${superset.url}"
    sign_in: header
    service_password: ${superset.service.password}
routes: [{ path: /, to: superset }]
`;
}

async function me(): Promise<string> {
  return (await visitor.fetch('/api/v1/me/')).body.result.username;
}

it('signs alice in as herself', async () => {
  await visitor.goto(WELCOME);
  await visitor.logInAs('alice');
  expect(visitor.page.url()).toBe(gateway + WELCOME);
  await visitor.page.getByText('Nothing here yet').first().waitFor();
  await visitor.shoot('superset-header-1-alice');
  expect(await me()).toBe('alice');
  expect(await admin.account('alice')).toMatchObject({ first_name: 'Alice', roles: ['Alpha'], active: true });
  expect(visitor.failures()).toEqual([]);
});

it('signs bob in after her in the same browser, whether she logged out or not', async () => {
  const hers = await visitor.sessionCookie();
  await visitor.forgetKeycloak();
  await visitor.goto(LOGIN);
  await visitor.logInAs('bob');
  expect(await me()).toBe('bob');
  await visitor.goto('/user_info/');
  await visitor.page.getByText('bob@acme.test').first().waitFor();
  await visitor.shoot('superset-header-2-bob');
  expect((await send(gateway, '/api/v1/me/', { cookies: [hers] })).status).toBe(401);
});

it('takes no word of the browser for who it is', async () => {
  const forged = { 'X-Forwarded-User': 'admin', X_Forwarded_User: 'admin', 'Remote-User': 'admin' };
  for (const path of ['/api/v1/me/', '/login/?next=/api/v1/me/']) {
    const { status, body } = await visitor.fetch(path, forged);
    expect([path, status, body.result?.username]).toEqual([path, 200, 'bob']);
  }
});

it('lets a session cookie of Superset that somebody got elsewhere count for nothing', async () => {
  const login = await send(superset.url, '/login/', { headers: { 'X-Forwarded-User': 'alice' } });
  const stolen = login.cookies.find((cookie) => cookie.startsWith('session='));
  expect((await send(superset.url, '/api/v1/me/', { cookies: [stolen ?? ''] })).status).toBe(200);
  const own = await visitor.sessionCookie();
  const { status, text } = await send(gateway, '/api/v1/me/', { cookies: [own, stolen ?? ''] });
  expect([status, JSON.parse(text).result?.username]).toEqual([200, 'bob']);
  expect((await send(gateway, '/api/v1/me/', { cookies: [stolen ?? ''] })).status).toBe(401);
});

it('logs out, and the old cookie opens nothing', async () => {
  const cookie = await visitor.sessionCookie();
  await visitor.goto('/logout/');
  await visitor.logOut();
  expect((await send(gateway, '/api/v1/me/', { cookies: [cookie] })).status).toBe(401);
  await visitor.logInAs('alice');
  expect(await me()).toBe('alice');
});

it('never gave the browser a cookie of Superset', async () => {
  const lines = await Promise.all(visitor.answers.map((answer) => answer.headerValues('set-cookie')));
  const given = lines.flat().filter((line) => !/;\s*max-age=0/i.test(line));
  expect(given.length).toBeGreaterThan(0);
  expect(given.filter((line) => !line.startsWith('latchgate'))).toEqual([]);
  const names = (await visitor.context.cookies(gateway)).map(({ name }) => name);
  expect(names).toContain('latchgate');
  expect(names).not.toContain('session');
});
