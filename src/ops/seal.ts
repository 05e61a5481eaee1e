import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

const VERSION = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM under a key derived (HKDF-SHA-256, RFC 5869) from the first secret. `purpose` is bound into the key and
 * the tag: a text sealed for one purpose does not open for another.
 */
export function seal(text: string, purpose: string, secrets: readonly string[]): string {
  const [secret] = secrets;
  if (secret === undefined) throw new TypeError('sealing needs a secret');
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', keyFor(secret, purpose), iv);
  cipher.setAAD(Buffer.from(`${VERSION}:${purpose}`));
  const sealed = Buffer.concat([iv, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return `${VERSION}.${sealed.toString('base64url')}`;
}

/** What was sealed and which secret (by place in the list) opened it; undefined when none does. */
export function openSealed(
  sealed: string,
  purpose: string,
  secrets: readonly string[],
): { readonly text: string; readonly secret: number } | undefined {
  const [version, encoded] = sealed.split('.', 2);
  const bytes = Buffer.from(encoded ?? '', 'base64url');
  if (version !== VERSION || bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  for (const [at, secret] of secrets.entries()) {
    const decipher = createDecipheriv('aes-256-gcm', keyFor(secret, purpose), bytes.subarray(0, IV_BYTES));
    decipher.setAAD(Buffer.from(`${VERSION}:${purpose}`));
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
    try {
      const text = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()]);
      return { text: text.toString('utf8'), secret: at };
    } catch {
      // Not this secret.
    }
  }
  return undefined;
}

function keyFor(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, 'latchgate', purpose, 32));
}
