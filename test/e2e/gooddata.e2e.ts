import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import type { Browser } from 'playwright-core';
import { probe } from '../emulators/gooddata/probe.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { groupRef } from '../emulators/gooddata/state.ts';
import { send } from '../integrations/superset-client.ts';
import { startChromium } from '../services/chromium.ts';
import { freePort, startGateway } from '../services/gateway.ts';
import { type RunningKeycloak, startKeycloak } from '../services/keycloak.ts';
import { Visitor } from './browsing.ts';
import { latchgate } from './command.ts';
import { keycloakLogin, settings } from './settings.ts';
import { eventually, Stage } from './stage.ts';

/*
 * The way of superset.e2e.ts to GoodData: the emulator verifies each request's token as the real service does, against
 * the key that the gateway registered. Each step goes on from the one before.
 */

const stage = new Stage();
let gateway: string;
let configFile: string;
let keycloak: RunningKeycloak;
let gooddata: GoodDataEmulator;
let browser: Browser;
let alice: Visitor;

beforeAll(async () => {
  gateway = `http://localhost:${await freePort()}`;
  [keycloak, gooddata, browser] = await Promise.all([
    stage.add(startKeycloak({ gatewayUrl: gateway }), (one) => one.stop()),
    stage.add(startGoodDataEmulator({ page: true, seed: SEED }), (one) => one.close()),
    stage.add(startChromium(), (one) => one.close()),
  ]);
  configFile = stage.write('latchgate.yaml', config());
  await stage.add(startGateway({ config: { file: configFile } }), (one) => one.stop());
}, 900_000);

afterAll(() => stage.end(), 120_000);

const SEED = {
  groups: [{ id: 'builders' }, { id: 'by-hand' }],
  workspaces: [
    { id: 'sales', name: 'Sales', permissions: [{ assignee: groupRef('builders'), name: 'ANALYZE' }] },
    { id: 'board', name: 'Board', permissions: [{ assignee: groupRef('by-hand'), name: 'VIEW' }] },
  ],
};

function config(): string {
  return `${settings(gateway, keycloakLogin(keycloak))}
rules:
  builders: { when: { groups: Admin }, grant: { gooddata: { groups: [builders] } } }
  same-name: { when: { groups: [Admin, User] }, grant: { gooddata: { groups: ["\${match}"] } } }
  suspended: { when: { groups: bi-suspended }, deny: Your BI access is suspended. Ask bi-help@acme.test. }
default: { grant: { gooddata: { groups: [viewers] } } }
targets:
  gooddata: { type: gooddata, url: "${gooddata.url}", token: ${gooddata.token} }
routes: [{ path: /, to: gooddata }]
`;
}

// The emulator's page lets no script run, not even ours.
const open = (): Promise<Visitor> => Visitor.open(browser, gateway, { bypassCSP: true });

interface Account {
  readonly id: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly groups: readonly string[];
}

/** As its administrator reads it from the API, past the gateway. */
async function account(email: string): Promise<Account | undefined> {
  const query = new URLSearchParams({ filter: `email=='${email}'`, include: 'userGroups' });
  const { body } = await probe(gooddata, 'GET', `/api/v1/entities/users?${query}`);
  const [found, ...more] = body.data;
  if (more.length > 0) throw new Error(`${body.data.length} accounts have the address ${email}`);
  if (found === undefined) return undefined;
  const groups = found.relationships?.userGroups?.data ?? [];
  return { id: found.id, attributes: found.attributes, groups: groups.map((one: { id: string }) => one.id).sort() };
}

const me = async (visitor: Visitor, headers = {}): Promise<string | number> => {
  const { status, body } = await visitor.fetch('/api/v1/profile', headers);
  return status === 200 ? body.userId : status;
};

