import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Audit, AuditRecord } from '../audit/audit.ts';
import { recordBody } from '../audit/record.ts';
import type { Clock } from '../ops/clock.ts';
import type { Io } from './io.ts';
import { timeOf } from './since.ts';

export interface AuditExportOptions {
  readonly since?: string;
  /** A file in place of standard output. It is written anew, and its owner's alone. */
  readonly out?: string;
}

/**
 * `latchgate audit export`: NDJSON, oldest first. A line is the text that is hashed, with `hash` as its last member:
 * `hash` is the SHA-256 of the hash of the line before and of that text. Exit code 0. Throws `usage`, and what node:fs
 * throws.
 */
export async function auditExport(
  options: AuditExportOptions,
  deps: { readonly audit: Audit; readonly clock: Clock },
  io: Io,
): Promise<number> {
  const query = options.since === undefined ? {} : { since: timeOf('--since', options.since, deps.clock.now()) };
  const records = deps.audit.list(query);
  if (options.out === undefined) {
    for await (const record of records) io.out(exportLine(record));
    return 0;
  }
  const file = createWriteStream(options.out, { mode: 0o600 });
  await once(file, 'open');
  let count = 0;
  for await (const record of records) {
    if (!file.write(`${exportLine(record)}\n`)) await once(file, 'drain');
    count += 1;
  }
  file.end();
  await finished(file);
  io.err(`${count} ${count === 1 ? 'record' : 'records'} written to ${options.out}`);
  return 0;
}

function exportLine({ seq, at, hash, ...entry }: AuditRecord): string {
  return `${recordBody(entry, seq, at).slice(0, -1)},"hash":"${hash}"}`;
}
