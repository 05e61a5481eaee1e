import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { Browser, isChoice, type Page, refusalOn } from '../journey/browser.ts';
import { claimsOf, GROUPS, person } from '../journey/company.ts';
import { type OpenBackend, startOpenBackend } from '../journey/open-work.ts';
import { scimSection } from '../journey/scim-client.ts';
import { freePort, type RunningGateway, startGateway } from '../services/gateway.ts';
import { type RunningSuperset, startSuperset } from '../services/superset.ts';
import { latchgate } from './command.ts';
import { describePushes, PUSHED_PEOPLE, PUSHED_RULES } from './pushed-people.ts';
import { settings } from './settings.ts';
import { type SilentProxy, startSilentProxy } from './silent-proxy.ts';
import { Stage } from './stage.ts';
import { type SupersetAccount, SupersetAdmin } from './superset-admin.ts';

/*
 * What the real Superset makes of a crowd, of a gateway that is killed, and of people who are pushed. The provider is the
 * embedded one, which lets fifty people in at once.
 */

const MANY = 50;
const TARGET = 'superset';
const WELCOME = '/superset/welcome/';
const CLIENT = { id: 'latchgate', secret: 'a secret that only tests know' };
const TEAM_A = { [GROUPS]: ['team-a', 'builders'] };

const stage = new Stage();
let address: string;
let configFile: string;
let provider: OidcEmulator;
let superset: RunningSuperset;
let admin: SupersetAdmin;
let proxy: SilentProxy;
let front: OpenBackend;
let gooddata: GoodDataEmulator;
let gateway: RunningGateway;

beforeAll(async () => {
  address = `http://127.0.0.1:${await freePort()}`;
  const jwks = `${address}/.latchgate/jwks.json`;
  superset = await stage.add(
    startSuperset({ mode: 'assertion', jwks, issuer: address, audience: TARGET, roles: ['Finance'] }),
    (one) => one.stop(),
  );
  admin = new SupersetAdmin(superset);
  proxy = await stage.add(
    startSilentProxy(() => superset.url),
    (one) => one.close(),
  );
  front = await stage.add(startOpenBackend(proxy.url), (one) => one.close());
  gooddata = await stage.add(startGoodDataEmulator({ seed: { groups: [{ id: 'finance' }] } }), (one) => one.close());
  provider = await stage.add(
    startOidcProvider({
      people: [...['many', 'dora', 'finn'].map((sub) => person(sub, TEAM_A)), ...PUSHED_PEOPLE],
      clients: [{ ...CLIENT, redirectUris: [`${address}/.latchgate/callback/acme`] }],
    }),
    (one) => one.close(),
  );
  configFile = stage.write('latchgate.yaml', config());
  gateway = await startGateway({ config: { file: configFile } });
}, 900_000);

afterAll(async () => {
  await gateway?.stop();
  await stage.end();
}, 120_000);

function config(): string {
  return `${settings(address, { name: 'acme', issuer: provider.issuer, ...CLIENT })}
rules:
  builders: { when: { groups: builders }, grant: { superset: { roles: [Alpha] } } }
  teams: { when: { groups: "team-*" }, grant: { superset: { groups: ["\${match}"] } } }
  everybody: { grant: { superset: { roles: [Gamma] } } }${PUSHED_RULES}
targets:
  superset: { type: superset, url: "${front.url}" }
  gooddata: { type: gooddata, url: "${gooddata.url}", token: ${gooddata.token} }
routes: [{ path: /, to: superset }]
scim: ${scimSection('claims: { kind: userType }')}
`;
}

/** Whom Superset takes somebody for who logs in in a new browser. */
async function logIn(sub: string): Promise<string> {
  const browser = new Browser();
  try {
    const page = await browser.logIn(address + WELCOME, sub);
    if (page.status !== 200) throw new Error(`${sub} sees ${JSON.stringify(refusalOn(page))}`);
    return await whoIs(browser);
  } finally {
    await browser.close();
  }
}

async function whoIs(browser: Browser): Promise<string> {
  const { status, text } = await browser.call(`${address}/api/v1/me/`);
  return status === 200 ? JSON.parse(text).result.username : String(status);
}

async function shown(sub: string) {
  const { out } = await latchgate(configFile, 'users', 'show', sub, '--json');
  const { accounts, grants } = JSON.parse(out);
  const keys = grants.map((one: Record<string, unknown>) => `${one['kind']} ${one['name']} ${one['confirmed']}`);
  return { accounts, grants: keys.sort() };
}

/** Of the gateway's log. That Superset has an account of its own before anybody logged in is none. */
function complaints(): string[] {
  const all = gateway.log.filter((line) => /"level":"(error|warn)"/.test(line));
  return all.filter((line) => !line.includes('nothing is remembered of a target'));
}

/** What the rules make of TEAM_A. */
function asGiven(sub: string): SupersetAccount {
  return {
    id: expect.any(Number) as unknown as number,
    username: sub,
    first_name: sub.charAt(0).toUpperCase() + sub.slice(1),
    last_name: 'Adams',
    email: `${sub}@acme.test`,
    active: true,
    roles: ['Alpha', 'Gamma'],
    groups: ['team-a'],
  };
}

