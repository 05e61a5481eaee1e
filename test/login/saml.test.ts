import { createPublicKey, generateKeyPairSync, verify, X509Certificate } from 'node:crypto';
import { inflateRawSync } from 'node:zlib';
import { SignedXml } from 'xml-crypto';
import { ownKeyOf } from '../../src/login/saml/own-key.ts';
import { childrenOf, NS, readXml } from '../../src/login/saml/xml.ts';
import { newKey, SamlIdp, type Transport } from '../emulators/saml/idp.ts';
import { instant } from '../emulators/saml/messages.ts';
import { refusal } from './oidc-harness.ts';
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

  it('takes a NameID of the format that was asked for, and no other', async () => {
    const persistent = 'urn:oasis:names:tc:SAML:2.0:nameid-format:persistent';
    const unspecified = 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified';
    const outcomes = async (name_id_format: string) => {
      const harness = await SamlHarness.open({ name_id_format }, plain.idp);
      const without = { assertion: (xml: string) => xml.replace(/<saml:NameID Format="[^"]*"/, '<saml:NameID') };
      const all = [{ format: persistent }, { format: unspecified }, without].map((lies) => harness.logIn(lies));
      const seen = await Promise.all(all.map(refusal));
      await harness.close();
      return seen;
    };
    const refused = 'saml_message_invalid: format of the NameID';
    expect(await outcomes(persistent)).toEqual(['accepted', refused, refused]);
    expect(await outcomes(unspecified)).toEqual([refused, 'accepted', 'accepted']);
  });

  it('takes encrypted assertions, and refuses in them what it refuses elsewhere', async () => {
    const { certificate } = ownKeyOf(decryption.key, 'a test');
    const { assertion } = await keyed.logIn({ encryptFor: certificate });
    expect(assertion.claims['groups']).toEqual(['eng', 'admin']);
    const key = newKey();
    for (const lies of [
      { encryptFor: certificate, signAssertion: false },
      { encryptFor: certificate, signAssertion: false, assertion: (xml: string) => `<!DOCTYPE x>${xml}` },
      { encryptFor: key.certificate },
    ]) {
      expect(await refusal(keyed.logIn(lies))).toBe('saml_signature_invalid: encrypted assertion');
    }
  });

  it('opens keys that are wrapped by RSA-OAEP with one hash, as Keycloak does by default, and says which it does not open', async () => {
    const { certificate } = ownKeyOf(decryption.key, 'a test');
    const [enc, enc11, sha1] = ['http://www.w3.org/2001/04/xmlenc#', 'http://www.w3.org/2009/xmlenc11#', 'sha1'];
    const [oaep, mgf1p, mask] = [`${enc11}rsa-oaep`, `${enc}rsa-oaep-mgf1p`, `${enc11}mgf1`];
    const [digest, hash] = [`${enc}sha256`, 'sha256'];
    const said = async (transport: Transport) => refusal(keyed.logIn({ encryptFor: certificate, transport }));
    expect(await said({ algorithm: oaep, digest, mask: `${mask}sha256`, hash })).toBe('accepted');
    expect(await said({ algorithm: oaep, digest: `${enc}sha512`, mask: `${mask}sha512`, hash: 'sha512' })).toBe(
      'accepted',
    );
    expect(await said({ algorithm: oaep, hash: sha1 })).toBe('accepted');
    expect(await said({ algorithm: mgf1p, hash: sha1 })).toBe('accepted');
    const mixed = 'saml_message_invalid: key transport digest and mask';
    expect(await said({ algorithm: oaep, digest, hash })).toBe(mixed);
    expect(await said({ algorithm: oaep, digest, mask: `${mask}sha1`, hash })).toBe(mixed);
    expect(await said({ algorithm: mgf1p, digest, hash })).toBe(mixed);
    expect(await said({ algorithm: mgf1p, digest, mask: `${mask}sha256`, hash })).toBe(mixed);
    expect(await said({ algorithm: oaep, digest: 'urn:other', mask: 'urn:other', hash })).toBe(mixed);
    expect(await said({ algorithm: `${enc}rsa-1_5`, hash: sha1 })).toBe(
      'saml_message_invalid: key transport algorithm',
    );
    const wrong = { algorithm: oaep, digest, mask: `${mask}sha256`, hash: sha1 };
    expect(await said(wrong)).toBe('saml_signature_invalid: encrypted assertion');
  });

  it('does not say what is wrong with an encrypted assertion, nor decrypts one before the response is verified', async () => {
    const { certificate } = ownKeyOf(decryption.key, 'a test');
    const loose = await SamlHarness.open({ decryption_key: decryption.key, want_response_signed: false }, plain.idp);
    const key = newKey();
    const said = await Promise.all(
      [
        { encryptFor: certificate },
        { encryptFor: certificate, key },
        { encryptFor: certificate, signAssertion: false },
        { encryptFor: certificate, assertion: () => '<x/>', signAssertion: false },
        { encryptFor: key.certificate },
      ].map((lies) => refusal(loose.logIn({ signResponse: false, ...lies }))),
    );
    expect(said).toEqual(['accepted', ...Array(4).fill('saml_signature_invalid: encrypted assertion')]);
    expect(await refusal(loose.logIn({ encryptFor: key.certificate, key }))).toBe('saml_signature_invalid: signature');
    await loose.close();
  });

  it('takes CBC, which does not show what was changed, in what the provider has signed alone', async () => {
    const { certificate } = ownKeyOf(decryption.key, 'a test');
    const loose = await SamlHarness.open({ decryption_key: decryption.key, want_response_signed: false }, plain.idp);
    const lies = { encryptFor: certificate, encryption: 'http://www.w3.org/2001/04/xmlenc#aes256-cbc' } as const;
    expect(await refusal(loose.logIn(lies))).toBe('accepted');
    expect(await refusal(loose.logIn({ ...lies, signResponse: false }))).toBe(
      'saml_signature_invalid: encrypted assertion',
    );
    await loose.close();
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

it('an answer that may be confirmed in two ways is used up until the last of them is over', async () => {
  const open = await SamlHarness.open({ idp_initiated: true }, plain.idp);
  const until = `NotOnOrAfter="${instant(Date.now() + 600_000)}"`;
  const later = (xml: string) =>
    xml
      .replace(/(<saml:Conditions [^>]*)NotOnOrAfter="[^"]*"/, `$1${until}`)
      .replace(/<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/, (first) => {
        return first + first.replace(/NotOnOrAfter="[^"]*"/, until);
      });
  const response = await open.answer({ assertion: later });
  expect(await refusal(open.accept(response, undefined))).toBe('accepted');
  open.clock.ahead += 300_000;
  expect(await refusal(open.accept(response, undefined))).toBe('saml_replayed: assertion id');
  open.clock.ahead += 600_000;
  expect(await refusal(open.accept(response, undefined))).toBe('saml_expired: SubjectConfirmationData');
  await open.close();
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
