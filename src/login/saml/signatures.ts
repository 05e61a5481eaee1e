import { constants, createHash, verify } from 'node:crypto';
import { C14nCanonicalization, ExclusiveCanonicalization, SignedXml } from 'xml-crypto';
import type { Refuse } from './refusals.ts';
import { allElements, attributeOf, childrenOf, elementsOf, isElement, NS, onlyChild, textOf } from './xml.ts';

const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const INCLUSIVE = 'http://www.w3.org/TR/2001/REC-xml-c14n-20010315';
const ENVELOPED = 'http://www.w3.org/2000/09/xmldsig#enveloped-signature';

const CANONICALIZATIONS = new Set([EXCLUSIVE, INCLUSIVE]);
const TRANSFORMS = new Set([ENVELOPED, EXCLUSIVE, INCLUSIVE]);
/** No SHA-1, and no HMAC, for which a public key would do as the secret. */
const SIGNATURES = new Map([
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha256', { hash: 'sha256', padding: constants.RSA_PKCS1_PADDING }],
  ['http://www.w3.org/2001/04/xmldsig-more#rsa-sha512', { hash: 'sha512', padding: constants.RSA_PKCS1_PADDING }],
  [
    'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1',
    { hash: 'sha256', padding: constants.RSA_PKCS1_PSS_PADDING },
  ],
]);
const DIGESTS = new Map([
  ['http://www.w3.org/2001/04/xmlenc#sha256', 'sha256'],
  ['http://www.w3.org/2001/04/xmlenc#sha512', 'sha512'],
]);
const ID_NAMES = new Set(['id', 'xml:id', 'wsu:id']);
/** In the order of XML Signature §4.1. */
const PARTS = ['SignedInfo', 'SignatureValue', 'KeyInfo'];
/** Looked for by the library wherever in a signature they stand: only where they belong, then. */
const OF_SIGNED_INFO = new Set([
  ...['Signature', 'SignedInfo', 'SignatureValue', 'CanonicalizationMethod', 'SignatureMethod'],
  ...['Reference', 'Transforms', 'Transform', 'DigestMethod', 'DigestValue'],
]);
/** A chain of certificates stays below. */
const MOST_ELEMENTS = 60;
const LONGEST_PREFIX_LIST = 500;

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
  checkContent(signature, () => weak('content'));
  const info = onlyChild(signature, NS.signature, 'SignedInfo');
  const value = onlyChild(signature, NS.signature, 'SignatureValue');
  if (info === undefined || value === undefined || elementsOf(value).length > 0) throw weak('SignedInfo');
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

function algorithmOf(parent: Element, name: string): string {
  const method = onlyChild(parent, NS.signature, name);
  return method === undefined ? '' : (attributeOf(method, 'Algorithm') ?? '');
}

/** The parts in their order, and nothing in KeyInfo that would be one of them elsewhere. */
function checkContent(signature: Element, weak: () => Error): void {
  const parts = elementsOf(signature);
  const all = allElements(signature);
  const isInOrder = parts.every((one, at) => one.namespaceURI === NS.signature && one.localName === PARTS[at]);
  if (!isInOrder || all.length > MOST_ELEMENTS) throw weak();
  const ofKeys = parts.slice(2).flatMap((one) => allElements(one));
  if (ofKeys.some(({ localName }, at) => OF_SIGNED_INFO.has(localName) || (at > 0 && localName === 'KeyInfo')))
    throw weak();
  if (all.some((one) => (attributeOf(one, 'PrefixList') ?? '').length > LONGEST_PREFIX_LIST)) throw weak();
}

/**
 * What was really signed of an element, as canonical XML, when its own signature verifies by one of these certificates.
 * The text is the document that it stands in, and must have passed `signedAmong`.
 */
