import type { Command } from 'commander';
import { auditList, auditVerify } from '../audit.ts';
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
  add(audit, 'verify', 'walk the hash chain', (options) =>
    withState(options, io, (state) => auditVerify(state, io, options)),
  ).option(...json);
}
