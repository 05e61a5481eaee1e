import { DOMParser, XMLSerializer } from '@xmldom/xmldom';
import { ASSERTION, PROTOCOL } from '../emulators/saml/messages.ts';
import { refusal } from './oidc-harness.ts';
import { ACS, ENTITY_ID, newLogin, SamlHarness } from './saml-harness.ts';

/*
 * Signature wrapping as Somorovsky and others described it ("On Breaking SAML: Be Whoever You Want to Be", XSW 1 to 8):
 * what was signed stays in the message, whole, while what is read says somebody else.
 */

const SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#';

interface Parts {
  readonly document: Document;
  readonly response: Element;
  readonly assertion: Element;
  /** Of the response, or else of the assertion. */
  readonly signature: Element;
}

/** A copy that names the victim, with another id and without signatures. */
function evilCopy(element: Element, id: string): Element {
  const copy = element.cloneNode(true) as Element;
  for (const one of Array.from(copy.getElementsByTagNameNS(SIGNATURE, 'Signature'))) one.parentNode?.removeChild(one);
  copy.setAttribute('ID', id);
  const [name] = Array.from(copy.getElementsByTagNameNS(ASSERTION, 'NameID'));
  if (name?.firstChild) name.firstChild.nodeValue = 'victim';
  return copy;
}

function wrapped(text: string, wrap: (parts: Parts) => void): string {
  const document = new DOMParser().parseFromString(text, 'text/xml');
  const response = document.documentElement;
  const find = (namespace: string, name: string) => Array.from(response.getElementsByTagNameNS(namespace, name))[0];
  const [assertion, signature] = [find(ASSERTION, 'Assertion'), find(SIGNATURE, 'Signature')];
  if (assertion === undefined || signature === undefined) throw new Error('nothing is signed');
  wrap({ document, response, assertion, signature });
  return new XMLSerializer().serializeToString(document);
}

function objectWith(document: Document, content: Element): Element {
  const object = document.createElementNS(SIGNATURE, 'ds:Object');
  object.appendChild(content);
  return object;
}

/** The response becomes another one, in which the signed one is somewhere. */
function takeOver({ document, response }: Parts, place: (evil: Element, original: Element) => void): void {
  const evil = evilCopy(response, '_evil');
  const original = response;
  document.removeChild(response);
  document.appendChild(evil);
  place(evil, original);
}

/** Each with the signature that it is an attack on. */
const FORMS: readonly (readonly [string, 'response' | 'assertion', (parts: Parts) => void])[] = [
  [
    '1: the signed response in the signature of another',
    'response',
    (parts) =>
      takeOver(parts, (evil, original) => {
        original.removeChild(parts.signature);
        evil.insertBefore(parts.signature, evil.childNodes[1] ?? null);
        parts.signature.appendChild(original);
      }),
  ],
  [
    '2: the signed response beside its signature in another',
    'response',
    (parts) =>
      takeOver(parts, (evil, original) => {
        original.removeChild(parts.signature);
        evil.insertBefore(original, evil.childNodes[1] ?? null);
        evil.insertBefore(parts.signature, evil.childNodes[2] ?? null);
      }),
  ],
  [
    '3: another assertion before the signed one',
    'assertion',
    ({ response, assertion }) => response.insertBefore(evilCopy(assertion, '_evil'), assertion),
  ],
  [
    '4: the signed assertion in another',
    'assertion',
    ({ response, assertion }) => {
      const evil = evilCopy(assertion, '_evil');
      response.replaceChild(evil, assertion);
      evil.appendChild(assertion);
    },
  ],
  [
    '5: another assertion with the signature, the signed one behind it',
    'assertion',
    ({ response, assertion, signature }) => {
      const evil = evilCopy(assertion, '_evil');
      response.insertBefore(evil, assertion);
      evil.insertBefore(signature, evil.childNodes[1] ?? null);
    },
  ],
  [
    '6: another assertion with the signature, the signed one in that',
    'assertion',
    ({ response, assertion, signature }) => {
      const evil = evilCopy(assertion, '_evil');
      response.replaceChild(evil, assertion);
      evil.insertBefore(signature, evil.childNodes[1] ?? null);
      signature.appendChild(assertion);
    },
  ],
  [
    '7: another assertion of the same id in Extensions',
    'assertion',
    ({ document, response, assertion }) => {
      const extensions = document.createElementNS(PROTOCOL, 'samlp:Extensions');
      extensions.appendChild(evilCopy(assertion, assertion.getAttribute('ID') ?? ''));
      response.insertBefore(extensions, assertion);
    },
  ],
  [
    '8: the signed assertion in an Object of the signature of another',
    'assertion',
    ({ document, response, assertion, signature }) => {
      const evil = evilCopy(assertion, assertion.getAttribute('ID') ?? '');
      response.replaceChild(evil, assertion);
      evil.insertBefore(signature, evil.childNodes[1] ?? null);
      signature.appendChild(objectWith(document, assertion));
    },
  ],
];

