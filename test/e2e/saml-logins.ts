import type { Browser, Page } from 'playwright-core';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import { newKey } from '../emulators/saml/idp.ts';
import { startChromium } from '../services/chromium.ts';
import { freePort, startGateway } from '../services/gateway.ts';
import type { KeycloakAdmin } from '../services/keycloak-admin.ts';
import { Visitor } from './browsing.ts';
import { eventually, type Stage } from './stage.ts';

/** What the journeys by SAML run on: a gateway and a backend of their own beside the Keycloak that is there. */
export interface SamlStage {
  readonly stage: Stage;
  readonly keycloak: KeycloakAdmin;
}

const ZOE = { username: 'zoe', password: 'zoe-password', email: 'zoe@beta.test', firstName: 'Zoe', lastName: 'Zimmer' };

/**
 * Logins at two realms, which are two identity providers, in Chromium: one that wants our requests signed and encrypts its
 * assertions, and one that does neither.
 */
export function samlJourneys(use: () => SamlStage): void {
  let gateway: string;
  let chromium: Browser;
  let acme: KeycloakAdmin;
  let gooddata: GoodDataEmulator;
  let log: readonly string[];

  beforeAll(async () => {
    const { stage, keycloak } = use();
    acme = keycloak;
    gooddata = await stage.add(startGoodDataEmulator({ page: true }), (one) => one.close());
    gateway = `http://127.0.0.1:${await freePort()}`;
    const [signing, decryption] = [newKey(), newKey()];
    const base = (name: string) => `${gateway}/.latchgate/saml/${name}`;
    const keys = { signing: signing.certificate, encryption: decryption.certificate };
    await acme.createSamlClient({ entityId: `${base('acme')}/metadata`, base: base('acme'), ...keys });
    const beta = await acme.createRealm('beta', { ...ZOE, groups: ['User'] });
    await beta.createSamlClient({ entityId: `${base('beta')}/metadata`, base: base('beta') });
    const pem = (name: string, { key, certificate }: typeof signing) => stage.write(name, key + certificate);
    const file = stage.write(
      'saml.yaml',
      `
version: 1
public_url: ${gateway}
listen: 127.0.0.1:${new URL(gateway).port}
admin_listen: 127.0.0.1:0
state: { database: "sqlite:./saml-state/latchgate.db" }
session: { secrets: [the journey keeps no secret from anybody] }
login:
  acme:
    type: saml
    label: Acme
    metadata: ${acme.samlMetadata()}
    idp_entity_id: ${acme.samlEntityId()}
    signing_key: "\${file:${pem('signing.pem', signing)}}"
    decryption_key: "\${file:${pem('decryption.pem', decryption)}}"
    groups_absent: empty
  beta: { type: saml, metadata: "${beta.samlMetadata()}", idp_entity_id: "${beta.samlEntityId()}", email_domains: [beta.test] }
rules:
  same-name: { when: { groups: [Admin, User] }, grant: { gooddata: { groups: ["\${match}"] } } }
default: { grant: { gooddata: {} } }
targets:
  gooddata: { type: gooddata, url: "${gooddata.url}", token: ${gooddata.token} }
routes: [{ path: /, to: gooddata }]
`,
    );
    ({ log } = await stage.add(startGateway({ config: { file } }), (one) => one.stop()));
    chromium = await stage.add(startChromium(), (one) => one.close());
  }, 300_000);

  const visit = () => Visitor.open(chromium, gateway);

  /** Chooses Acme, and fills in Keycloak's form. */
  async function logInAtAcme(visitor: Visitor, name: string): Promise<void> {
    await visitor.goto('/');
    await visitor.page.getByRole('link', { name: 'Acme' }).click();
    await visitor.logInAs(name);
    await arrived(visitor.page, log);
  }

  async function arrived(page: Page, lines: readonly string[]): Promise<void> {
    await page.waitForURL(`${gateway}/`, { waitUntil: 'domcontentloaded' }).catch((error: unknown) => {
      throw new Error(`the login ended at ${page.url()}: ${lines.slice(-5).join('\n')}`, { cause: error });
    });
  }

  /** With the cookies of the browser, and no script of a page. */
  const whoIs = (visitor: Visitor) =>
    visitor.context.request.get(`${gateway}/.latchgate/userinfo`, { headers: { accept: 'application/json' } });
  const userOf = async (visitor: Visitor): Promise<unknown> => (await whoIs(visitor)).json();
  const groupsOf = (email: string): string[] => {
    const user = [...gooddata.state.users.values()].find(({ attributes }) => attributes['email'] === email);
    return (user?.relationships['userGroups'] ?? []).map(({ id }) => id).sort();
  };

  it('a person who chooses Acme is in, with the groups of there; what changes there counts at the next login', async () => {
    const visitor = await visit();
    await acme.setUserGroups('alice', ['Admin']);
    await logInAtAcme(visitor, 'alice');
    expect(await userOf(visitor)).toMatchObject({ email: 'alice@acme.test', groups: ['Admin'] });
    expect(groupsOf('alice@acme.test')).toEqual(['Admin']);
    await visitor.close();
    await acme.setUserGroups('alice', ['User', 'Admin']);
    const next = await visit();
    await logInAtAcme(next, 'alice');
    expect(groupsOf('alice@acme.test')).toEqual(['Admin', 'User']);
    await next.close();
  });

  it('whoever types an address of the other provider gets there, and both are in at once', async () => {
    const [zoe, alice] = [await visit(), await visit()];
    await zoe.goto('/');
    await zoe.page.getByLabel('or by your e-mail address').fill(ZOE.email);
    await zoe.page.keyboard.press('Enter');
    await zoe.page.locator('#username').fill(ZOE.username);
    await zoe.page.locator('#password').fill(ZOE.password);
    await zoe.page.locator('#kc-login').click();
    await arrived(zoe.page, log);
    await logInAtAcme(alice, 'alice');
    expect(await userOf(zoe)).toMatchObject({ email: ZOE.email, groups: ['User'] });
    expect(await userOf(alice)).toMatchObject({ email: 'alice@acme.test' });
    await zoe.close();
    await alice.close();
  });

  it('a logout here ends the session there', async () => {
    const visitor = await visit();
    const before = await acme.sessions('erin');
    await logInAtAcme(visitor, 'erin');
    expect(await acme.sessions('erin')).toHaveLength(before.length + 1);
    await visitor.goto('/.latchgate/logout');
    await visitor.page.getByRole('button', { name: 'Log out' }).click();
    await visitor.page.getByRole('heading', { name: 'You are not logged in' }).waitFor();
    expect(await acme.sessions('erin')).toEqual(before);
    await visitor.close();
  });

  it('a session that an administrator deletes there is over here', async () => {
    const visitor = await visit();
    await logInAtAcme(visitor, 'dave');
    for (const id of await acme.sessions('dave')) await acme.deleteSession(id);
    await eventually('the session is over', async () => (await whoIs(visitor)).status() === 401);
    await visitor.close();
  });

  it('a key that is new there lets people in at the next login', async () => {
    await acme.rotateKey();
    const visitor = await visit();
    await logInAtAcme(visitor, 'bob');
    expect(await userOf(visitor)).toMatchObject({ email: 'bob@acme.test' });
    await visitor.close();
  });
}
