import type { PersonId } from '../model/person.ts';
import { randomBytes } from '../ops/random.ts';

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const TIME_CHARACTERS = 10;
const RANDOM_CHARACTERS = 16;

/** A new id: `p_`, 48 bits of time in milliseconds, 80 random bits. Ids sort by the time they were made. */
export function newPersonId(nowMs: number): PersonId {
  let time = '';
  for (let rest = nowMs, at = 0; at < TIME_CHARACTERS; at += 1) {
    time = CROCKFORD.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let random = '';
  for (const byte of randomBytes(RANDOM_CHARACTERS)) random += CROCKFORD.charAt(byte & 31);
  return `p_${time}${random}`;
}
