import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './child.ts';

const OPENSSL_TIMEOUT_MS = 30_000;
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export type ServerCertificate = {
  readonly certificateFile: string;
  readonly keyFile: string;
};

/** Of a server on 127.0.0.1 and localhost unless told otherwise, signed by the CA. */
export type Certificates = ServerCertificate & {
  readonly caFile: string;
  /** The same as PEM text. */
  readonly ca: string;
  /** Another one of the same CA, for these names (`DNS:a.example,IP:127.0.0.1`). */
  issue(names: string, days?: number): Promise<ServerCertificate>;
  remove(): void;
};

/** A certificate authority of our own and a server's certificate that it signed, valid for a day. */
export async function makeCertificates(names = 'IP:127.0.0.1,DNS:localhost'): Promise<Certificates> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-tls-'));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) =>
    run('openssl', ['openssl', ...args], { cwd: folder, timeoutMs: OPENSSL_TIMEOUT_MS });
  const ca = ['-keyout', at('ca.key'), '-out', at('ca.pem'), '-days', '2', '-subj', '/CN=test authority'];
  await openssl('req', '-x509', ...EC, ...ca, '-addext', 'basicConstraints=critical,CA:TRUE');
  let count = 0;
  const issue = async (alternatives: string, days = 1): Promise<ServerCertificate> => {
    count += 1;
    // Several may be issued at once: a file of serial numbers would be written by all of them.
    const number = ['-set_serial', String(count)];
    const server = at(`server-${count}`);
    const [key, csr, list, certificate] = [`${server}.key`, `${server}.csr`, `${server}.names`, `${server}.pem`];
    await openssl('req', '-new', ...EC, '-keyout', key, '-out', csr, '-subj', '/CN=server');
    writeFileSync(list, `subjectAltName=${alternatives}\n`);
    const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), ...number, '-days', String(days)];
    await openssl('x509', '-req', '-in', csr, ...signer, '-extfile', list, '-out', certificate);
    return { certificateFile: certificate, keyFile: key };
  };
  return {
    ...(await issue(names)),
    caFile: at('ca.pem'),
    ca: readFileSync(at('ca.pem'), 'utf8'),
    issue,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