export function verifiedElement(text: string, element: Element, certificates: readonly string[]): string | undefined {
  const signature = onlyChild(element, NS.signature, 'Signature');
  if (signature === undefined) return undefined;
  try {
    const publicCert = signerOf(signature, certificates);
    if (publicCert === undefined || !isWhole(element, signature)) return undefined;
    const signed = new SignedXml({ publicCert, getCertFromKeyInfo: () => null });
    signed.loadSignature(signature);
    const [reference, ...more] = signed.checkSignature(text) ? signed.getSignedReferences() : [];
    return more.length === 0 ? reference : undefined;
  } catch {
    // The library throws for a value that does not verify.
    return undefined;
  }
}

/*
 * The library looks for ids all over the document, for longer than its length would tell, and for each key anew. So it
 * sees nothing but what would verify: whoever has no key, or puts a signature into another message, costs us little.
 * What was signed is for the library to say.
 */

/** By whose key SignedInfo was signed. */
function signerOf(signature: Element, certificates: readonly string[]): string | undefined {
  const info = onlyChild(signature, NS.signature, 'SignedInfo');
  const value = onlyChild(signature, NS.signature, 'SignatureValue');
  if (info === undefined || value === undefined) return undefined;
  const algorithm = SIGNATURES.get(algorithmOf(info, 'SignatureMethod'));
  if (algorithm === undefined) return undefined;
  const text = Buffer.from(
    canonical(info.cloneNode(true) as Element, info, algorithmOf(info, 'CanonicalizationMethod')),
  );
  const bytes = Buffer.from(textOf(value) ?? '', 'base64');
  const { hash, padding } = algorithm;
  return certificates.find((key) => verify(hash, text, { key, padding }, bytes));
}

/** Whether the element without its signature has the digest that SignedInfo says. */
function isWhole(element: Element, signature: Element): boolean {
  const [reference, ...more] = Array.from(signature.getElementsByTagNameNS(NS.signature, 'Reference'));
  const value = reference && onlyChild(reference, NS.signature, 'DigestValue');
  const hash = reference && DIGESTS.get(algorithmOf(reference, 'DigestMethod'));
  if (reference === undefined || value === undefined || hash === undefined || more.length > 0) return false;
  const bare = element.cloneNode(true) as Element;
  bare.removeChild(bare.childNodes[Array.from(element.childNodes).indexOf(signature)] as Node);
  const last = Array.from(reference.getElementsByTagNameNS(NS.signature, 'Transform')).at(-1);
  const named = last?.getAttribute('Algorithm') ?? ENVELOPED;
  const prefixes = last === undefined ? [] : elementsOf(last).map((one) => attributeOf(one, 'PrefixList') ?? '');
  const text = canonical(bare, element, named === ENVELOPED ? INCLUSIVE : named, prefixes.join(' '));
  return createHash(hash)
    .update(text)
    .digest()
    .equals(Buffer.from(textOf(value) ?? '', 'base64'));
}

/** Of a copy, which it changes. `place` is where the element stands, or stood. */
function canonical(copy: Element, place: Element, algorithm: string, prefixList = ''): string {
  const method = algorithm === EXCLUSIVE ? new ExclusiveCanonicalization() : new C14nCanonicalization();
  return method.process(copy, {
    defaultNsForPrefix: SignedXml.defaultNsForPrefix,
    ancestorNamespaces: namespacesAround(place),
    inclusiveNamespacesPrefixList: prefixList.split(' ').filter((prefix) => prefix !== ''),
  });
}

/** Declared by the elements around it, the nearest of each prefix; not by itself, nor its own, which it renders anyway. */
function namespacesAround(element: Element): { prefix: string; namespaceURI: string }[] {
  const found = new Map([[element.prefix ?? '', '']]);
  for (let node: Node | null = element; node !== null; node = node.parentNode) {
    for (const { name, value } of Array.from((node as Element).attributes ?? [])) {
      if (!/^xmlns(?::|$)/.test(name)) continue;
      const prefix = name.slice('xmlns:'.length);
      if (!found.has(prefix)) found.set(prefix, node === element ? '' : value);
    }
  }
  return [...found].filter(([, uri]) => uri !== '').map(([prefix, namespaceURI]) => ({ prefix, namespaceURI }));
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