/** Further ways to have one thing verified and another one read. */
const MORE: readonly (readonly [string, 'response' | 'assertion', (parts: Parts) => void])[] = [
  [
    'the signed assertion in Extensions, another in its place',
    'assertion',
    ({ document, response, assertion }) => {
      const extensions = document.createElementNS(PROTOCOL, 'samlp:Extensions');
      response.replaceChild(evilCopy(assertion, '_evil'), assertion);
      response.insertBefore(extensions, response.firstChild);
      extensions.appendChild(assertion);
    },
  ],
  [
    'another assertion with the id of the signed one behind it',
    'assertion',
    ({ response, assertion }) => {
      response.appendChild(evilCopy(assertion, assertion.getAttribute('ID') ?? ''));
    },
  ],
  [
    'a second SignedInfo',
    'assertion',
    ({ signature }) => {
      const [info] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'SignedInfo'));
      if (info !== undefined) signature.insertBefore(info.cloneNode(true), info);
    },
  ],
  [
    'a second Reference',
    'assertion',
    ({ signature }) => {
      const [reference] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'Reference'));
      if (reference !== undefined) reference.parentNode?.appendChild(reference.cloneNode(true));
    },
  ],
  [
    'an empty Reference, which means all',
    'assertion',
    ({ signature }) => {
      const [reference] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'Reference'));
      reference?.setAttribute('URI', '');
    },
  ],
  [
    'a second signature',
    'assertion',
    ({ assertion, signature }) => {
      assertion.insertBefore(signature.cloneNode(true), signature);
    },
  ],
  [
    'a transform by XPath',
    'assertion',
    ({ signature }) => {
      const [transform] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'Transform'));
      transform?.setAttribute('Algorithm', 'http://www.w3.org/TR/1999/REC-xpath-19991116');
    },
  ],
  [
    'canonical XML with comments',
    'assertion',
    ({ signature }) => {
      const [method] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'CanonicalizationMethod'));
      method?.setAttribute('Algorithm', 'http://www.w3.org/2001/10/xml-exc-c14n#WithComments');
    },
  ],
  [
    'an element in the digest',
    'assertion',
    ({ document, signature }) => {
      const [digest] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'DigestValue'));
      digest?.appendChild(document.createElementNS(SIGNATURE, 'ds:x'));
    },
  ],
  [
    'another SignatureMethod in KeyInfo',
    'assertion',
    ({ signature }) => {
      const [method, keys] = ['SignatureMethod', 'KeyInfo'].map(
        (name) => Array.from(signature.getElementsByTagNameNS(SIGNATURE, name))[0] as Element,
      );
      keys?.appendChild(method?.cloneNode(true) as Node);
    },
  ],
  [
    'KeyInfo before what was signed',
    'assertion',
    ({ signature }) => {
      const [keys] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'KeyInfo'));
      signature.insertBefore(keys as Element, signature.firstChild);
    },
  ],
  [
    'more in KeyInfo than any chain of certificates',
    'assertion',
    ({ document, signature }) => {
      const [keys] = Array.from(signature.getElementsByTagNameNS(SIGNATURE, 'KeyInfo'));
      for (let at = 0; at < 60; at += 1) keys?.appendChild(document.createElementNS(SIGNATURE, 'ds:X509Data'));
    },
  ],
  [
    'the id under another name on another element',
    'assertion',
    ({ response, assertion }) => {
      response.setAttribute('Id', assertion.getAttribute('ID') ?? '');
    },
  ],
];

let only: Record<'response' | 'assertion', SamlHarness>;

beforeAll(async () => {
  const assertion = await SamlHarness.open({ want_response_signed: false });
  only = { assertion, response: await SamlHarness.open({ want_assertion_signed: false }, assertion.idp) };
});
afterAll(async () => {
  await only.response.close();
  await only.assertion.close();
});

/** Where one signature is enough, so that nothing but the wrapping stands in the way. */
async function attempt(signed: 'response' | 'assertion', wrap: (parts: Parts) => void): Promise<string> {
  const login = newLogin();
  const about = { audience: ENTITY_ID, recipient: ACS, inResponseTo: `_${login.nonce}` };
  const signing = { signResponse: signed === 'response', signAssertion: signed === 'assertion' };
  const text = await only[signed].idp.responseText(about, { ...signing, message: (xml) => wrapped(xml, wrap) });
  return refusal(only[signed].accept(Buffer.from(text).toString('base64'), login));
}

it.each(['response', 'assertion'] as const)('a signed %s that nobody wrapped is taken', async (signed) => {
  expect(await attempt(signed, () => {})).toBe('accepted');
});

it.each([...FORMS, ...MORE])('%s: refused', async (_name, signed, wrap) => {
  expect(await attempt(signed, wrap)).toMatch(/^saml_(?:signature|message)_invalid: /);
});

it('refuses each form where both have to be signed, too', async () => {
  const both = await SamlHarness.open({}, only.assertion.idp);
  for (const [name, , wrap] of FORMS) {
    const login = newLogin();
    const about = { audience: ENTITY_ID, recipient: ACS, inResponseTo: `_${login.nonce}` };
    const text = await both.idp.responseText(about, { message: (xml) => wrapped(xml, wrap) });
    expect([name, await refusal(both.accept(Buffer.from(text).toString('base64'), login))]).toEqual([
      name,
      expect.stringMatching(/^saml_(?:signature|message)_invalid: /),
    ]);
  }
  await both.close();
});
