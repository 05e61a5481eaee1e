import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 65_536;

/**
 * Reads a file of the machine, pipes included, and stops one byte after the limit: who sees more than `limitBytes` knows
 * that there is more. Throws what node:fs throws (`ENOENT`, `EACCES`, `EISDIR`, …).
 */
export function readFileUpTo(path: string, limitBytes: number): Uint8Array {
  const chunks: Buffer[] = [];
  let length = 0;
  const file = openSync(path, 'r');
  try {
    while (length <= limitBytes) {
      const chunk = Buffer.alloc(Math.min(CHUNK_BYTES, limitBytes + 1 - length));
      const read = readSync(file, chunk);
      if (read === 0) break;
      chunks.push(chunk.subarray(0, read));
      length += read;
    }
  } finally {
    closeSync(file);
  }
  return Buffer.concat(chunks);
}

/** UTF-8 without its byte order mark; undefined when the bytes are not text. */
export function decodeText(bytes: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text.includes('\0') ? undefined : text;
  } catch {
    return undefined;
  }
}
