import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';

/** A certificate with those that lead to its authority, and its key: checked to belong together. */
export interface Certificate {
  /** PEM. */
  readonly chain: string;
  /** PEM. */
  readonly key: string;
  /** Milliseconds since the epoch. */
  readonly validFrom: number;
  /** Milliseconds since the epoch. */
  readonly validTo: number;
  /** Whether browsers take it for this host name or address (RFC 6125). */
  fits(host: string): boolean;
}

/** Why a pair of files is none. `file` says which of the two. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly file: 'certificate' | 'key';

  constructor(file: 'certificate' | 'key', message: string) {
    super(message);
    this.file = file;
  }
}

/** Throws CertificateError, whose message says nothing of the contents. */
export function readCertificate(chain: string, key: string): Certificate {
  const leaf = parsed('certificate', 'holds no certificate in PEM', () => new X509Certificate(chain));
  if (key.includes('ENCRYPTED')) throw new CertificateError('key', 'is encrypted: write it without a passphrase');
  const privateKey: KeyObject = parsed('key', 'holds no private key in PEM', () => createPrivateKey(key));
  if (!leaf.checkPrivateKey(privateKey)) throw new CertificateError('key', 'is not that of the certificate');
  parsed('certificate', 'cannot be used for TLS', () => createSecureContext({ cert: chain, key }));
  return {
    chain,
    key,
    validFrom: Date.parse(leaf.validFrom),
    validTo: Date.parse(leaf.validTo),
    fits: (host) => (isIP(host) === 0 ? leaf.checkHost(host, { subject: 'never' }) : leaf.checkIP(host)) !== undefined,
  };
}

function parsed<T>(file: 'certificate' | 'key', message: string, parse: () => T): T {
  try {
    return parse();
  } catch {
    throw new CertificateError(file, message);
  }
}
