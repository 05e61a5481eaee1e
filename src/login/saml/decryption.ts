import { constants, createDecipheriv, createPrivateKey, privateDecrypt } from 'node:crypto';
import type { OwnKey } from './own-key.ts';
import { allElements, attributeOf, NS, onlyChild, readXml, textOf, XmlRefused } from './xml.ts';

const ENC = 'http://www.w3.org/2001/04/xmlenc#';
const ENC11 = 'http://www.w3.org/2009/xmlenc11#';
/** Of one encrypted assertion, the certificates for which its key was wrapped included. */
const MOST_ELEMENTS = 60;
const TAG_BYTES = 16;

const GCM: ReadonlyMap<string, 'aes-128-gcm' | 'aes-256-gcm'> = new Map([
  [`${ENC11}aes128-gcm`, 'aes-128-gcm'],
  [`${ENC11}aes256-gcm`, 'aes-256-gcm'],
]);
const CBC: ReadonlyMap<string, string> = new Map([
  [`${ENC}aes128-cbc`, 'aes-128-cbc'],
  [`${ENC}aes256-cbc`, 'aes-256-cbc'],
]);
const DIGESTS: ReadonlyMap<string, string> = new Map([
  [`${NS.signature}sha1`, 'sha1'],
  [`${ENC}sha256`, 'sha256'],
  ['http://www.w3.org/2001/04/xmldsig-more#sha384', 'sha384'],
  [`${ENC}sha512`, 'sha512'],
]);
const MASKS: ReadonlyMap<string, string> = new Map(
  ['sha1', 'sha256', 'sha384', 'sha512'].map((hash) => [`${ENC11}mgf1${hash}`, hash]),
);

/** What is in an EncryptedAssertion, and how: nothing of it needs a key to be told. */
export interface Sealed {
  /** Of the content (XML Encryption §5.2). */
  readonly algorithm: string;
  readonly content: Buffer;
  readonly wrappedKey: Buffer;
  /** Of RSA-OAEP, for its digest and its mask alike. */
  readonly hash: string;
}

/**
 * Reads an EncryptedAssertion. Throws XmlRefused: also for a key that is not wrapped by RSA-OAEP with one hash for digest and
 * mask (XML Encryption 1.1 §5.5.2), which is all that is opened here.
 */
export function readSealed(xml: string): Sealed {
  const all = allElements(readXml(xml));
  const named = (name: string) => all.filter((one) => one.localName === name && one.namespaceURI === ENC);
  const [data, ...more] = named('EncryptedData');
  if (data === undefined || more.length > 0 || all.length > MOST_ELEMENTS) throw new XmlRefused('EncryptedData');
  const [key] = named('EncryptedKey');
  if (key === undefined) throw new XmlRefused('EncryptedKey');
  const method = onlyChild(data, ENC, 'EncryptionMethod');
  return {
    algorithm: (method && attributeOf(method, 'Algorithm')) ?? '',
    content: cipherOf(data),
    wrappedKey: cipherOf(key),
    hash: hashOf(key),
  };
}

/**
 * What is inside. CBC does not show that a text was changed, so that whoever tries long enough reads it: it is for what the
 * provider has signed. Throws when this key does not open it, and for 3DES.
 */
export function unseal(
  { algorithm, content, wrappedKey, hash }: Sealed,
  { key }: OwnKey,
  isFromProvider: boolean,
): string {
  const gcm = GCM.get(algorithm);
  const cbc = isFromProvider ? CBC.get(algorithm) : undefined;
  if (gcm === undefined && cbc === undefined) throw new XmlRefused('EncryptionMethod');
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const secret = privateDecrypt({ key: createPrivateKey(key), padding, oaepHash: hash }, wrappedKey);
  const plain = gcm === undefined ? fromCbc(cbc as string, secret, content) : fromGcm(gcm, secret, content);
  return new TextDecoder('utf-8', { fatal: true }).decode(plain);
}

function fromGcm(algorithm: 'aes-128-gcm' | 'aes-256-gcm', secret: Buffer, content: Buffer): Buffer {
  const opening = createDecipheriv(algorithm, secret, content.subarray(0, 12), { authTagLength: TAG_BYTES });
  if (content.length < 12 + TAG_BYTES) throw new XmlRefused('CipherValue');
  opening.setAuthTag(content.subarray(-TAG_BYTES));
  return Buffer.concat([opening.update(content.subarray(12, -TAG_BYTES)), opening.final()]);
}

/** Of the padding only the last byte means something (XML Encryption §5.2.1). */
function fromCbc(algorithm: string, secret: Buffer, content: Buffer): Buffer {
  const opening = createDecipheriv(algorithm, secret, content.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([opening.update(content.subarray(16)), opening.final()]);
  const length = padded.at(-1) ?? 0;
  if (length < 1 || length > 16) throw new XmlRefused('CipherValue');
  return padded.subarray(0, -length);
}

function cipherOf(element: Element): Buffer {
  const data = onlyChild(element, ENC, 'CipherData');
  const value = data && onlyChild(data, ENC, 'CipherValue');
  const text = value && textOf(value);
  if (text === undefined) throw new XmlRefused('CipherValue');
  return Buffer.from(text, 'base64');
}

function hashOf(key: Element): string {
  const method = onlyChild(key, ENC, 'EncryptionMethod');
  const transport = method && attributeOf(method, 'Algorithm');
  if (method === undefined || (transport !== `${ENC}rsa-oaep-mgf1p` && transport !== `${ENC11}rsa-oaep`)) {
    throw new XmlRefused('key transport algorithm');
  }
  if (onlyChild(method, ENC, 'OAEPparams') !== undefined) throw new XmlRefused('key transport OAEPparams');
  const named = (element: Element | undefined, known: ReadonlyMap<string, string>) =>
    element === undefined ? 'sha1' : known.get(attributeOf(element, 'Algorithm') ?? '');
  const digest = named(onlyChild(method, NS.signature, 'DigestMethod'), DIGESTS);
  // The older name says SHA-1 for the mask, whatever the digest is.
  const mask = transport === `${ENC11}rsa-oaep` ? named(onlyChild(method, ENC11, 'MGF'), MASKS) : 'sha1';
  if (digest === undefined || mask !== digest) throw new XmlRefused('key transport digest and mask');
  return digest;
}
