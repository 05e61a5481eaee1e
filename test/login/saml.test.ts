import { createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inflateRawSync } from 'node:zlib';
import { SignedXml } from 'xml-crypto';
import { parseIdpMetadata } from '../../src/login/saml/metadata.ts';
import { ownKeyOf } from '../../src/login/saml/own-key.ts';
import { childrenOf, NS, readXml } from '../../src/login/saml/xml.ts';
import { newKey, SamlIdp } from '../emulators/saml/idp.ts';
import { refusal, SIGNAL } from './oidc-harness.ts';
import { ACS, ENTITY_ID, newLogin, SamlHarness, SLO } from './saml-harness.ts';

const signing = newKey();
const decryption = newKey();

let plain: SamlHarness;
let keyed: SamlHarness;

beforeAll(async () => {
  plain = await SamlHarness.open();
  keyed = await SamlHarness.open({ signing_key: signing.key, decryption_key: decryption.key }, plain.idp);
});
afterAll(async () => {
  await plain.close();
  await keyed.close();
});

const state = 'a-state';

describe('a login', () => {
  it('goes to the provider by redirect, with an id that only this login has, and asks for no kind of authentication', async () => {
    const transaction = newLogin();
    const address = new URL(String(await plain.provider.begin({ state, transaction })));
    expect(address.origin + address.pathname).toBe('http://127.0.0.1:2/sso');
    expect(address.searchParams.get('RelayState')).toBe(state);
    const text = inflateRawSync(Buffer.from(address.searchParams.get('SAMLRequest') ?? '', 'base64')).toString();
    const request = readXml(text);
    expect(request.localName).toBe('AuthnRequest');
    expect(Object.fromEntries(Array.from(request.attributes).map(({ name, value }) => [name, value]))).toMatchObject({
      ID: `_${transaction.nonce}`,
      AssertionConsumerServiceURL: ACS,
      Destination: 'http://127.0.0.1:2/sso',
    });
    expect(text).not.toContain('RequestedAuthnContext');
    expect(address.searchParams.has('Signature')).toBe(false);
  });

  it('is signed when there is a key', async () => {
    const address = new URL(String(await keyed.provider.begin({ state, transaction: newLogin() })));
    const [text = ''] = address.search.slice(1).split('&Signature=');
    const signature = Buffer.from(address.searchParams.get('Signature') ?? '', 'base64');
    expect(address.searchParams.get('SigAlg')).toBe('http://www.w3.org/2001/04/xmldsig-more#rsa-sha256');
    expect(verify('sha256', Buffer.from(text), createPublicKey(signing.key), signature)).toBe(true);
  });

  it('goes by post to a provider that takes nothing else, signed in the message', async () => {
    const idp = new SamlIdp({ bindings: ['post'] });
    const harness = await SamlHarness.open({ signing_key: signing.key }, idp);
    const form = await harness.provider.begin({ state, transaction: newLogin() });
    if (typeof form === 'string') throw new Error('a redirect');
    expect(form.action).toBe('http://127.0.0.1:2/sso');
    expect(form.fields['RelayState']).toBe(state);
    const text = Buffer.from(form.fields['SAMLRequest'] ?? '', 'base64').toString();
    expect(signatureHolds(text, signing.certificate)).toBe(true);
    await harness.close();
  });

  it('ends with what the signed assertion says: one text, a list, nothing', async () => {
    const attributes = {
      email: ['alice@example.com'],
      groups: ['eng', 'admin'],
      'urn:oid:2.5.4.42': ['Alice'],
      'http://schemas.microsoft.com/ws/2008/06/identity/claims/role': ['a', 'b'],
      department: [],
      __proto__x: ['x'],
      constructor: ['c'],
    };
    const { assertion, tokens, issuedAt } = await plain.logIn({ attributes, subject: 'Alice/1' });
    expect(assertion).toMatchObject({
      origin: 'partners',
      issuer: plain.idp.entityId,
      subject: 'Alice/1',
      active: true,
      claims: {
        ...attributes,
        email: 'alice@example.com',
        'urn:oid:2.5.4.42': 'Alice',
        department: null,
        __proto__x: 'x',
        constructor: 'c',
      },
    });
    expect(Math.abs(Date.now() - (issuedAt ?? 0))).toBeLessThan(60_000);
    expect(JSON.parse(tokens.nameId ?? '')).toMatchObject({ nameId: { value: 'Alice/1' }, sessionIndex: 'session-1' });
  });

  it('has an empty list of groups where the attribute has no value', async () => {
    const { assertion } = await plain.logIn({ attributes: { groups: [] } });
    expect(assertion.claims).toEqual({ groups: [] });
  });

  it('says that groups were left out where Entra ID puts a link in their place', async () => {
    const link = { 'http://schemas.microsoft.com/claims/groups.link': ['https://graph.example.com/x'] };
    const { assertion } = await plain.logIn({ attributes: link });
    expect(assertion.claims['_claim_names']).toEqual({ groups: 'src1' });
  });

  it('counts sessions of the same index apart for two people', async () => {
    const [alice, bob] = [await plain.logIn(), await plain.logIn({ subject: 'bob' })];
    expect(alice.providerSession).not.toBe(bob.providerSession);
    expect((await plain.logIn()).providerSession).toBe(alice.providerSession);
  });

  it('takes encrypted assertions, and refuses in them what it refuses elsewhere', async () => {
    const { certificate } = ownKeyOf(decryption.key, 'a test');
    const { assertion } = await keyed.logIn({ encryptFor: certificate });
    expect(assertion.claims['groups']).toEqual(['eng', 'admin']);
    const lies = { encryptFor: certificate, signAssertion: false };
    expect(await refusal(keyed.logIn(lies))).toBe('saml_signature_invalid: assertion not signed');
    const doctype = { assertion: (xml: string) => `<!DOCTYPE x>${xml}`, ...lies };
    expect(await refusal(keyed.logIn(doctype))).toBe('saml_message_invalid: doctype');
    const key = newKey();
    expect(await refusal(keyed.logIn({ encryptFor: certificate, key }))).toBe('saml_signature_invalid: signature');
    expect(await refusal(keyed.logIn({ encryptFor: key.certificate }))).toBe('saml_message_invalid: encryption');
  });

  it('that begins at the provider is taken where that may be, once', async () => {
    const open = await SamlHarness.open({ idp_initiated: true }, plain.idp);
    const response = await open.answer();
    expect((await open.accept(response, undefined)).assertion.subject).toBe('alice');
    expect(await refusal(open.accept(response, undefined))).toBe('saml_replayed: assertion id');
    expect(await refusal(open.accept(await open.answer({}, newLogin()), undefined))).toBe(
      'saml_unsolicited: InResponseTo',
    );
    await open.close();
  });
});