describe('alice', () => {
  it('logs in for the first time at Keycloak and stands in GoodData as herself', async () => {
    alice = await open();
    await alice.goto('/dashboards/42?from=mail');
    await alice.logInAs('alice');
    expect(alice.page.url()).toBe(`${gateway}/dashboards/42?from=mail`);
    await alice.page.getByRole('heading', { name: 'Alice Adams' }).waitFor();
    await alice.shoot('gooddata-1-alice');
    expect(alice.failures()).toEqual([]);
    expect(gooddata.requests.at(-1)?.caller).toEqual({ userId: await me(alice), via: 'jwt' });
  });

  it('has an account with her names, address, authentication id and groups', async () => {
    const subject = await keycloak.admin.userId('alice');
    expect(await account('alice@acme.test')).toEqual({
      id: subject,
      attributes: { authenticationId: subject, email: 'alice@acme.test', firstname: 'Alice', lastname: 'Adams' },
      groups: ['Admin', 'builders'],
    });
    expect((await probe(gooddata, 'GET', '/api/v1/entities/userGroups/Admin')).status).toBe(200);
  });

  it('is nobody else whatever her browser sends, not even a token that GoodData would take', async () => {
    const { own, foreign, register } = await tokenMaker();
    const now = Math.floor(Date.now() / 1_000);
    const good = { sub: 'admin', name: 'Administrator', iat: now, exp: now + 60 };
    const [{ kid }] = (await alice.fetch('/.latchgate/jwks.json')).body.keys;
    await register();
    const tokens: [string, string, number][] = [
      ['of the administrator', gooddata.token, 200],
      ['signed by a registered key', await own(good), 200],
      ['that has run out', await own({ ...good, iat: now - 900, exp: now - 600 }), 401],
      ['signed by a stranger under a registered name', await foreign(good, 'journey'), 401],
      ['signed by a stranger under a name of the gateway', await foreign(good, kid), 401],
    ];
    for (const [what, bearer, direct] of tokens) {
      const past = await probe(gooddata, 'GET', '/api/v1/profile', { bearer });
      expect([what, past.status]).toEqual([what, direct]);
      const headers = { Authorization: `Bearer ${bearer}` };
      expect([what, await me(alice, headers)]).toEqual([what, (await account('alice@acme.test'))?.id]);
      const without = await send(gateway, '/api/v1/profile', { headers });
      expect([what, without.status]).toEqual([what, 401]);
    }
  });

  it('keeps what was given by hand when her group changes, and loses what we gave', async () => {
    const before = await account('alice@acme.test');
    const members = { members: [{ id: before?.id }] };
    const path = '/api/v1/actions/userManagement/userGroups/by-hand/addMembers';
    expect((await probe(gooddata, 'POST', path, { body: members })).status).toBe(204);
    await keycloak.admin.setUserGroups('alice', ['User']);
    await keycloak.admin.updateUser('alice', { lastName: 'Adams-Baker' });

    const cookie = await alice.sessionCookie();
    await alice.page.getByRole('link', { name: 'Log out' }).click();
    await alice.logOut();
    expect((await send(gateway, '/api/v1/profile', { cookies: [cookie] })).status).toBe(401);
    await alice.logInAs('alice');
    await alice.page.getByRole('heading', { name: 'Alice Adams-Baker' }).waitFor();
    await alice.shoot('gooddata-2-alice-moved');
    expect(await account('alice@acme.test')).toEqual({
      ...before,
      attributes: { ...before?.attributes, lastname: 'Adams-Baker' },
      groups: ['User', 'by-hand'],
    });
  });
});

describe('others', () => {
  it('without any group get the default', async () => {
    const carol = await open();
    await carol.goto('/');
    await carol.logInAs('carol');
    await carol.page.getByRole('heading', { name: 'Carol Clark' }).waitFor();
    await carol.shoot('gooddata-3-carol');
    expect((await account('carol@acme.test'))?.groups).toEqual(['viewers']);
    await carol.close();
  });

  it('who are suspended read why, and get no account', async () => {
    const erin = await open();
    await erin.goto('/');
    await erin.logInAs('erin');
    await erin.page.getByText('Your BI access is suspended. Ask bi-help@acme.test.').waitFor();
    const [code, requestId] = await erin.page.locator('dd').allTextContents();
    expect(code).toBe('denied_by_rule');
    expect(await account('erin@acme.test')).toBeUndefined();
    const why = await latchgate(configFile, 'why', requestId ?? '');
    expect(why.code).toBe(0);
    expect(why.out).toContain('bi-suspended');
    await erin.close();
  });

  it('who log in after alice in her browser are themselves', async () => {
    expect(await me(alice)).toBe(await keycloak.admin.userId('alice'));
    const hers = await alice.sessionCookie();
    await alice.forgetKeycloak();
    await alice.goto('/.latchgate/login?rd=/');
    await alice.logInAs('bob');
    await alice.page.getByRole('heading', { name: 'Bob Brown' }).waitFor();
    await alice.shoot('gooddata-4-bob-after-alice');
    expect(await me(alice)).toBe(await keycloak.admin.userId('bob'));
    expect((await send(gateway, '/api/v1/profile', { cookies: [hers] })).status).toBe(401);
    await alice.close();
  });
});

it('alice disabled while her browser is open is out, without a grant of ours', async () => {
  alice = await open();
  await alice.goto('/');
  await alice.logInAs('alice');
  await alice.page.getByRole('heading', { name: 'Alice Adams-Baker' }).waitFor();
  const done = await latchgate(configFile, 'users', 'disable', 'alice@acme.test');
  expect(done).toMatchObject({ code: 0, err: '' });
  await eventually('her session ended', async () => (await me(alice)) === 401, 5_000);
  // GoodData has no switch for an account: what we gave goes, what was given by hand is not ours to take.
  expect((await account('alice@acme.test'))?.groups).toEqual(['by-hand']);
  await alice.goto('/');
  await alice.page.getByText('person_disabled').waitFor();
  expect((await latchgate(configFile, 'audit', 'verify')).code).toBe(0);
});

/** Tokens by a key of our own, which `register` makes GoodData take, and by one that it never saw. */
async function tokenMaker() {
  const [own, foreign] = await Promise.all([generateKeyPair('RS256', { extractable: true }), generateKeyPair('RS256')]);
  const sign = (key: Parameters<SignJWT['sign']>[0], claims: Record<string, unknown>, kid: string) =>
    new SignJWT(claims).setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid }).sign(key);
  return {
    own: (claims: Record<string, unknown>) => sign(own.privateKey, claims, 'journey'),
    foreign: (claims: Record<string, unknown>, kid: string) => sign(foreign.privateKey, claims, kid),
    register: async () => {
      const content = { ...(await exportJWK(own.publicKey)), alg: 'RS256', use: 'sig', kid: 'journey' };
      const body = { data: { id: 'journey', type: 'jwk', attributes: { content } } };
      const { status } = await probe(gooddata, 'POST', '/api/v1/entities/jwks', { body });
      if (status !== 201) throw new Error(`the key was not registered: ${status}`);
    },
  };
}
