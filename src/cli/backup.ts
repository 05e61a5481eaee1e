import { statSync } from 'node:fs';
import { loadConfig } from '../config/load.ts';
import { backupTo } from '../directory/backup.ts';
import type { Io } from './io.ts';

/**
 * `latchgate backup --out FILE`: copies the SQLite database of `state`, while the gateway runs. The file must not be there
 * yet. Exit code 0; with `json` `{"file","bytes"}`. Throws `usage` (PostgreSQL has pg_dump), `state_unavailable`.
 */
export async function backup(
  options: { readonly config: string; readonly out: string; readonly json?: boolean },
  io: Io,
): Promise<number> {
  const { state } = loadConfig(options.config, { env: io.env });
  backupTo(state.database, options.out);
  const { size: bytes } = statSync(options.out);
  if (options.json === true) io.out(JSON.stringify({ file: options.out, bytes }));
  else io.out(`${bytes} bytes written to ${options.out}; keep session.secrets with it, in another place`);
  return 0;
}
