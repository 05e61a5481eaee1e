import { decrypt } from 'xml-encryption';
import { checkDecrypted, type Envelope, type Wanted } from './envelope.ts';
import type { OwnKey } from './own-key.ts';
import { type Refuse, reading } from './refusals.ts';
import { verifiedElement } from './signatures.ts';
import { allElements, attributeOf, elementsOf, readXml, XmlRefused } from './xml.ts';

const GCM = new Set(['http://www.w3.org/2009/xmlenc11#aes128-gcm', 'http://www.w3.org/2009/xmlenc11#aes256-gcm']);
const CBC = new Set(['http://www.w3.org/2001/04/xmlenc#aes128-cbc', 'http://www.w3.org/2001/04/xmlenc#aes256-cbc']);
/** Of one encrypted assertion, the certificates for which its key was wrapped included. */
const MOST_ELEMENTS = 60;

export interface Keys {
  /** Of the provider. */
  readonly certificates: readonly string[];
  /** Ours, tried in turn; none: encrypted assertions are refused. */
  readonly decryption: readonly OwnKey[];
}

/**
 * The assertion of a response as it was signed, as canonical XML. Each signature that is there has to hold, that of the
 * response before anything is decrypted. Throws `saml_*`; whatever goes wrong with what is encrypted has one code and check.
 */
export async function verifiedAssertion(
  envelope: Envelope,
  { certificates, decryption }: Keys,
  wanted: Wanted,
  refuse: Refuse,
): Promise<string> {
  const { text, root, assertion, signed, isEncrypted } = envelope;
  const verified = (element: Element): string => {
    const found = verifiedElement(text, element, certificates);
    if (found === undefined) throw refuse('saml_signature_invalid', 'signature');
    return found;
  };
  const response = signed.has(root) ? reading(refuse, () => readXml(verified(root))) : undefined;
  if (!isEncrypted) return signed.has(assertion) || response === undefined ? verified(assertion) : inside(response);
  if (decryption.length === 0) throw refuse('saml_message_invalid', 'encrypted, and no decryption_key');
  const encrypted = response === undefined ? assertion.toString() : inside(response);
  try {
    const plain = (await decryptedByAny(encrypted, decryption, response !== undefined)).replace(/\r\n?/g, '\n');
    const own = checkDecrypted(plain, wanted, response !== undefined, refuse);
    const found = own.isSigned ? verifiedElement(plain, own.root, certificates) : plain;
    if (found !== undefined) return found;
  } catch {
    // One word for whatever went wrong: what is inside is not to be guessed by trying.
  }
  throw refuse('saml_signature_invalid', 'encrypted assertion');
}

/** The one assertion of a response, encrypted or not. */
function inside(response: Element): string {
  const [assertion] = elementsOf(response).filter(({ localName }) => /^(?:Encrypted)?Assertion$/.test(localName));
  return String(assertion);
}

/** By the first key that opens it; rejects as the last one does. */
async function decryptedByAny(xml: string, keys: readonly OwnKey[], isFromProvider: boolean): Promise<string> {
  let failure: unknown;
  for (const key of keys) {
    try {
      return await decrypted(xml, key, isFromProvider);
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

/**
 * What is in an EncryptedAssertion. CBC does not show that a text was changed, so that whoever tries long enough reads it:
 * it is for what the provider has signed. Rejects also for PKCS #1 v1.5 and 3DES.
 */
function decrypted(xml: string, { key }: OwnKey, isFromProvider: boolean): Promise<string> {
  const all = allElements(readXml(xml));
  const [data, ...more] = all.filter(({ localName }) => localName === 'EncryptedData');
  if (data === undefined || more.length > 0 || all.length > MOST_ELEMENTS) throw new XmlRefused('EncryptedData');
  const [method, ...others] = elementsOf(data).filter(({ localName }) => localName === 'EncryptionMethod');
  const algorithm = method === undefined || others.length > 0 ? '' : (attributeOf(method, 'Algorithm') ?? '');
  if (!GCM.has(algorithm) && !(isFromProvider && CBC.has(algorithm))) throw new XmlRefused('EncryptionMethod');
  return new Promise((resolve, reject) => {
    decrypt(xml, { key, disallowDecryptionWithInsecureAlgorithm: true }, (error, text) =>
      error === null || error === undefined ? resolve(text) : reject(error),
    );
  });
}
