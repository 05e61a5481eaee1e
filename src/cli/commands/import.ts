import type { Command } from 'commander';
import { IMPORTERS, importFile } from '../import.ts';
import type { Io } from '../io.ts';
import { type Add, group, json } from './add.ts';

/** `import superset|oauth2-proxy|grafana`. */
export function addImportCommands(program: Command, add: Add, io: Io): void {
  const parent = group(program, 'import', 'make a configuration of that of another program');
  for (const from of Object.keys(IMPORTERS)) {
    add(parent, `${from} <file>`, `make a configuration of one of ${from}`, (options, [file]) =>
      importFile({ from, file: String(file), ...options }, io),
    )
      .option('--out <file>', 'write it there, where nothing is yet; default: standard output')
      .option(...json);
  }
}
