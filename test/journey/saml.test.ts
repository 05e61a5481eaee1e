import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { readXml } from '../../src/login/saml/xml.ts';
import { newKey, SamlIdp, type SamlLies } from '../emulators/saml/idp.ts';
import type { Browser, Page } from './browser.ts';
import { GOODDATA, gooddataPeople, gooddataUser } from './company.ts';
import { type Journey, startJourney } from './harness.ts';

/* One gateway with a provider by SAML, all the way to an account in GoodData and a page of it. */

let journey: Journey;
const idp = new SamlIdp();

beforeAll(async () => {
  journey = await startJourney({
    issuer: 'http://127.0.0.1:1',
    sections: {
      ...GOODDATA,
      login: `
  partners:
    type: saml
    metadata: '${idp.metadata()}'
    groups_absent: empty
    claims: { groups: "urn:oid:1.3.6.1.4.1.5923.1.5.1.1" }`,
    },
  });
});
afterAll(() => journey.close());

const base = () => `${journey.url}/.latchgate/saml/partners`;
const GROUPS = 'urn:oid:1.3.6.1.4.1.5923.1.5.1.1';

/** To the provider and back; what it posts comes from its own site. */
async function logIn(browser: Browser, groups: readonly string[], lies: SamlLies = {}): Promise<Page> {
  const start = await browser.visit(`${journey.url}/.latchgate/login?rd=/dashboards/7`, { follow: false });
  const { searchParams } = new URL(String(start.headers['location']));
  const request = readXml(inflateRawSync(Buffer.from(searchParams.get('SAMLRequest') ?? '', 'base64')).toString());
  const about = {
    audience: `${base()}/metadata`,
    recipient: `${base()}/acs`,
    inResponseTo: request.getAttribute('ID') ?? '',
  };
  const attributes = {
    mail: ['alice@example.com'],
    givenName: ['Alice'],
    ...(groups.length === 0 ? {} : { [GROUPS]: groups }),
  };
  const SAMLResponse = await idp.respond(about, { attributes, ...lies });
  const form = { SAMLResponse, RelayState: searchParams.get('RelayState') ?? '' };
  return browser.visit(`${base()}/acs`, { method: 'POST', form, headers: { origin: idp.address } });
}

const groupsOfAlice = () => gooddataUser(journey.gooddata.state, 'alice')?.groups;

it('a login makes the account with its groups and ends on the page; the next one takes and gives groups', async () => {
  const page = await logIn(journey.browser(), ['analysts', 'finance']);
  expect([page.status, page.url.href]).toEqual([200, `${journey.url}/dashboards/7`]);
  expect(groupsOfAlice()).toEqual(['analysts', 'finance']);
  expect(gooddataUser(journey.gooddata.state, 'alice')).toMatchObject({
    email: 'alice@example.com',
    firstname: 'Alice',
  });
  await logIn(journey.browser(), ['finance', 'sales']);
  expect(groupsOfAlice()).toEqual(['finance', 'sales']);
  await logIn(journey.browser(), []);
  expect(groupsOfAlice()).toEqual([]);
});

it('an answer that does not hold makes nobody', async () => {
  const before = gooddataPeople(journey.gooddata.state);
  const page = await logIn(journey.browser(), ['admins'], { subject: 'mallory', key: newKey() });
  expect(page.status).toBe(403);
  expect(page.text).toContain('saml_signature_invalid');
  expect(gooddataPeople(journey.gooddata.state)).toEqual(before);
  const [, id = ''] = /<dt>Request<\/dt><dd>([^<]+)/.exec(page.text) ?? [];
  expect((await journey.cli('why', id)).out).toContain('saml_signature_invalid');
});

it('a logout at the provider ends the session before the next request', async () => {
  const browser = journey.browser();
  await logIn(browser, []);
  const status = async () => (await browser.call(`${journey.url}/api/v1/profile`)).status;
  expect(await status()).toBe(200);
  const form = { SAMLRequest: idp.logoutForm(`${base()}/slo`) };
  await journey.browser().visit(`${base()}/slo`, { method: 'POST', form });
  expect(await status()).toBe(401);
  expect((await journey.cli('audit', 'list', '--user', 'alice@example.com', '--json')).out).toContain(
    'backchannel_logout',
  );
});

it('explain says what attributes would give, and that there are no tokens to verify', async () => {
  const file = join(journey.folder, 'claims.json');
  writeFileSync(file, JSON.stringify({ sub: 'bob', mail: 'bob@example.com', [GROUPS]: 'sales' }));
  const { code, out } = await journey.cli('explain', '--origin', 'partners', '--claims', file, '--json');
  expect([code, JSON.parse(out)]).toMatchObject([0, { decision: 'allow', groups: [{ value: 'sales', kept: true }] }]);
  const token = await journey.cli('explain', '--origin', 'partners', '--token', file);
  expect([token.code, token.err]).toMatchObject([64, expect.stringContaining('usage: a login by SAML has no tokens')]);
});