describe('our metadata', () => {
  it('name our addresses and both certificates', async () => {
    const root = readXml(await keyed.provider.metadata());
    expect(root.getAttribute('entityID')).toBe(ENTITY_ID);
    const text = await keyed.provider.metadata();
    expect(text).toContain(`Location="${ACS}"`);
    expect(text).toContain(`Location="${SLO}"`);
    const bare = Array.from(root.getElementsByTagNameNS(NS.signature, 'X509Certificate')).map(
      ({ textContent }) => new X509Certificate(Buffer.from(textContent ?? '', 'base64')),
    );
    const ours = [signing, decryption].map(({ key }) => ownKeyOf(key, 'a test').certificate);
    expect(bare.map((one) => one.toString())).toEqual(ours);
    expect(await keyed.provider.metadata()).toBe(text);
  });

  it('have no keys where there are none', async () => {
    const [role] = childrenOf(readXml(await plain.provider.metadata()), NS.metadata, 'SPSSODescriptor');
    expect(childrenOf(role as Element, NS.metadata, 'KeyDescriptor')).toEqual([]);
  });
});

describe('metadata of the provider', () => {
  it('may have several certificates, of which one does not parse', async () => {
    const idp = new SamlIdp();
    idp.otherCertificates.push('AAAA', newKey().certificate);
    const harness = await SamlHarness.open({}, idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    await harness.close();
  });

  it('may describe several providers, of which the config names one', () => {
    const [one, two] = [new SamlIdp(), new SamlIdp({ entityId: 'https://two.example.com' })];
    const all = `<!-- all --><md:EntitiesDescriptor xmlns:md="${NS.metadata}">${one.metadata()}${two.metadata()}</md:EntitiesDescriptor>`;
    expect(parseIdpMetadata(all, 'p', two.entityId).entityId).toBe(two.entityId);
    expect(() => parseIdpMetadata(all, 'p')).toThrow(/several identity providers/);
    expect(() => parseIdpMetadata(all, 'p', 'https://three')).toThrow(/no provider of that entity id/);
  });

  it.each([
    ['a DOCTYPE', (xml: string) => `<!DOCTYPE x>${xml}`, 'doctype'],
    [
      'no certificate',
      (xml: string) => xml.replace(/<md:KeyDescriptor.*<\/md:KeyDescriptor>/, ''),
      'no signing certificate',
    ],
    [
      'addresses without TLS',
      (xml: string) => xml.replaceAll('http://127.0.0.1:2', 'http://idp.example.com'),
      'Service',
    ],
    [
      'a name of ours',
      (xml: string) => xml.replace(/entityID="[^"]*"/, 'entityID="latchgate:external:staff"'),
      'entityID',
    ],
    ['a script for an address', (xml: string) => xml.replaceAll('http://127.0.0.1:2', 'javascript:'), 'Service'],
    ['nothing to log in at', (xml: string) => xml.replace(/<md:SingleSignOnService[^>]*>/g, ''), 'SingleSignOnService'],
  ])('with %s are refused', (_name, change, check) => {
    expect(() => parseIdpMetadata(change(new SamlIdp().metadata()), 'p')).toThrow(check);
  });

  it('that have run out serve nobody', async () => {
    const idp = new SamlIdp();
    const metadata = idp.metadata().replace('entityID=', 'validUntil="2020-01-01T00:00:00Z" entityID=');
    const harness = await SamlHarness.open({ metadata }, idp);
    expect(await refusal(harness.logIn())).toBe('provider_unavailable: validUntil');
    await harness.close();
  });

  it('from an address are read again for a key that nobody knows, and go on while it does not answer', async () => {
    const idp = new SamlIdp();
    let isDown = false;
    let reads = 0;
    const server = createServer((_req, res) => {
      reads += 1;
      res.statusCode = isDown ? 404 : 200;
      res.end(idp.metadata());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const metadata = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
    const harness = await SamlHarness.open({ metadata, idp_entity_id: idp.entityId }, idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    idp.rotate();
    harness.clock.ahead += 6_000;
    expect(await refusal(harness.logIn())).toBe('accepted');
    expect(reads).toBe(2);
    isDown = true;
    harness.clock.ahead += 6_000;
    expect(await refusal(harness.logIn({ key: newKey() }))).toBe('saml_signature_invalid: signature');
    expect(await refusal(harness.logIn())).toBe('accepted');
    server.close();
    await harness.close();
  });

  it('from an address that has become another provider’s are not taken, and need a name of the provider', async () => {
    const idp = new SamlIdp();
    const staff = new SamlIdp({ entityId: 'https://staff.example.com' });
    let said = idp;
    const server = createServer((_req, res) => res.end(said.metadata()));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const metadata = `http://127.0.0.1:${(server.address() as AddressInfo).port}/metadata`;
    const harness = await SamlHarness.open({ metadata, idp_entity_id: idp.entityId }, idp);
    expect(await refusal(harness.logIn())).toBe('accepted');
    said = staff;
    harness.clock.ahead += 6_000;
    const lies = { issuer: staff.entityId, key: staff.key };
    expect(await refusal(harness.logIn(lies))).toBe('saml_issuer_unknown: Issuer of the response');
    expect(await refusal(harness.logIn({ ...lies, issuer: idp.entityId }))).toBe('saml_signature_invalid: signature');
    expect(await refusal(SamlHarness.open({ metadata }, idp))).toBe('config_invalid');
    server.close();
    await harness.close();
  });

  it('that were never read make the login unavailable', async () => {
    const unread = { metadata: 'http://127.0.0.1:1/metadata', idp_entity_id: plain.idp.entityId, timeout: '2s' };
    const harness = await SamlHarness.open(unread, plain.idp);
    expect(await refusal(harness.logIn())).toBe('provider_unavailable');
    expect(await refusal(harness.provider.probe(SIGNAL))).toBe('provider_unavailable');
    await harness.close();
  });
});

it('a certificate is the same for one key at every start, and its signature holds', () => {
  const { key } = newKey();
  const [one, two] = [ownKeyOf(key, 'a test'), ownKeyOf(key, 'a test')];
  expect(one).toEqual(two);
  const certificate = new X509Certificate(one.certificate);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(certificate.subject).toBe('CN=latchgate');
  const weak = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  expect(() => ownKeyOf(weak.toString(), 'signing_key')).toThrow('signing_key is no RSA key');
  expect(() => ownKeyOf(key + newKey().certificate, 'signing_key')).toThrow('not of its key');
  expect(ownKeyOf(key + one.certificate, 'signing_key').certificate).toBe(one.certificate);
});

function signatureHolds(text: string, publicCert: string): boolean {
  const root = readXml(text);
  const signature = Array.from(root.getElementsByTagNameNS(NS.signature, 'Signature'))[0];
  const signed = new SignedXml({ publicCert });
  signed.loadSignature(signature as unknown as Node);
  return signed.checkSignature(text);
}
