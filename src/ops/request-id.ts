import { randomFillSync } from 'node:crypto';

/** Crockford base 32: no letter that is mistaken for a digit when somebody reads an id out on the telephone. */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const ID_BYTES = 16;

const pool = Buffer.alloc(256 * ID_BYTES);
let used = pool.length;

/** A new request id: 16 characters, 80 bits of randomness. Always our own, never the client's. */
export function newRequestId(): string {
  if (used >= pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  let id = '';
  for (const end = used + ID_BYTES; used < end; used += 1) id += ALPHABET[(pool[used] ?? 0) & 31];
  return id;
}
