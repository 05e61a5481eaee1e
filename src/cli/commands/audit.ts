import type { Command } from 'commander';
import { auditList } from '../audit.ts';
import { auditCheckpoint } from '../audit-checkpoint.ts';
import { auditExport } from '../audit-export.ts';
import { auditKey, auditVerify } from '../audit-verify.ts';
import type { Io } from '../io.ts';
import { withState } from '../with-state.ts';
import { type Add, group, json } from './add.ts';

/** `audit …`. */
export function addAuditCommands(program: Command, add: Add, io: Io): void {
  const audit = group(program, 'audit', 'what was done, by whom and why');
  add(audit, 'list', 'print the records, oldest first', (options) =>
    withState(options, io, ({ directory, audit: log, clock }) =>
      auditList(options, { ...directory, audit: log, clock }, io),
    ),
  )
    .option('--user <user>', 'of one person')
    .option('--since <time>', 'a date, or how long ago: 30d')
    .option(...json);
  add(audit, 'verify', 'walk the hash chain, and hold it against what was signed of it', (options) =>
    withState(options, io, (state) => auditVerify(state, io, options)),
  )
    .option('--checkpoint <file>', 'checkpoints kept elsewhere, a line each')
    .option('--key <file>', 'the public keys kept elsewhere: no other counts')
    .option(...json);
  add(audit, 'export', 'print every record as a line of JSON that can be checked', (options) =>
    withState(options, io, (state) => auditExport(options, state, io)),
  )
    .option('--since <time>', 'a date, or how long ago: 30d')
    .option('--out <file>', 'to a file');
  add(audit, 'checkpoint', 'print the last checkpoint, to keep it elsewhere', (options) =>
    withState(options, io, (state) => auditCheckpoint(options, state, io)),
  ).option('--all', 'every one that is there');
  add(audit, 'key', 'print the public keys of checkpoints', (options) =>
    withState(options, io, (state) => auditKey(state, io)),
  );
}
