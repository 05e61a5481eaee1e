import { createCipheriv, createDecipheriv } from 'node:crypto';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { randomBytes } from '../ops/random.ts';

const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Shorter texts do not get smaller. */
const COMPRESSED_FROM = 600;
/** Of a text that is opened. */
const MOST_BYTES = 64 * 1024;

/**
 * Seals texts for one purpose as a compact JWE (RFC 7516 §7.1) under a shared key (`dir`, A256GCM), at once: a login
 * begins with one, and an asynchronous encryption would be most of its work.
 */
export class SealedTexts {
  readonly #plain: Header;
  readonly #zipped: Header;

  /** `purpose` stands in the protected header (`typ`), and what was sealed for another one does not open. */
  constructor(purpose: string) {
    const header = { alg: 'dir', enc: 'A256GCM', typ: purpose };
    this.#plain = encode(header);
    this.#zipped = encode({ ...header, zip: 'DEF' });
  }

  seal(text: string, key: Buffer): string {
    const isZipped = text.length >= COMPRESSED_FROM;
    const header = isZipped ? this.#zipped : this.#plain;
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, key, iv);
    cipher.setAAD(header.bytes);
    const sealed = isZipped ? cipher.update(deflateRawSync(text)) : cipher.update(text, 'utf8');
    cipher.final();
    const tag = cipher.getAuthTag().toString('base64url');
    return `${header.text}..${iv.toString('base64url')}.${sealed.toString('base64url')}.${tag}`;
  }

  /** Undefined: not sealed by us under this key for this purpose, or changed. */
  open(sealed: string, key: Buffer): string | undefined {
    const [head, encryptedKey, ...rest] = sealed.split('.');
    const isZipped = head === this.#zipped.text;
    if ((!isZipped && head !== this.#plain.text) || encryptedKey !== '' || rest.length !== 3) return undefined;
    const [iv, text, tag] = rest.map(decode);
    if (iv?.length !== IV_BYTES || text === undefined || tag?.length !== TAG_BYTES) return undefined;
    const decipher = createDecipheriv(CIPHER, key, iv, { authTagLength: TAG_BYTES });
    decipher.setAAD(isZipped ? this.#zipped.bytes : this.#plain.bytes);
    decipher.setAuthTag(tag);
    try {
      const bytes = Buffer.concat([decipher.update(text), decipher.final()]);
      return (isZipped ? inflateRawSync(bytes, { maxOutputLength: MOST_BYTES }) : bytes).toString();
    } catch {
      return undefined;
    }
  }
}

interface Header {
  readonly text: string;
  /** What is authenticated along with the text (RFC 7516 §5.1). */
  readonly bytes: Buffer;
}

function encode(header: Readonly<Record<string, string>>): Header {
  const text = Buffer.from(JSON.stringify(header)).toString('base64url');
  return { text, bytes: Buffer.from(text, 'latin1') };
}

/** Undefined for what no encoder writes: other texts would be other spellings of the same seal. */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
