import { constants, verify } from 'node:crypto';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { asText, decodeMessage, MOST_BYTES } from './envelope.ts';
import { type Refuse, reading } from './refusals.ts';
import { signedAmong, verifiedElement } from './signatures.ts';
import { attributeOf, childrenOf, NS, onlyChild, readXml, textOf } from './xml.ts';

const inflate = promisify(inflateRaw);

/** How old a request may be, in milliseconds: so long its id is remembered. */
export const LOGOUT_LIFE_MS = 300_000;

const ALGORITHMS: Readonly<Record<string, { readonly hash: string; readonly pss: boolean }>> = {
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': { hash: 'sha256', pss: false },
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512': { hash: 'sha512', pss: false },
  'http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1': { hash: 'sha256', pss: true },
};

/** A message as it came: the query of a redirect, undecoded, or the fields of a form. */
export type LogoutMessage = { readonly query: string } | { readonly form: URLSearchParams };

export interface LogoutExpectations {
  readonly issuer: string;
  readonly address: string;
  readonly certificates: readonly string[];
  readonly now: number;
  readonly skewMs: number;
}

/** A verified request to end logins (SAML core §3.7.1). */
export interface LogoutRequest {
  readonly id: string;
  readonly subject: string;
  /** None: every login of the subject. */
  readonly sessionIndexes: readonly string[];
  /** When it was made, in milliseconds since the epoch. */
  readonly at: number;
  readonly relayState?: string;
}

/** Always signed: whoever could send another one could log anybody out. Throws `saml_*`. */
export async function readLogoutRequest(
  message: LogoutMessage,
  expected: LogoutExpectations,
  refuse: Refuse,
): Promise<LogoutRequest> {
  const { text, relayState } =
    'query' in message
      ? await fromRedirect(message.query, expected.certificates, refuse)
      : fromForm(message.form, expected.certificates, refuse);
  const request = reading(refuse, () => readRequest(text, expected, refuse));
  return relayState === undefined ? request : { ...request, relayState };
}

/** SAML bindings §3.4.4.1: the signature is over the parameters as they were encoded, in this order. */
async function fromRedirect(query: string, certificates: readonly string[], refuse: Refuse) {
  const raw = new Map<string, string>();
  for (const part of query.replace(/^\?/, '').split('&')) {
    const name = part.split('=', 1)[0] as string;
    if (raw.has(name)) throw refuse('saml_message_invalid', 'parameters');
    raw.set(name, part);
  }
  const parameter = (name: string) => new URLSearchParams(raw.get(name)).get(name) ?? undefined;
  const algorithm = ALGORITHMS[parameter('SigAlg') ?? ''];
  const signature = parameter('Signature');
  if (algorithm === undefined) throw refuse('saml_signature_invalid', 'algorithm');
  if (signature === undefined) throw refuse('saml_signature_invalid', 'not signed');
  const signedText = ['SAMLRequest', 'RelayState', 'SigAlg'].flatMap((name) => raw.get(name) ?? []).join('&');
  const padding = algorithm.pss ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const holds = certificates.some((key) =>
    verify(algorithm.hash, Buffer.from(signedText), { key, padding }, Buffer.from(signature, 'base64')),
  );
  if (!holds) throw refuse('saml_signature_invalid', 'signature');
  const relayState = parameter('RelayState');
  const packed = Buffer.from(parameter('SAMLRequest') ?? '', 'base64');
  const bytes = await inflate(packed, { maxOutputLength: MOST_BYTES }).catch(() => {
    throw refuse('saml_message_invalid', 'deflate');
  });
  const text = asText(bytes, refuse);
  // A second signature in the message would have to be of the same; it is not looked at, but must not confuse.
  reading(refuse, () => {
    const root = readXml(text);
    return signedAmong(root, [root], refuse);
  });
  return { text, relayState };
}

function fromForm(form: URLSearchParams, certificates: readonly string[], refuse: Refuse) {
  const [encoded, ...more] = form.getAll('SAMLRequest');
  if (encoded === undefined || more.length > 0) throw refuse('saml_message_invalid', 'SAMLRequest');
  const whole = decodeMessage(encoded, refuse).replace(/\r\n?/g, '\n');
  const text = reading(refuse, () => {
    const root = readXml(whole);
    if (!signedAmong(root, [root], refuse).has(root)) throw refuse('saml_signature_invalid', 'not signed');
    return verifiedElement(whole, root, certificates);
  });
  if (text === undefined) throw refuse('saml_signature_invalid', 'signature');
  return { text, relayState: form.get('RelayState') ?? undefined };
}

function readRequest(text: string, expected: LogoutExpectations, refuse: Refuse): LogoutRequest {
  const invalid = (check: string) => refuse('saml_message_invalid', check);
  const root = readXml(text);
  if (root.localName !== 'LogoutRequest' || root.namespaceURI !== NS.protocol) throw invalid('root');
  if (attributeOf(root, 'Version') !== '2.0') throw invalid('version');
  const id = attributeOf(root, 'ID') ?? '';
  if (id === '') throw invalid('id');
  if (attributeOf(root, 'Destination') !== expected.address) throw refuse('saml_not_for_us', 'Destination');
  const issuer = onlyChild(root, NS.assertion, 'Issuer');
  if (issuer === undefined || textOf(issuer) !== expected.issuer) throw refuse('saml_issuer_unknown', 'Issuer');
  const nameId = onlyChild(root, NS.assertion, 'NameID');
  const subject = nameId === undefined ? undefined : textOf(nameId);
  if (subject === undefined || subject === '') throw invalid('NameID');
  return {
    id,
    subject,
    sessionIndexes: childrenOf(root, NS.protocol, 'SessionIndex').flatMap((one) => textOf(one) || []),
    at: checkTimes(root, expected, refuse),
  };
}

function checkTimes(root: Element, { now, skewMs }: LogoutExpectations, refuse: Refuse): number {
  const time = (name: string) => Date.parse(attributeOf(root, name) ?? '');
  const at = time('IssueInstant');
  if (Number.isNaN(at)) throw refuse('saml_message_invalid', 'IssueInstant');
  if (at - skewMs > now || at + LOGOUT_LIFE_MS + skewMs <= now) throw refuse('saml_expired', 'IssueInstant');
  if (root.hasAttribute('NotOnOrAfter') && !(now < time('NotOnOrAfter') + skewMs)) {
    throw refuse('saml_expired', 'NotOnOrAfter');
  }
  return at;
}
