import type { Command } from 'commander';
import { auditList } from '../audit.ts';
import { auditCheckpoint } from '../audit-checkpoint.ts';
import { auditExport } from '../audit-export.ts';
import { auditLost } from '../audit-lost.ts';
import { auditUndo } from '../audit-undo.ts';
import { auditKey, auditVerify } from '../audit-verify.ts';
import { auditWhoHad } from '../audit-who-had.ts';
import type { Io } from '../io.ts';
import { withEngines, withState } from '../with-state.ts';
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
  add(
    audit,
    'who-had <entitlement>',
    'say who had it at a time, by which rule, since when and until when',
    (options, [what]) =>
      withState(options, io, ({ directory, audit: log, clock }, { targets }) =>
        auditWhoHad(
          String(what),
          options,
          { directory, people: directory.people, audit: log, clock, targets: Object.keys(targets) },
          io,
        ),
      ),
  )
    .requiredOption('--at <time>', 'the end of that day or second, UTC where no zone is named; or how long ago: 30d')
    .option('--target <name>', 'in this target alone')
    .option(...json);
  add(audit, 'undo <record>', 'do the opposite of one record, if nothing has moved since', (options, [change]) =>
    withEngines(options, io, ({ state, engine }) =>
      auditUndo(
        String(change),
        options,
        {
          ...state,
          provisioner: engine,
          again: (...args) => engine.again(...args),
          planAgain: (...args) => engine.planAgain(...args),
          wants: (...args) => engine.wants(...args),
        },
        io,
      ),
    ),
  )
    .option('--dry-run', 'say what would be done, and do nothing')
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
  add(audit, 'lost <file>', 'say what a restored database has lost of what this audit says', (options, [file]) =>
    withState(options, io, (state) => auditLost(String(file), options, state, io)),
  ).option(...json);
  add(audit, 'checkpoint', 'print the last checkpoint, to keep it elsewhere', (options) =>
    withState(options, io, (state) => auditCheckpoint(options, state, io)),
  ).option('--all', 'every one that is there');
  add(audit, 'key', 'print the public keys of checkpoints', (options) =>
    withState(options, io, (state) => auditKey(state, io)),
  );
}
