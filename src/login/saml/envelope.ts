import { type Refuse, reading } from './refusals.ts';
import { signedAmong } from './signatures.ts';
import { allElements, attributeOf, childrenOf, NS, onlyChild, readXml, textOf } from './xml.ts';

export const MOST_BYTES = 262_144;
const SUCCESS = 'urn:oasis:names:tc:SAML:2.0:status:Success';
const STATUS = 'urn:oasis:names:tc:SAML:2.0:status:';
/** What a provider answers when it, and not the person, is at fault (SAML core §3.2.2.2). */
const FAULTS = new Set([
  'Requester',
  'VersionMismatch',
  'RequestUnsupported',
  'UnsupportedBinding',
  'InvalidNameIDPolicy',
]);

export interface Wanted {
  /** Of the provider. */
  readonly issuer: string;
  /** Our address that the response came to. */
  readonly address: string;
  readonly responseSigned: boolean;
  readonly assertionSigned: boolean;
}

/** What is left to be verified of a response whose outside holds. */
export interface Envelope {
  /** The whole document. */
  readonly text: string;
  readonly root: Element;
  /** The one assertion, or the element around the encrypted one. */
  readonly assertion: Element;
  readonly isEncrypted: boolean;
  /** Which of the two have a signature of their own, which is still to be verified. */
  readonly signed: ReadonlySet<Element>;
  /** Response/@InResponseTo: only to be compared with what the assertion says. */
  readonly inResponseTo?: string;
}

/** The status that is no success, which a provider need not sign: it lets nobody in. */
export class StatusRefused extends Error {
  /** The last part of the status codes, the inner one first; `other` for what SAML does not know. */
  readonly status: string;
  readonly isFault: boolean;

  constructor(status: string) {
    super(`the provider answers ${status}`);
    this.status = status;
    this.isFault = FAULTS.has(status);
  }
}

/** The text of a base64 form field. Throws `saml_message_invalid`. */
export function decodeMessage(encoded: string, refuse: Refuse): string {
  const packed = encoded.replace(/[\r\n\t ]+/g, '');
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) throw refuse('saml_message_invalid', 'base64');
  return asText(Buffer.from(packed, 'base64'), refuse);
}

/** UTF-8 of at most 256 KiB. */
export function asText(bytes: Uint8Array, refuse: Refuse): string {
  if (bytes.length > MOST_BYTES) throw refuse('saml_message_invalid', 'size');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse('saml_message_invalid', 'utf-8');
  }
}

/**
 * Everything about a response that can be told without a key (SAML core §3.3.3, profiles §4.1.4.3). Nothing that it reads
 * is believed: what is believed is read from the assertion that was verified. Throws `saml_*` and StatusRefused.
 */
export function openEnvelope(text: string, wanted: Wanted, refuse: Refuse): Envelope {
  // As a parser has to (XML §2.11), and as it was signed.
  return reading(refuse, () => open(text.replace(/\r\n?/g, '\n'), wanted, refuse));
}

function open(text: string, wanted: Wanted, refuse: Refuse): Envelope {
  const invalid = (check: string) => refuse('saml_message_invalid', check);
  const root = readXml(text);
  if (root.localName !== 'Response' || root.namespaceURI !== NS.protocol) throw invalid('root');
  if (attributeOf(root, 'Version') !== '2.0') throw invalid('version');
  checkStatus(root, refuse);
  const [assertion, ...more] = allElements(root).filter(({ localName }) => /^(?:Encrypted)?Assertion$/.test(localName));
  if (assertion === undefined || more.length > 0)
    throw invalid(assertion === undefined ? 'no assertion' : 'several assertions');
  if (assertion.parentNode !== root || assertion.namespaceURI !== NS.assertion) throw invalid('place of the assertion');
  const isPlain = assertion.localName === 'Assertion';
  const signed = signedAmong(root, isPlain ? [root, assertion] : [root], refuse);
  const isResponseSigned = signed.has(root);
  if (wanted.responseSigned && !isResponseSigned) throw refuse('saml_signature_invalid', 'response not signed');
  if (wanted.assertionSigned && isPlain && !signed.has(assertion)) {
    throw refuse('saml_signature_invalid', 'assertion not signed');
  }
  if (signed.size === 0 && isPlain) throw refuse('saml_signature_invalid', 'not signed');
  checkAddress(root, wanted, isResponseSigned, refuse);
  const inResponseTo = attributeOf(root, 'InResponseTo');
  return {
    text,
    root,
    assertion,
    isEncrypted: !isPlain,
    signed,
    ...(inResponseTo === undefined ? {} : { inResponseTo }),
  };
}

function checkAddress(root: Element, wanted: Wanted, isSigned: boolean, refuse: Refuse): void {
  const issuer = onlyChild(root, NS.assertion, 'Issuer');
  if (issuer !== undefined && textOf(issuer) !== wanted.issuer)
    throw refuse('saml_issuer_unknown', 'Issuer of the response');
  const destination = attributeOf(root, 'Destination');
  // SAML bindings §3.5.5.2: it has to be there where the message is signed.
  if (destination === undefined ? isSigned : destination !== wanted.address) {
    throw refuse('saml_not_for_us', 'Destination');
  }
}

function checkStatus(root: Element, refuse: Refuse): void {
  const status = onlyChild(root, NS.protocol, 'Status');
  const outer = status && onlyChild(status, NS.protocol, 'StatusCode');
  if (outer === undefined) throw refuse('saml_message_invalid', 'status');
  if (attributeOf(outer, 'Value') === SUCCESS) return;
  const [inner = outer] = childrenOf(outer, NS.protocol, 'StatusCode');
  const value = attributeOf(inner, 'Value') ?? '';
  const known = value.startsWith(STATUS) ? value.slice(STATUS.length) : '';
  throw new StatusRefused(/^[A-Za-z]{1,40}$/.test(known) ? known : 'other');
}

/** A decrypted assertion is a document of its own, and gets no easier reading. Its signature is inside. */
export function checkDecrypted(
  text: string,
  wanted: Wanted,
  isResponseSigned: boolean,
  refuse: Refuse,
): { readonly root: Element; readonly isSigned: boolean } {
  return reading(refuse, () => {
    if (text.length > MOST_BYTES) throw refuse('saml_message_invalid', 'size');
    const root = readXml(text);
    const isAssertion = root.localName === 'Assertion' && root.namespaceURI === NS.assertion;
    const inside = allElements(root).filter(({ localName }) => /^(?:Encrypted)?Assertion$/.test(localName));
    if (!isAssertion || inside.length > 1) throw refuse('saml_message_invalid', 'decrypted assertion');
    const isSigned = signedAmong(root, [root], refuse).has(root);
    if (!isSigned && (wanted.assertionSigned || !isResponseSigned)) {
      throw refuse('saml_signature_invalid', 'assertion not signed');
    }
    return { root, isSigned };
  });
}
