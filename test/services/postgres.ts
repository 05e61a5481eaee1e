import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverAccount } from './account.ts';
import { type Child, freePort, run, startChild, waitUntil } from './child.ts';

const DEBIAN_ROOT = '/usr/lib/postgresql';
const INITDB_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 5;

export type RunningPostgres = {
  /** `postgres://latchgate@127.0.0.1:PORT/postgres`; no password, loopback only. */
  readonly url: string;
  readonly port: number;
  log(): readonly string[];
  /** Stops the server (fast shutdown) and removes its data. */
  stop(): Promise<void>;
  /** SIGKILL, as a crash: the data stays, `start` recovers it on the same port. */
  stopHard(): Promise<void>;
  start(): Promise<void>;
};

/** The newest PostgreSQL in `$LATCHGATE_POSTGRES_BIN` or Debian's place, or undefined when none is installed. */
function postgresBin(): string | undefined {
  const chosen = process.env['LATCHGATE_POSTGRES_BIN'];
  if (chosen) return chosen;
  if (!existsSync(DEBIAN_ROOT)) return undefined;
  return readdirSync(DEBIAN_ROOT)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(DEBIAN_ROOT, version, 'bin'))
    .find((bin) => existsSync(join(bin, 'initdb')));
}

/** Starts a new, empty PostgreSQL server in a temporary folder, with fsync as in production. */
export async function startPostgres(): Promise<RunningPostgres> {
  const bin = postgresBin();
  if (!bin)
    throw new Error('PostgreSQL is not installed: install the package postgresql, or set LATCHGATE_POSTGRES_BIN');
  const user = await serverAccount('postgres');
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-postgres-'));
  const as = user === undefined ? {} : { user: user.name };
  if (user) chownSync(folder, user.uid, user.gid);
  const data = join(folder, 'data');
  const initdb = [join(bin, 'initdb'), '-D', data, '-U', 'latchgate', '-A', 'trust', '-E', 'UTF8', '--locale=C'];
  await run('initdb', initdb, { ...as, cwd: folder, timeoutMs: INITDB_TIMEOUT_MS });

  const port = await freePort();
  const ready = [join(bin, 'pg_isready'), '-q', '-h', '127.0.0.1', '-p', String(port)];
  const settings = [
    'listen_addresses=127.0.0.1',
    `unix_socket_directories=${folder}`,
    'fsync=on',
    'max_connections=200',
  ];
  const command = [join(bin, 'postgres'), '-D', data, '-p', String(port), ...settings.flatMap((s) => ['-c', s])];
  const isReady = () =>
    run('pg_isready', ready, { timeoutMs: 5_000 }).then(
      () => true,
      () => false,
    );
  let server: Child | undefined;
  const start = async () => {
    // After a crash the old backends need a moment to notice; until then a new server refuses the folder.
    for (let attempt = 1; !server?.running(); attempt += 1) {
      server = startChild('postgres', command, { ...as, cwd: folder });
      try {
        await waitUntil(server, READY_TIMEOUT_MS, isReady);
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
        await sleep(500);
      }
    }
  };
  await start();
  return {
    url: `postgres://latchgate@127.0.0.1:${port}/postgres`,
    port,
    log: () => server?.log ?? [],
    start,
    stopHard: async () => {
      server?.kill('SIGKILL');
      await server?.exited;
    },
    stop: async () => {
      await server?.stop({ signal: 'SIGINT' });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
