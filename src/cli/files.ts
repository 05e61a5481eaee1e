import { decodeText, readFileUpTo } from '../config/files.ts';
import { LatchgateError } from '../model/errors.ts';

const LIMIT_BYTES = 128 * 1024 * 1024;

/** A file that an operator hands over. Throws `not_found` when it cannot be read, `usage` when it is too long or not UTF-8. */
export function readTextFile(file: string): string {
  let bytes: Uint8Array;
  try {
    bytes = readFileUpTo(file, LIMIT_BYTES);
  } catch (cause) {
    throw new LatchgateError('not_found', `${file} cannot be read`, { cause });
  }
  const text = bytes.length > LIMIT_BYTES ? undefined : decodeText(bytes);
  if (text === undefined) throw new LatchgateError('usage', `${file} is too long, or not UTF-8`);
  return text;
}
