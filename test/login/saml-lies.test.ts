import { SignedXml } from 'xml-crypto';
import type { SamlLies } from '../emulators/saml/idp.ts';
import { newKey, SamlIdp } from '../emulators/saml/idp.ts';
import { instant, type SignOptions } from '../emulators/saml/messages.ts';
import { refusal } from './oidc-harness.ts';
import { ACS, ENTITY_ID, newLogin, SamlHarness } from './saml-harness.ts';

/*
 * A provider, or somebody between it and us, that gets one thing wrong. What is refused is refused for that one thing:
 * the honest answer beside it is taken.
 */

let honest: SamlHarness;
let loose: SamlHarness;
const stranger = newKey();

beforeAll(async () => {
  honest = await SamlHarness.open();
  // What somebody can change who has no key shows best where only one of the two signatures is wanted.
  loose = await SamlHarness.open({ want_response_signed: false }, honest.idp);
});
afterAll(async () => {
  await honest.close();
  await loose.close();
});

const replacing = (from: string | RegExp, to: string) => (xml: string) => {
  const changed = xml.replace(from, to);
  if (changed === xml) throw new Error(`nothing to replace: ${from}`);
  return changed;
};
const attributes = (count: number, name = 'a') =>
  Array.from({ length: count }, (_, at) => ` ${name}${at}="urn:x"`).join('');
const minutes = (count: number) => Date.now() + count * 60_000;

it('is taken when it is honest', async () => {
  expect(await refusal(honest.logIn())).toBe('accepted');
  expect(await refusal(loose.logIn({ signResponse: false }))).toBe('accepted');
});

