import { randomFillSync } from 'node:crypto';

/** Drawn from the operating system at once: a call for each secret costs many times the secret. */
const pool = Buffer.allocUnsafeSlow(8_192);
let used = pool.length;

/** So many unpredictable bytes; at most 8,192 of them. The caller's own to keep. */
export function randomBytes(size: number): Buffer {
  const at = take(size);
  return Buffer.from(pool.subarray(at, at + size));
}

/** The same in base64url (RFC 4648 §5), without padding. */
export function randomText(size: number): string {
  const at = take(size);
  return pool.toString('base64url', at, at + size);
}

function take(size: number): number {
  if (used + size > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const at = used;
  used += size;
  return at;
}
