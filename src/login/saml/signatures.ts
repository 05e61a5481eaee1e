import { SignedXml } from 'xml-crypto';
import type { Refuse } from './refusals.ts';
import { allElements, attributeOf, childrenOf, elementsOf, isElement, NS, onlyChild } from './xml.ts';

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const INCLUSIVE = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

const CANONICALIZATIONS = new Set([EXCLUSIVE, INCLUSIVE]);
const TRANSFORMS = new Set([ENVELOPED, EXCLUSIVE, INCLUSIVE]);
/** No SHA-1, and no HMAC, for which a public key would do as the secret. */
const SIGNATURES = new Set([
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
]);
const DIGESTS = new Set(['http://www.w3.org/2001/04/xmlenc#sha256', 'http://www.w3.org/2001/04/xmlenc#sha512']);
const ID_NAMES = new Set(['id', 'xml:id', 'wsu:id']);
const PARTS = new Set(['SignedInfo', 'SignatureValue', 'KeyInfo']);

/**
 * Which of these elements have a signature of their own. Nothing is verified yet: this says that there can be no doubt
 * what a signature that verifies is of. A signature is a child of what it signs, signs it whole by its one id, by strong
 * algorithms, and nothing but signed elements has one. Throws `saml_signature_invalid`, `saml_message_invalid`.
 */
export function signedAmong(root: Element, signable: readonly Element[], refuse: Refuse): ReadonlySet<Element> {
  const all = allElements(root);
  checkIds(all, refuse);
  const signed = new Set<Element>();
  for (const signature of all.filter((one) => isElement(one, NS.signature, 'Signature'))) {
    const parent = signable.find((one) => one === signature.parentNode);
    if (parent === undefined) throw refuse('saml_signature_invalid', 'place');
    if (signed.has(parent)) throw refuse('saml_signature_invalid', 'several');
    checkShape(signature, parent, refuse);
    signed.add(parent);
  }
  return signed;
}

/** An id that stands twice lets the one be verified and the other be read. */
function checkIds(elements: readonly Element[], refuse: Refuse): void {
  const seen = new Set<string>();
  for (const element of elements) {
    for (const { name, value } of Array.from(element.attributes)) {
      if (!ID_NAMES.has(name.toLowerCase())) continue;
      if (seen.has(value) || !/^[\w.-]{1,4096}$/.test(value)) throw refuse('saml_signature_invalid', 'ids');
      seen.add(value);
    }
  }
}

function checkShape(signature: Element, signed: Element, refuse: Refuse): void {
  const weak = (check: string) => refuse('saml_signature_invalid', check);
  if (!elementsOf(signature).every((one) => one.namespaceURI === NS.signature && PARTS.has(one.localName))) {
    throw weak('content');
  }
  const info = onlyChild(signature, NS.signature, 'SignedInfo');
  const value = onlyChild(signature, NS.signature, 'SignatureValue');
  if (info === undefined || value === undefined || elementsOf(value).length > 0) throw weak('SignedInfo');
  const algorithmOf = (parent: Element, name: string): string => {
    const method = onlyChild(parent, NS.signature, name);
    return method === undefined ? '' : (attributeOf(method, 'Algorithm') ?? '');
  };
  if (!CANONICALIZATIONS.has(algorithmOf(info, 'CanonicalizationMethod'))) throw weak('canonicalization');
  if (!SIGNATURES.has(algorithmOf(info, 'SignatureMethod'))) throw weak('algorithm');
  const reference = onlyChild(info, NS.signature, 'Reference');
  if (reference === undefined) throw weak('reference');
  const id = attributeOf(signed, 'ID') ?? '';
  if (id === '' || attributeOf(reference, 'URI') !== `#${id}`) throw weak('reference');
  if (!DIGESTS.has(algorithmOf(reference, 'DigestMethod'))) throw weak('digest');
  const transforms = onlyChild(reference, NS.signature, 'Transforms');
  const list = transforms === undefined ? [] : childrenOf(transforms, NS.signature, 'Transform');
  const names = list.map((one) => attributeOf(one, 'Algorithm') ?? '');
  const isPlain = list.every((one) => elementsOf(one).every(({ namespaceURI }) => namespaceURI === EXCLUSIVE));
  if (names.length > 2 || names[0] !== ENVELOPED || !names.every((one) => TRANSFORMS.has(one)) || !isPlain) {
    throw weak('transforms');
  }
}

/**
 * What was really signed, as canonical XML, when the signature of the root verifies by one of these certificates. The text
 * must have passed `signedAmong`.
 */
export function verifiedRoot(text: string, root: Element, certificates: readonly string[]): string | undefined {
  const signature = onlyChild(root, NS.signature, 'Signature');
  if (signature === undefined) return undefined;
  for (const publicCert of certificates) {
    const signed = new SignedXml({ publicCert, getCertFromKeyInfo: () => null });
    signed.loadSignature(signature);
    const [reference, ...more] = verified(signed, text) ? signed.getSignedReferences() : [];
    if (reference !== undefined && more.length === 0) return reference;
  }
  return undefined;
}

function verified(signed: SignedXml, text: string): boolean {
  try {
    return signed.checkSignature(text);
  } catch {
    // It throws for a value that does not verify.
    return false;
  }
}

/** The message with its signature behind the Issuer (SAML core §2.3.3, §3.2.1), by RSA with SHA-256. */
export function signed(text: string, key: { readonly key: string; readonly certificate: string }): string {
  const signer = new SignedXml({
    privateKey: key.key,
    publicCert: key.certificate,
    signatureAlgorithm: 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
    canonicalizationAlgorithm: EXCLUSIVE,
  });
  signer.addReference({
    xpath: '/*',
    transforms: [ENVELOPED, EXCLUSIVE],
    digestAlgorithm: 'http://www.w3.org/2001/04/xmlenc#sha256',
  });
  signer.computeSignature(text, { location: { reference: "/*/*[local-name(.)='Issuer']", action: 'after' } });
  return signer.getSignedXml();
}
