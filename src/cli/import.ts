import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Made } from '../import/migration.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Io } from './io.ts';

export interface ImportOptions {
  /** One of `IMPORTERS`. */
  readonly from: string;
  readonly file: string;
  readonly out?: string;
  /** One JSON object: `config`, `todo`, `options`. */
  readonly json?: boolean;
}

const MOST_BYTES = 1_048_576;

type Importer = (text: string, file: string) => Made;

/** By the name of the program that a file is of. Loaded when asked for: a gateway that serves imports nothing. */
export const IMPORTERS: Readonly<Record<string, () => Promise<Importer>>> = {
  superset: async () => (await import('../import/superset.ts')).importSuperset,
  'oauth2-proxy': async () => (await import('../import/oauth2-proxy.ts')).importOauth2Proxy,
  grafana: async () => (await import('../import/grafana.ts')).importGrafana,
};

/**
 * `latchgate import superset|oauth2-proxy|grafana FILE`: prints a configuration of ours made of one of theirs, with what
 * became of every option in comments. Reads the file and runs nothing of it; copies no secret. Exit code 0. Throws `usage`.
 */
export async function importFile({ from, file, out, json }: ImportOptions, io: Io): Promise<number> {
  const load = IMPORTERS[from];
  if (load === undefined) throw new LatchgateError('internal', 'there is no such importer');
  const importer = await load();
  const made = importer(textOf(file), basename(file));
  if (out !== undefined) write(out, made.config);
  if (json === true) io.out(JSON.stringify(made));
  else if (out === undefined) io.out(made.config.trimEnd());
  else io.out(`${out}: ${made.todo.length} to do, named at its head; then latchgate check --config ${out}`);
  return 0;
}

function textOf(file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(file));
  } catch (cause) {
    if (cause instanceof LatchgateError) throw cause;
    throw new LatchgateError('usage', `${file} cannot be read, or is not UTF-8 text`, { cause });
  }
}

function bytesOf(file: string): Buffer {
  const buffer = Buffer.alloc(MOST_BYTES + 1);
  const descriptor = openSync(file, 'r');
  try {
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > MOST_BYTES) throw new LatchgateError('usage', `${file} is longer than 1 MiB`);
    return buffer.subarray(0, length);
  } finally {
    closeSync(descriptor);
  }
}

/** What somebody has worked on since is not written over. */
function write(file: string, text: string): void {
  try {
    writeFileSync(file, text, { flag: 'wx' });
  } catch (cause) {
    throw new LatchgateError('usage', `${file} cannot be written, or is there already`, { cause });
  }
}
