import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls';
import { LatchgateError } from '../model/errors.ts';
import { type Certificate, CertificateError, readCertificate } from '../ops/certificate.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';

/** Paths of one certificate and its key, PEM each. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificatesOptions {
  /** At least one; whoever names no host, or one that none of them is for, gets the first. */
  readonly files: readonly CertificateFiles[];
  readonly minVersion: SecureVersion;
  readonly clock: Clock;
  readonly log: Log;
  /** How often the files are looked at; default 10 s. */
  readonly pollMs?: number;
}

/** What new connections are secured with. */
export interface Certificates {
  readonly minVersion: SecureVersion;
  readonly first: Certificate;
  /** For the name that the client asks by (RFC 6066 §3). */
  contextFor(servername: string): SecureContext;
  /** Seconds until each runs out, by the path of its file. */
  expiries(): readonly (readonly [file: string, seconds: number])[];
  /** Calls back whenever a file has changed for a good one. Returns how to stop looking. */
  watch(onChange: () => void): () => void;
}

const POLL_MS = 10_000;
const DAY_MS = 86_400_000;
const WARN_MS = 14 * DAY_MS;

type Texts = Pick<Certificate, 'chain' | 'key'>;

interface Loaded {
  readonly certificate: Certificate;
  readonly context: SecureContext;
}

/** Reads the files. Throws `certificate_unusable`. */
export function createCertificates(options: CertificatesOptions): Certificates {
  const readText = (file: string): string => {
    try {
      return readFileSync(file, 'utf8');
    } catch (cause) {
      throw unreadable(file, cause);
    }
  };
  const loaded = options.files.map((files) =>
    secure({ chain: readText(files.certificate), key: readText(files.key) }, files, options.minVersion),
  );
  return new WatchedCertificates(options, loaded);
}

class WatchedCertificates implements Certificates {
  readonly minVersion: SecureVersion;
  readonly #options: CertificatesOptions;
  readonly #loaded: Loaded[];
  /** By file: what was wrong at the last look, and when the end was last warned of. */
  readonly #complaints = new Map<string, { readonly message: string; readonly isSaid: boolean }>();
  readonly #warnedAt = new Map<string, number>();

  constructor(options: CertificatesOptions, loaded: readonly Loaded[]) {
    this.minVersion = options.minVersion;
    this.#options = options;
    this.#loaded = [...loaded];
    this.#warnOfEnds();
  }

  get first(): Certificate {
    return (this.#loaded[0] as Loaded).certificate;
  }

  contextFor(servername: string): SecureContext {
    const found = this.#loaded.find(({ certificate }) => certificate.fits(servername));
    return (found ?? (this.#loaded[0] as Loaded)).context;
  }

  expiries(): readonly (readonly [file: string, seconds: number])[] {
    const now = this.#options.clock.now();
    return this.#options.files.map(({ certificate }, at) => {
      const { validTo } = (this.#loaded[at] as Loaded).certificate;
      return [certificate, Math.round((validTo - now) / 1_000)];
    });
  }

  watch(onChange: () => void): () => void {
    let isLooking = false;
    // Contents rather than events: a mounted secret is a link to a folder that is exchanged.
    const timer = setInterval(async () => {
      if (isLooking) return;
      isLooking = true;
      if (await this.#look()) onChange();
      this.#warnOfEnds();
      isLooking = false;
    }, this.#options.pollMs ?? POLL_MS);
    timer.unref();
    return () => clearInterval(timer);
  }

  async #look(): Promise<boolean> {
    let hasChanged = false;
    for (const [at, files] of this.#options.files.entries()) {
      const { certificate: before } = this.#loaded[at] as Loaded;
      try {
        const texts = await read(files);
        if (texts.chain === before.chain && texts.key === before.key) {
          this.#complaints.delete(files.certificate);
          continue;
        }
        this.#loaded[at] = secure(texts, files, this.minVersion);
        hasChanged = true;
        this.#complaints.delete(files.certificate);
        this.#warnedAt.delete(files.certificate);
        this.#options.log.info('a certificate was changed', { certificate: files.certificate });
      } catch (thrown) {
        this.#complain(files, thrown as LatchgateError);
      }
    }
    return hasChanged;
  }

  /** Whoever renews writes one file after the other: only what is still so at the next look is worth a word. */
  #complain({ certificate }: CertificateFiles, error: LatchgateError): void {
    const before = this.#complaints.get(certificate);
    const isSame = before?.message === error.message;
    this.#complaints.set(certificate, { message: error.message, isSaid: isSame });
    if (!isSame || before.isSaid) return;
    this.#options.log.warn('a changed certificate cannot be used; the former one stays', { certificate, error });
  }

  #warnOfEnds(): void {
    const { clock, log, files } = this.#options;
    const now = clock.now();
    for (const [at, { certificate: file }] of files.entries()) {
      const { validFrom, validTo } = (this.#loaded[at] as Loaded).certificate;
      const isNear = validTo - now < Math.min(WARN_MS, (validTo - validFrom) / 5);
      if (!isNear || now - (this.#warnedAt.get(file) ?? Number.NEGATIVE_INFINITY) < DAY_MS) continue;
      this.#warnedAt.set(file, now);
      const message = validTo < now ? 'a certificate has run out' : 'a certificate runs out soon';
      log.warn(message, { certificate: file, validTo: new Date(validTo).toISOString() });
    }
  }
}

async function read(files: CertificateFiles): Promise<Texts> {
  const readText = (file: string): Promise<string> =>
    readFile(file, 'utf8').catch((cause: unknown) => {
      throw unreadable(file, cause);
    });
  return { chain: await readText(files.certificate), key: await readText(files.key) };
}

function unreadable(file: string, cause: unknown): LatchgateError {
  return new LatchgateError('certificate_unusable', `${file} cannot be read`, { detail: { file }, cause });
}

function secure({ chain, key }: Texts, files: CertificateFiles, minVersion: SecureVersion): Loaded {
  try {
    const certificate = readCertificate(chain, key);
    return { certificate, context: createSecureContext({ cert: chain, key, minVersion }) };
  } catch (thrown) {
    if (!(thrown instanceof CertificateError)) throw thrown;
    const file = files[thrown.file];
    throw new LatchgateError('certificate_unusable', `${file} ${thrown.message}`, { detail: { file } });
  }
}
