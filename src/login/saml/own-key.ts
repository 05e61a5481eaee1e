import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, X509Certificate } from 'node:crypto';
import { LatchgateError } from '../../model/errors.ts';

/** A private key with its certificate, both as PEM. */
export interface OwnKey {
  readonly key: string;
  readonly certificate: string;
}

const LEAST_BITS = 2_048;
const SHA256_WITH_RSA = '2a864886f70d01010b';
const COMMON_NAME = '550403';
const NOT_BEFORE = '240101000000Z';
const NOT_AFTER = '491231235959Z';

/**
 * The key of a PEM text, with the certificate that stands behind it, or else one that is made of the key: the same at
 * every instance and start. Providers take a certificate as the envelope of a key and nothing more (SAML metadata
 * interoperability profile §2.6.1). Throws `config_invalid` for a key that is not RSA of 2,048 bits or more, and when the
 * certificate is of another key.
 */
export function ownKeyOf(pem: string, what: string): OwnKey {
  const privateKey = readKey(pem);
  if (privateKey?.asymmetricKeyType !== 'rsa' || (privateKey.asymmetricKeyDetails?.modulusLength ?? 0) < LEAST_BITS) {
    throw new LatchgateError('config_invalid', `${what} is no RSA key of at least ${LEAST_BITS} bits`);
  }
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const [given] = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/.exec(pem) ?? [];
  if (given === undefined) return { key, certificate: selfSigned(key) };
  const certificate = readCertificate(given);
  if (certificate?.checkPrivateKey(privateKey) !== true) {
    throw new LatchgateError('config_invalid', `the certificate in ${what} is not of its key`);
  }
  return { key, certificate: certificate.toString() };
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function readCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}

/** X.509 v3 (RFC 5280 §4.1) with a name, a long life and no extensions. */
function selfSigned(key: string): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const serial = createHash('sha256').update(spki).digest().subarray(0, 16);
  // Positive (§4.1.2.2), without a leading zero.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const algorithm = sequence(der(0x06, Buffer.from(SHA256_WITH_RSA, 'hex')), der(0x05));
  const name = sequence(
    der(0x31, sequence(der(0x06, Buffer.from(COMMON_NAME, 'hex')), der(0x0c, Buffer.from('latchgate')))),
  );
  const validity = sequence(der(0x17, Buffer.from(NOT_BEFORE)), der(0x17, Buffer.from(NOT_AFTER)));
  const version = der(0xa0, der(0x02, Buffer.from([2])));
  const body = sequence(version, der(0x02, serial), algorithm, name, validity, name, spki);
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, key));
  const text = sequence(body, algorithm, signature).toString('base64');
  return `-----BEGIN CERTIFICATE-----\n${(text.match(/.{1,64}/g) ?? []).join('\n')}\n-----END CERTIFICATE-----\n`;
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** Tag, length, value (X.690 §8.1). */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  const digits = length.subarray(length.findIndex((byte) => byte !== 0));
  return Buffer.concat([Buffer.from([tag, 0x80 | digits.length]), digits, body]);
}
