import { createPublicKey, verify, X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { elementsOf, readXml } from '../../src/login/saml/xml.ts';
import { newKey, SamlIdp } from '../emulators/saml/idp.ts';
import { type Balancer, startBalancer } from './balancer.ts';
import type { Browser } from './browser.ts';
import { GOODDATA } from './company.ts';
import { type Instance, type Journey, startJourney } from './harness.ts';

// What docs/operations.md says of the keys of SAML, as it says it: two instances, restarted one after the other.
const GROUPS = 'urn:oid:1.3.6.1.4.1.5923.1.5.1.1';
const idp = new SamlIdp();
const former = { signing: newKey(), decryption: newKey() };
const next = { signing: newKey(), decryption: newKey() };

let journey: Journey;
let balancer: Balancer;
const serving: Instance[] = [];
/** Certificates by which the provider takes a request for one of ours. */
let believed: readonly string[] = [former.signing.certificate];
/** For which it encrypts, until it is told otherwise. */
let encryptFor = former.decryption.certificate;

const file = (name: string) => join(journey.folder, `${name}.pem`);
const put = (name: string, { key, certificate }: { readonly key: string; readonly certificate: string }) =>
  writeFileSync(file(name), key + certificate, { mode: 0o600 });

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
    signing_key: "\${file:./signing.pem}"
    decryption_key: "\${file:./decryption.pem}"
    claims: { groups: "${GROUPS}" }`,
    },
    start: false,
  });
  put('signing', former.signing);
  put('decryption', former.decryption);
  for (const _ of [1, 2]) serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
  balancer = await startBalancer(Number(new URL(journey.url).port), serving);
});
afterAll(async () => {
  await balancer?.close();
  await journey.close();
});

const base = () => `${journey.url}/.latchgate/saml/partners`;

/** To the provider, which checks who asks, and back with what is encrypted. */
async function logIn(): Promise<Browser> {
  const browser = journey.browser();
  const start = await browser.visit(`${journey.url}/.latchgate/login`, { follow: false });
  const [, query = ''] = String(start.headers['location']).split('?');
  const signed = Buffer.from(query.slice(0, query.indexOf('&Signature=')));
  const asked = new URLSearchParams(query);
  const signature = Buffer.from(asked.get('Signature') ?? '', 'base64');
  const isOurs = believed.some((one) => verify('sha256', signed, createPublicKey(one), signature));
  if (!isOurs) throw new Error('signed by nobody whom the provider believes');
  const request = readXml(inflateRawSync(Buffer.from(asked.get('SAMLRequest') ?? '', 'base64')).toString());
  const about = {
    audience: `${base()}/metadata`,
    recipient: `${base()}/acs`,
    inResponseTo: request.getAttribute('ID') ?? '',
  };
  const attributes = { mail: ['alice@example.com'], givenName: ['Alice'], [GROUPS]: ['analysts'] };
  const form = {
    SAMLResponse: await idp.respond(about, { attributes, encryptFor }),
    RelayState: asked.get('RelayState') ?? '',
  };
  const page = await browser.visit(`${base()}/acs`, { method: 'POST', form, headers: { origin: idp.address } });
  expect([page.status, page.url.origin]).toEqual([200, journey.url]);
  return browser;
}

/** What the provider reads in our metadata. */
async function published(use: 'signing' | 'encryption'): Promise<string> {
  const { text } = await journey.browser().call(`${base()}/metadata`);
  const [descriptor] = elementsOf(readXml(text));
  const key = descriptor && elementsOf(descriptor).find((one) => one.getAttribute('use') === use);
  return `-----BEGIN CERTIFICATE-----\n${key?.textContent?.trim() ?? ''}\n-----END CERTIFICATE-----\n`;
}

const isSame = (one: string, other: string) =>
  new X509Certificate(one).fingerprint256 === new X509Certificate(other).fingerprint256;

/** One instance after the other; people log in before, between and after. Returns them. */
async function restartAll(): Promise<Browser[]> {
  const here = [await logIn()];
  for (const instance of [...serving]) {
    serving.splice(serving.indexOf(instance), 1);
    await instance.stop();
    serving.push(await journey.start({ GATEWAY_LISTEN: '127.0.0.1:0' }));
    // One at each instance.
    here.push(await logIn(), await logIn());
  }
  return here;
}

async function expectAllIn(browsers: readonly Browser[]): Promise<void> {
  for (const browser of browsers) expect((await browser.call(`${journey.url}/api/v1/profile`)).status).toBe(200);
}

it('signing_key: the provider takes both certificates until every instance has the new key', async () => {
  believed = [former.signing.certificate, next.signing.certificate];
  put('signing', next.signing);
  const here = await restartAll();
  believed = [next.signing.certificate];
  await expectAllIn([...here, await logIn()]);
  expect(isSame(await published('signing'), next.signing.certificate)).toBe(true);
}, 60_000);

it('decryption_key: the next one opens before anybody is told of it, the former one until the provider knows', async () => {
  const text = readFileSync(journey.configFile, 'utf8');
  const other = text.replace(/(decryption_key: .*)/, '$1\n    other_decryption_key: "${file:./other.pem}"');
  expect(other).not.toBe(text);
  writeFileSync(journey.configFile, other);
  put('other', next.decryption);
  const here = await restartAll();
  expect(isSame(await published('encryption'), former.decryption.certificate)).toBe(true);

  put('decryption', next.decryption);
  put('other', former.decryption);
  here.push(...(await restartAll()));
  encryptFor = await published('encryption');
  expect(isSame(encryptFor, next.decryption.certificate)).toBe(true);

  writeFileSync(journey.configFile, text);
  here.push(...(await restartAll()));
  await expectAllIn([...here, await logIn()]);
}, 60_000);

it('and then neither the former key nor its certificate is worth anything', async () => {
  encryptFor = former.decryption.certificate;
  await expect(logIn()).rejects.toThrow();
  encryptFor = next.decryption.certificate;
  await logIn();
  believed = [former.signing.certificate];
  await expect(logIn()).rejects.toThrow('nobody whom the provider believes');
});