describe('fifty first logins of one new person at once', () => {
  let browsers: Browser[];
  let pages: Page[];

  it('let everybody in, and nobody sees an error on the way', async () => {
    browsers = Array.from({ length: MANY }, () => new Browser());
    const choices = await Promise.all(browsers.map((browser) => browser.visit(address + WELCOME)));
    expect(choices.filter((page) => !isChoice(page)).map((page) => page.trail)).toEqual([]);
    pages = await Promise.all(browsers.map((browser, at) => browser.choose(choices[at] as Page, 'many')));
    expect(pages.flatMap(({ trail }) => trail.filter(({ status }) => status >= 400))).toEqual([]);
    expect(new Set(pages.map(({ url }) => url.href))).toEqual(new Set([address + WELCOME]));
    expect(new Set(await Promise.all(browsers.map(whoIs)))).toEqual(new Set(['many']));
    expect(complaints()).toEqual([]);
  });

  it('make one account with its groups and roles, and a group only once', async () => {
    expect(await admin.find('many')).toEqual([asGiven('many')]);
    expect(await admin.groups('team-a')).toHaveLength(1);
    expect(await shown('many')).toEqual({
      accounts: [expect.objectContaining({ userName: 'many', created: true, state: 'ready' })],
      grants: ['group team-a true', 'role Alpha true', 'role Gamma true'],
    });
  });

  it('are fifty sessions, of which each can end alone', async () => {
    const { out } = await latchgate(configFile, 'sessions', 'list', '--json');
    expect(out.trim().split('\n')).toHaveLength(MANY);
    await Promise.all(browsers.map((browser) => browser.close()));
  });
});

/** Somebody logs in; the gateway is killed when Superset has done the call and the gateway does not know it yet. */
async function killAfter(sub: string, method: string, path: RegExp): Promise<void> {
  const done = proxy.keepBack(method, path);
  const login = logIn(sub).then(
    () => 'in',
    () => 'cut off',
  );
  expect(await done).toBeLessThan(300);
  await gateway.kill9();
  expect(await login).toBe('cut off');
  proxy.passOn();
  gateway = await startGateway({ config: { file: configFile } });
}

describe('kill -9 between Superset’s work and our record of it', () => {
  it('when the account was made: the next login takes it up, and what it has is ours to take away', async () => {
    await killAfter('dora', 'POST', /^\/api\/v1\/security\/users\/$/);
    const [made, ...more] = await admin.find('dora');
    expect([made, more]).toEqual([asGiven('dora'), []]);

    expect(await logIn('dora')).toBe('dora');
    expect(await admin.find('dora')).toEqual([made]);
    expect(await shown('dora')).toEqual({
      accounts: [expect.objectContaining({ accountId: String(made?.id), created: true, state: 'ready' })],
      grants: ['group team-a true', 'role Alpha true', 'role Gamma true'],
    });

    await admin.giveByHand('dora', { role: 'Finance', group: 'team-a' });
    provider.setClaims('dora', claimsOf('dora', { [GROUPS]: ['team-b'] }));
    expect(await logIn('dora')).toBe('dora');
    expect(await admin.find('dora')).toEqual([{ ...made, roles: ['Finance', 'Gamma'], groups: ['team-b'] }]);
  });

  it('when a group was made: the next login makes the account, and no second group', async () => {
    provider.setClaims('finn', claimsOf('finn', { [GROUPS]: ['team-c', 'builders'] }));
    await killAfter('finn', 'POST', /^\/api\/v1\/security\/groups\/$/);
    expect([await admin.find('finn'), await admin.groups('team-c')]).toEqual([[], [expect.any(Number)]]);
    expect(await logIn('finn')).toBe('finn');
    expect(await admin.find('finn')).toEqual([{ ...asGiven('finn'), groups: ['team-c'] }]);
    expect(await admin.groups('team-c')).toHaveLength(1);
  });

  it('when a role was taken away: it stays away, and given by hand it is not ours', async () => {
    provider.setClaims('finn', claimsOf('finn', { [GROUPS]: ['team-c'] }));
    await killAfter('finn', 'PUT', /^\/api\/v1\/security\/users\/\d+$/);
    expect(await admin.account('finn')).toMatchObject({ roles: ['Gamma'], groups: ['team-c'] });
    expect(await logIn('finn')).toBe('finn');
    await admin.giveByHand('finn', { role: 'Alpha', group: 'team-c' });
    expect(await logIn('finn')).toBe('finn');
    expect(await admin.account('finn')).toMatchObject({ roles: ['Alpha', 'Gamma'], groups: ['team-c'] });
  });

  it('leaves a record that holds', async () => {
    expect(await latchgate(configFile, 'audit', 'verify')).toMatchObject({ code: 0, err: '' });
    const { out } = await latchgate(configFile, 'audit', 'list', '--user', 'dora', '--json');
    const records = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const made = records.filter(({ event }) => event === 'account.created');
    expect(made).toEqual([expect.objectContaining({ key: 'dora', after: { recovered: true } })]);
  });
});

describePushes(() => ({ gateway: address, configFile, admin, gooddata }));