it.each<[string, SignOptions]>([
  ['RSA with SHA-512', { algorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512' }],
  ['RSA-PSS', { algorithm: 'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1' }],
  ['digests by SHA-512', { digest: 'http://www.w3.org/2001/04/xmlenc#sha512' }],
  ['canonical XML that is not exclusive', { canonicalization: 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315' }],
])('is taken when it is signed by %s', async (_name, signing) => {
  const one = await SamlHarness.open({ want_assertion_signed: false }, honest.idp);
  const declared = (xml: string) => xml.replace('<samlp:Response ', '<samlp:Response xmlns:unused="urn:x" ');
  expect(await refusal(one.logIn({ signing, signAssertion: false, response: declared }))).toBe('accepted');
  await one.close();
});

const SIGNATURES: readonly (readonly [string, SamlLies, string])[] = [
  ['nothing signed', { signResponse: false, signAssertion: false }, 'saml_signature_invalid: response not signed'],
  ['the assertion alone signed', { signResponse: false }, 'saml_signature_invalid: response not signed'],
  ['the response alone signed', { signAssertion: false }, 'saml_signature_invalid: assertion not signed'],
  ['a key of a stranger', { key: stranger }, 'saml_signature_invalid: signature'],
  [
    'SHA-1 signatures',
    { signing: { algorithm: 'http://www.w3.org/2000/09/xmldsig#rsa-sha1' } },
    'saml_signature_invalid: algorithm',
  ],
  [
    'SHA-1 digests',
    { signing: { digest: 'http://www.w3.org/2000/09/xmldsig#sha1' } },
    'saml_signature_invalid: digest',
  ],
  [
    'an attribute changed afterwards',
    { message: replacing('>admin<', '>owner<') },
    'saml_signature_invalid: signature',
  ],
  ['a subject changed afterwards', { message: replacing('>alice<', '>victim<') }, 'saml_signature_invalid: signature'],
  [
    'a status changed afterwards',
    { message: replacing('Version="2.0" IssueInstant', 'Consent="x" Version="2.0" IssueInstant') },
    'saml_signature_invalid: signature',
  ],
];

const MEANT_FOR: readonly (readonly [string, SamlLies, string])[] = [
  ['another audience', { audience: 'https://other.example.com' }, 'saml_not_for_us: Audience'],
  [
    'no audience',
    { assertion: replacing(/<saml:AudienceRestriction>.*<\/saml:AudienceRestriction>/, '') },
    'saml_not_for_us: Audience',
  ],
  [
    'another audience beside ours',
    {
      assertion: replacing(
        '</saml:Conditions>',
        '<saml:AudienceRestriction><saml:Audience>https://other.example.com</saml:Audience></saml:AudienceRestriction></saml:Conditions>',
      ),
    },
    'saml_not_for_us: Audience',
  ],
  ['another destination', { destination: 'https://other.example.com/acs' }, 'saml_not_for_us: Destination'],
  ['no destination', { response: replacing(/ Destination="[^"]*"/, '') }, 'saml_not_for_us: Destination'],
  [
    'another recipient',
    { assertion: replacing(/Recipient="[^"]*"/, 'Recipient="https://other.example.com/acs"') },
    'saml_not_for_us: Recipient',
  ],
  ['no recipient', { assertion: replacing(/ Recipient="[^"]*"/, '') }, 'saml_not_for_us: Recipient'],
  ['another issuer', { issuer: 'https://other.example.com' }, 'saml_issuer_unknown: Issuer of the response'],
  [
    'another issuer of the assertion',
    { assertion: replacing(/<saml:Issuer>[^<]*/, '<saml:Issuer>https://other.example.com') },
    'saml_issuer_unknown: Issuer',
  ],
  [
    'an issuer in another case',
    { assertion: replacing('https://idp.example.com/saml', 'https://idp.example.com/SAML') },
    'saml_issuer_unknown: Issuer',
  ],
];

const TIMES: readonly (readonly [string, SamlLies, string])[] = [
  ['ended two minutes ago', { now: minutes(-3) }, 'saml_expired: SubjectConfirmationData'],
  ['made in the future', { now: minutes(2) }, 'saml_expired: IssueInstant'],
  [
    'not valid yet',
    { assertion: replacing(/NotBefore="[^"]*"/, `NotBefore="${instant(minutes(5))}"`) },
    'saml_expired: Conditions',
  ],
  [
    'conditions that ended',
    { assertion: replacing(/(NotBefore="[^"]*") NotOnOrAfter="[^"]*"/, `$1 NotOnOrAfter="${instant(minutes(-2))}"`) },
    'saml_expired: Conditions',
  ],
  [
    'a session that ended',
    { assertion: replacing(/SessionNotOnOrAfter="[^"]*"/, `SessionNotOnOrAfter="${instant(minutes(-5))}"`) },
    'saml_expired: SessionNotOnOrAfter',
  ],
  [
    'a time that is none',
    { assertion: replacing(/SessionNotOnOrAfter="[^"]*"/, 'SessionNotOnOrAfter="tomorrow"') },
    'saml_message_invalid: SessionNotOnOrAfter',
  ],
  [
    'no end of the confirmation',
    { assertion: replacing(/(SubjectConfirmationData[^>]*) NotOnOrAfter="[^"]*"/, '$1') },
    'saml_message_invalid: NotOnOrAfter',
  ],
];

const SHAPES: readonly (readonly [string, SamlLies, string])[] = [
  ['a DOCTYPE', { message: (xml) => `<!DOCTYPE x>${xml}` }, 'saml_message_invalid: doctype'],
  [
    'a DOCTYPE of a file',
    { message: (xml) => `<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>${xml.replace('>alice<', '>&f;<')}` },
    'saml_message_invalid: doctype',
  ],
  [
    'entities that multiply',
    { message: (xml) => `<!doctype x [<!entity a "aaaaaaaaaa"><!entity b "&a;&a;&a;&a;">]>${xml}` },
    'saml_message_invalid: doctype',
  ],
  [
    'an entity that nobody defined',
    { assertion: replacing('>admin<', '>&admin;<'), signAssertion: false, signResponse: false },
    'saml_message_invalid: syntax',
  ],
  ['a comment in the subject', { message: replacing('>alice<', '>al<!-- -->ice<') }, 'saml_message_invalid: comment'],
  ['CDATA', { message: replacing('>admin<', '><![CDATA[admin]]><') }, 'saml_message_invalid: cdata'],
  [
    'a processing instruction',
    { message: replacing('>admin<', '><?x admin?><') },
    'saml_message_invalid: processing instruction',
  ],
  [
    'a stylesheet',
    { message: (xml) => `<?xml version="1.0"?><?xml-stylesheet href="x"?>${xml}` },
    'saml_message_invalid: processing instruction',
  ],
  [
    'another encoding',
    { message: (xml) => `<?xml version="1.0" encoding="utf-7"?>${xml}` },
    'saml_message_invalid: encoding',
  ],
  ['a NUL', { message: replacing('>admin<', '>ad\u0000min<') }, 'saml_message_invalid: characters'],
  ['text behind the root', { message: (xml) => `${xml}text` }, 'saml_message_invalid: text outside the root'],
  ['a second root', { message: (xml) => `${xml}<x/>` }, 'saml_message_invalid: syntax'],
  ['an element that never ends', { message: (xml) => xml.slice(0, -3) }, 'saml_message_invalid: syntax'],
  ['300 kilobytes', { message: (xml) => `${xml}${' '.repeat(300_000)}` }, 'saml_message_invalid: size'],
  [
    'fifty thousand levels',
    {
      message: (xml) =>
        replacing('<samlp:Status>', `${'<a>'.repeat(50_000)}${'</a>'.repeat(1_000)}<samlp:Status>`)(xml),
    },
    'saml_message_invalid: depth',
  ],
  [
    'more elements than two thousand',
    { message: replacing('<samlp:Status>', `${'<a/>'.repeat(2_000)}<samlp:Status>`) },
    'saml_message_invalid: elements',
  ],
  [
    'more text nodes than three thousand',
    { message: replacing('<samlp:Status>', `${'\n<a>\n</a>'.repeat(1_500)}<samlp:Status>`) },
    'saml_message_invalid: text nodes',
  ],
  [
    'more attributes than six thousand',
    { message: replacing('<samlp:Status>', `<a>${`<a${attributes(40)}/>`.repeat(150)}</a><samlp:Status>`) },
    'saml_message_invalid: attributes',
  ],
  [
    'more attributes of one element than fifty',
    { message: replacing('<samlp:Status>', `<a${attributes(51)}/><samlp:Status>`) },
    'saml_message_invalid: attributes',
  ],
  [
    'more declarations of prefixes than thirty',
    {
      message: replacing(
        '<samlp:Status>',
        `<a${attributes(20, 'xmlns:a')}><a${attributes(20, 'xmlns:b')}/></a><samlp:Status>`,
      ),
    },
    'saml_message_invalid: declarations',
  ],
  [
    'more names of elements than a hundred',
    {
      message: replacing(
        '<samlp:Status>',
        `${Array.from({ length: 100 }, (_, at) => `<a${at}/>`).join('')}<samlp:Status>`,
      ),
    },
    'saml_message_invalid: names',
  ],
  [
    'another root',
    { message: (xml) => xml.replaceAll('samlp:Response', 'samlp:ArtifactResponse') },
    'saml_message_invalid: root',
  ],
  [
    'a response in a foreign namespace',
    { response: (xml) => xml.replaceAll('SAML:2.0:protocol', 'SAML:2.0:other'), signResponse: false },
    'saml_message_invalid: root',
  ],
  [
    'an assertion in a foreign namespace',
    { assertion: (xml) => xml.replaceAll('SAML:2.0:assertion', 'SAML:2.0:other') },
    'saml_message_invalid: place of the assertion',
  ],
  [
    'no assertion',
    { response: replacing(/<saml:Assertion.*<\/saml:Assertion>/, '') },
    'saml_message_invalid: no assertion',
  ],
  [
    'two assertions',
    {
      response: (xml) =>
        xml.replace(
          '</samlp:Response>',
          '<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"/></samlp:Response>',
        ),
    },
    'saml_message_invalid: several assertions',
  ],
  ['version 1.1', { response: replacing('Version="2.0"', 'Version="1.1"') }, 'saml_message_invalid: version'],
  ['no status', { response: replacing(/<samlp:Status>.*<\/samlp:Status>/, '') }, 'saml_message_invalid: status'],
  ['no subject', { assertion: replacing(/<saml:Subject>.*<\/saml:Subject>/, '') }, 'saml_message_invalid: Subject'],
  ['no name', { assertion: replacing(/<saml:NameID.*<\/saml:NameID>/, '') }, 'saml_message_invalid: NameID'],
  ['elements in the name', { assertion: replacing('>alice<', '>al<x/>ice<') }, 'saml_message_invalid: NameID'],
  [
    'a name for one login only',
    { format: 'urn:oasis:names:tc:SAML:2.0:nameid-format:transient' },
    'saml_message_invalid: transient NameID',
  ],
  ['no bearer', { assertion: replacing('cm:bearer', 'cm:holder-of-key') }, 'saml_message_invalid: SubjectConfirmation'],
  [
    'no confirmation',
    { assertion: replacing(/<saml:SubjectConfirmation .*<\/saml:SubjectConfirmation>/, '') },
    'saml_message_invalid: SubjectConfirmation',
  ],
  [
    'no conditions',
    { assertion: replacing(/<saml:Conditions.*<\/saml:Conditions>/, '') },
    'saml_message_invalid: Conditions',
  ],
  [
    'a condition that nobody knows',
    { assertion: replacing('</saml:Conditions>', '<saml:Condition/></saml:Conditions>') },
    'saml_message_invalid: condition',
  ],
  [
    'nobody who was authenticated',
    { assertion: replacing(/<saml:AuthnStatement.*<\/saml:AuthnStatement>/, '') },
    'saml_message_invalid: AuthnStatement',
  ],
  [
    'encryption, with no key of ours',
    { encryptFor: stranger.certificate },
    'saml_message_invalid: encrypted, and no decryption_key',
  ],
];

describe.each([
  ['signatures', SIGNATURES],
  ['whom it is meant for', MEANT_FOR],
  ['times', TIMES],
  ['shapes', SHAPES],
] as const)('%s', (_what, lies) => {
  it.each(lies)('with %s is refused', async (_name, lie, expected) => {
    expect(await refusal(honest.logIn(lie))).toBe(expected);
  });
});

describe('the library that looks through the whole document', () => {
  /** How often it was asked to. */
  async function searches(attempt: () => Promise<unknown>): Promise<number> {
    const { checkSignature } = SignedXml.prototype;
    let count = 0;
    SignedXml.prototype.checkSignature = function (this: SignedXml, xml: string): boolean {
      count += 1;
      return Reflect.apply(checkSignature, this, [xml]) as boolean;
    } as typeof checkSignature;
    await attempt();
    SignedXml.prototype.checkSignature = checkSignature;
    return count;
  }

  it('sees what would verify, once for each signature', async () => {
    honest.idp.otherCertificates.push(stranger.certificate, newKey().certificate);
    const several = await SamlHarness.open({}, honest.idp);
    expect(await searches(async () => expect(await refusal(several.logIn())).toBe('accepted'))).toBe(2);
    honest.idp.otherCertificates.length = 0;
    await several.close();
  });

  it.each([
    ['a key of nobody', { key: newKey() }],
    ['a signature that belongs to another message', { message: replacing('>alice<', '>victim<') }],
    [
      'more elements than were signed',
      { message: replacing('<samlp:Status>', `${'<a/>'.repeat(1_000)}<samlp:Status>`) },
    ],
  ])('does not see %s', async (_name, lies: SamlLies) => {
    const attempt = async () => expect(await refusal(honest.logIn(lies))).toBe('saml_signature_invalid: signature');
    expect(await searches(attempt)).toBe(0);
  });
});

it.each([
  ['Requester', 'provider_misconfigured'],
  ['Responder', 'provider_refused'],
  ['AuthnFailed', 'provider_refused'],
])('a status of %s is %s, though an assertion is there', async (status, code) => {
  expect(await refusal(honest.logIn({ status }))).toBe(code);
});

it.each([
  ['nothing', ''],
  ['what is not base64', '<saml/>'],
  ['broken UTF-8', Buffer.from([0x3c, 0xff, 0xfe, 0x3e]).toString('base64')],
  ['UTF-16', Buffer.from('<a/>', 'utf16le').toString('base64')],
  ['a text', Buffer.from('hello').toString('base64')],
])('a message of %s is refused', async (_name, response) => {
  expect(await refusal(honest.accept(response, newLogin()))).toMatch(/^saml_message_invalid: /);
});

it('signed by HMAC with the public certificate as its secret is refused', async () => {
  const signing = { algorithm: 'http://www.w3.org/2000/09/xmldsig#hmac-sha1', secret: honest.idp.key.certificate };
  expect(await refusal(honest.logIn({ signing }))).toBe('saml_signature_invalid: algorithm');
});

describe('an answer', () => {
  it('counts once', async () => {
    const login = newLogin();
    const response = await honest.answer({}, login);
    expect(await refusal(honest.accept(response, login))).toBe('accepted');
    expect(await refusal(honest.accept(response, login))).toBe('saml_replayed: assertion id');
  });

  it('to another login than the one of this browser is refused', async () => {
    const response = await honest.answer({}, newLogin());
    expect(await refusal(honest.accept(response, newLogin()))).toBe('saml_message_invalid: InResponseTo');
  });

  it('that nobody asked for is refused, with and without the id of a request', async () => {
    const login = newLogin();
    expect(await refusal(honest.accept(await honest.answer({}, undefined), undefined))).toBe(
      'saml_unsolicited: RelayState',
    );
    expect(await refusal(honest.accept(await honest.answer({}, login), undefined))).toBe(
      'saml_unsolicited: RelayState',
    );
    expect(await refusal(honest.accept(await honest.answer({}, undefined), login))).toBe(
      'saml_message_invalid: InResponseTo',
    );
  });

  it('that nobody asked for does not pass in a response of somebody else with the id of a fresh request', async () => {
    // The library takes the id from the response, which nobody has signed.
    const login = newLogin();
    const lies: SamlLies = {
      signResponse: false,
      inResponseTo: undefined,
      message: replacing('<samlp:Response ', `<samlp:Response InResponseTo="_${login.nonce}" `),
    };
    expect(await refusal(loose.logIn(lies, login))).toBe('saml_message_invalid: InResponseTo');
  });

  it('of a provider with the same key is nothing to another', async () => {
    const other = new SamlIdp({ entityId: 'https://other.example.com/saml' });
    other.key = honest.idp.key;
    const login = newLogin();
    const about = { audience: ENTITY_ID, recipient: ACS, inResponseTo: `_${login.nonce}` };
    const response = await other.respond(about);
    expect(await refusal(honest.accept(response, login))).toBe('saml_issuer_unknown: Issuer of the response');
  });

  it('holds for a clock that is off by no more than clock_skew', async () => {
    const strict = await SamlHarness.open({ clock_skew: '10s' }, honest.idp);
    expect(await refusal(strict.logIn({ now: Date.now() - 65_000 }))).toBe('accepted');
    expect(await refusal(strict.logIn({ now: Date.now() - 75_000 }))).toBe('saml_expired: SubjectConfirmationData');
    expect(await refusal(strict.logIn({ now: Date.now() + 5_000 }))).toBe('accepted');
    expect(await refusal(strict.logIn({ now: Date.now() + 20_000 }))).toBe('saml_expired: IssueInstant');
    await strict.close();
  });
});
