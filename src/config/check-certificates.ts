import { originOfHost } from '../model/origin.ts';
import { type Certificate, CertificateError, readCertificate } from '../ops/certificate.ts';
import type { Finding } from './complaint.ts';
import type { Checked } from './declared.ts';
import { decodeText } from './files.ts';
import type { Config } from './schema.ts';

const LIMIT_BYTES = 1_048_576;
const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;

type ReadFile = (path: string, limitBytes: number) => Uint8Array;

/** The files of `tls`: whether a server could use them, and browsers would believe it. */
export function checkCertificates(config: Config, readFile: ReadFile): Checked {
  const { tls } = config;
  if (tls === undefined) return { complaints: [], warnings: [] };
  const complaints: Finding[] = [];
  const certificates: Certificate[] = [];
  for (const [at, path] of tls.certificate.entries()) {
    const texts = { certificate: readText(path, readFile), key: readText(tls.key[at] as string, readFile) };
    for (const file of ['certificate', 'key'] as const) {
      if (texts[file] === undefined) complaints.push(unusable(config, file, at, 'cannot be read, or is no text'));
    }
    if (texts.certificate === undefined || texts.key === undefined) continue;
    try {
      certificates.push(readCertificate(texts.certificate, texts.key));
    } catch (thrown) {
      if (!(thrown instanceof CertificateError)) throw thrown;
      complaints.push(unusable(config, thrown.file, at, thrown.message));
    }
  }
  if (complaints.length > 0) return { complaints, warnings: [] };
  return { complaints, warnings: [...ends(certificates, config), ...missing(certificates, config)] };
}

function readText(path: string, readFile: ReadFile): string | undefined {
  try {
    const bytes = readFile(path, LIMIT_BYTES);
    return bytes.length > LIMIT_BYTES ? undefined : decodeText(bytes);
  } catch {
    return undefined;
  }
}

function unusable({ tls }: Config, file: 'certificate' | 'key', at: number, what: string): Finding {
  return { path: ['tls', file, at], code: 'certificate_unusable', message: `the file ${tls?.[file][at]} ${what}` };
}

function ends(certificates: readonly Certificate[], { tls }: Config): readonly Finding[] {
  const now = Date.now();
  return certificates.flatMap(({ validFrom, validTo }, at): Finding[] => {
    const isSoon = validTo - now < Math.min(SOON_MS, (validTo - validFrom) / 5);
    if (!isSoon && validFrom <= now) return [];
    const when =
      validFrom > now
        ? `is not valid before ${new Date(validFrom).toISOString()}`
        : `${validTo < now ? 'ran out at' : 'runs out at'} ${new Date(validTo).toISOString()}`;
    const message = `the certificate in ${tls?.certificate[at]} ${when}`;
    return [{ path: ['tls', 'certificate', at], code: 'certificate_ends', message }];
  });
}

function missing(certificates: readonly Certificate[], config: Config): readonly Finding[] {
  const hosts = new Set([undefined, ...config.routes.map(({ host }) => host)]);
  const names = new Set([...hosts].map((host) => new URL(originOfHost(config.public_url, host)).hostname));
  return [...names]
    .filter((name) => !certificates.some((one) => one.fits(name.replace(/^\[|\]$/g, ''))))
    .map((name): Finding => {
      const message = `no certificate is for ${name}: browsers refuse it`;
      return { path: ['tls', 'certificate'], code: 'certificate_missing', message };
    });
}
