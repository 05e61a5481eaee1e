import { closeSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { LatchgateError } from '../model/errors.ts';

const OWNER_ONLY = 0o600;

/**
 * Writes a file that names people, piece by piece, readable by its owner alone. Whoever reads it meanwhile has the former
 * one whole, whose rights, had they been wider, are not kept. Throws `plan_unwritable`, and what the pieces throw.
 */
export async function writePrivateFile(file: string, pieces: AsyncIterable<string> | Iterable<string>): Promise<void> {
  const partial = `${file}.${process.pid}.partial`;
  const cannot = (cause: unknown) => new LatchgateError('plan_unwritable', `${file} cannot be written`, { cause });
  let handle: number;
  try {
    handle = openSync(partial, 'wx', OWNER_ONLY);
  } catch (cause) {
    throw cannot(cause);
  }
  try {
    for await (const piece of pieces) writeFileSync(handle, piece);
    closeSync(handle);
    renameSync(partial, file);
  } catch (thrown) {
    rmSync(partial, { force: true });
    throw thrown instanceof LatchgateError ? thrown : cannot(thrown);
  }
}
