import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './child.ts';

const OPENSSL_TIMEOUT_MS = 30_000;
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export type Certificates = {
  readonly caFile: string;
  /** The same as PEM text. */
  readonly ca: string;
  /** Of a server on 127.0.0.1 and localhost, signed by the CA. */
  readonly certificateFile: string;
  readonly keyFile: string;
  remove(): void;
};

/** A certificate authority of our own and a server's certificate that it signed, valid for a day. */
export async function makeCertificates(): Promise<Certificates> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-tls-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) =>
    run('openssl', ['openssl', ...args], { cwd: folder, timeoutMs: OPENSSL_TIMEOUT_MS });
  const ca = ['-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '1', '-subj', '/CN=test authority'];
  await openssl('req', '-x509', ...EC, ...ca, '-addext', 'basicConstraints=critical,CA:TRUE');
  await openssl('req', ...EC, '-keyout', at('server.key'), '-out', at('server.csr'), '-subj', '/CN=localhost');
  writeFileSync(at('names'), 'subjectAltName=IP:127.0.0.1,DNS:localhost\n');
  const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-days', '1'];
  const named = ['-extfile', at('names'), '-out', at('server.pem')];
  await openssl('x509', '-req', '-in', at('server.csr'), ...signer, ...named);
  return {
    caFile: at('ca.pem'),
    ca: readFileSync(at('ca.pem'), 'utf8'),
    certificateFile: at('server.pem'),
    keyFile: at('server.key'),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
