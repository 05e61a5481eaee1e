import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { Browser, type Page } from '../journey/browser.ts';
import { gooddataUser } from '../journey/company.ts';
import { type OpenBackend, type Opened, openAll, startOpenBackend } from '../journey/open-work.ts';
import { freePort, startGateway } from '../services/gateway.ts';
import { keycloakPassword, type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';
import { latchgate } from './command.ts';
import { samlJourneys } from './saml-logins.ts';
import { keycloakLogin, settings } from './settings.ts';
import { eventually, Stage } from './stage.ts';

/*
 * How sessions go on and end with the real Keycloak, whose refresh tokens can be used once, and whose reuse ends the
 * login: each of them is checked every two seconds.
 */

const DUE_MS = 2_200;
const stage = new Stage();
const browsers: Browser[] = [];
let gateway: string;
let keycloak: RunningKeycloak;
let gooddata: GoodDataEmulator;
let backend: OpenBackend;
let configFile: string;

beforeAll(async () => {
  gateway = `http://127.0.0.1:${await freePort()}`;
  keycloak = await stage.add(startKeycloak({ gatewayUrl: gateway }), (one) => one.stop());
  gooddata = await stage.add(startGoodDataEmulator({ page: true }), (one) => one.close());
  backend = await stage.add(startOpenBackend(gooddata.url), (one) => one.close());
  configFile = stage.write('latchgate.yaml', config());
  await stage.add(startGateway({ config: { file: configFile } }), (one) => one.stop());
  await keycloak.admin.recordEvents('REFRESH_TOKEN', 'REFRESH_TOKEN_ERROR');
}, 900_000);

afterAll(async () => {
  await Promise.all(browsers.map((one) => one.close()));
  await latchgate(configFile, 'sessions', 'end', '--all');
  await stage.end();
}, 120_000);

function config(): string {
  return `${settings(gateway, keycloakLogin(keycloak))}    refresh: 2s
rules:
  same-name: { when: { groups: [Admin, User] }, grant: { gooddata: { groups: ["\${match}"] } } }
default: { grant: { gooddata: {} } }
targets:
  gooddata: { type: gooddata, url: "${backend.url}", token: ${gooddata.token} }
routes: [{ path: /, to: gooddata }]
`;
}

/** Fills in Keycloak's form. */
async function logInAs(name: string, browser = newBrowser()): Promise<Browser> {
  const form = await browser.visit(`${gateway}/`);
  expect(isForm(form)).toBe(true);
  const action = /<form[^>]*id="kc-form-login"[^>]*action="([^"]+)"/.exec(form.text)?.[1]?.replaceAll('&amp;', '&');
  const fields = { username: name, password: keycloakPassword(name), credentialId: '' };
  const page = await browser.visit(action ?? '', { method: 'POST', form: fields });
  expect([page.status, page.url.href]).toEqual([200, `${gateway}/`]);
  return browser;
}

function newBrowser(): Browser {
  const browser = new Browser();
  browsers.push(browser);
  return browser;
}

const isForm = (page: Page) => page.text.includes('kc-form-login');
const cookieOf = (browser: Browser) => `latchgate=${browser.cookie(gateway, 'latchgate')}`;
const statusOf = async (browser: Browser) => (await browser.call(`${gateway}/api/v1/profile`)).status;
const opened = (browser: Browser) => openAll([gateway], gateway, cookieOf(browser));
const groupsOf = async (name: string) => gooddataUser(gooddata.state, await keycloak.admin.userId(name))?.groups;

async function expectGoesOn(work: readonly Opened[]): Promise<void> {
  const before = work.map(({ bytes }) => bytes);
  await eventually('more comes', () => work.every(({ bytes }, at) => bytes > (before[at] ?? 0)));
  expect(work.filter(({ isOver }) => isOver)).toEqual([]);
}

describe('with Keycloak', () => {
  it('a session goes on through many refreshes, each with the token of the one before', async () => {
    const carol = await logInAs('carol');
    for (let round = 0; round < 3; round += 1) {
      await sleep(DUE_MS);
      expect(await statusOf(carol)).toBe(200);
    }
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN', 'carol')).toBeGreaterThanOrEqual(3);
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN_ERROR', 'carol')).toBe(0);
  });

  it('fifty requests at the moment of a check are one refresh', async () => {
    const dave = await logInAs('dave');
    const headers = { cookie: cookieOf(dave), accept: 'application/json' };
    await sleep(DUE_MS);
    const before = await keycloak.admin.countEvents('REFRESH_TOKEN', 'dave');
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const answer = await request(`${gateway}/api/v1/profile`, { headers });
        await answer.body.dump();
        return answer.statusCode;
      }),
    );
    expect(new Set(statuses)).toEqual(new Set([200]));
    expect((await keycloak.admin.countEvents('REFRESH_TOKEN', 'dave')) - before).toBe(1);
    expect(await keycloak.admin.countEvents('REFRESH_TOKEN_ERROR', 'dave')).toBe(0);
  });

  it('a session that an administrator deletes there is over here, with what it has open, and no other', async () => {
    const [alice, bob] = [await logInAs('alice'), await logInAs('bob')];
    const [hers, his] = [await opened(alice), await opened(bob)];
    const [sid = '', ...more] = await keycloak.admin.sessions('alice');
    expect(more).toEqual([]);
    await keycloak.admin.deleteSession(sid);
    await eventually('all of hers is cut off', () => hers.every(({ isOver }) => isOver), 5_000);
    expect(await statusOf(alice)).toBe(401);
    await expectGoesOn(his);
    expect(await statusOf(bob)).toBe(200);
    const { out } = await latchgate(configFile, 'audit', 'list', '--user', 'alice@acme.test', '--json');
    expect(out).toContain('"code":"backchannel_logout"');
  });

  it('a person who is logged out of every session there is out of each here', async () => {
    const all = [await logInAs('alice'), await logInAs('alice'), await logInAs('alice')];
    const work = (await Promise.all(all.map(opened))).flat();
    // Keycloak sends the word for one of them only; the others are found by their refresh.
    await keycloak.admin.logoutUser('alice');
    await eventually('all is cut off', () => work.every(({ isOver }) => isOver));
    expect(await Promise.all(all.map(statusOf))).toEqual([401, 401, 401]);
  });

  it('a group that is taken away there is taken here by the next check', async () => {
    const alice = await logInAs('alice');
    expect(await groupsOf('alice')).toEqual(['Admin']);
    await keycloak.admin.setUserGroups('alice', ['User']);
    await sleep(DUE_MS);
    expect(await statusOf(alice)).toBe(200);
    expect(await groupsOf('alice')).toEqual(['User']);
  });

  it('a user who is disabled there is out by the next check, though nothing was sent', async () => {
    const bob = await logInAs('bob');
    const work = await opened(bob);
    await keycloak.admin.disableUser('bob');
    await eventually('all is cut off', () => work.every(({ isOver }) => isOver));
    expect(await statusOf(bob)).toBe(401);
    await keycloak.admin.enableUser('bob');
    await logInAs('bob');
  });

  it('a logout ends the session there, and the refresh token with it', async () => {
    const erin = await logInAs('erin');
    expect(await keycloak.admin.sessions('erin')).toHaveLength(1);
    const page = await erin.submit(await erin.visit(`${gateway}/.latchgate/logout`));
    expect(isForm(page)).toBe(true);
    expect(await keycloak.admin.sessions('erin')).toEqual([]);
  });
});

describe('with Keycloak by SAML', () => {
  samlJourneys(() => ({ stage, keycloak: keycloak.admin }));
});
