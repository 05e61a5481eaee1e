import { chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { serverAccount } from './account.ts';
import { type Child, freePort, run, startChild, waitUntil } from './child.ts';

const INSTALL_TIMEOUT_MS = 120_000;
const READY_TIMEOUT_MS = 60_000;
const START_ATTEMPTS = 5;

/** With signs that an address has to escape. */
export const MARIADB_PASSWORD = 'p@ss/word#ü%';

export type RunningMariadb = {
  readonly port: number;
  /** `mariadb://latchgate:PASSWORD@127.0.0.1:PORT/company`; the account may do everything there. */
  readonly url: string;
  log(): readonly string[];
  /** SIGKILL, as a crash. */
  stopHard(): Promise<void>;
  /** Stops the server and removes its data. */
  stop(): Promise<void>;
};

/** Starts a new MariaDB server with an empty database `company` in a temporary folder, loopback only. */
export async function startMariadb(): Promise<RunningMariadb> {
  const user = await serverAccount('mysql');
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-mariadb-'));
  const as = user === undefined ? {} : { user: user.name };
  const data = join(folder, 'data');
  const init = join(folder, 'init.sql');
  // Read at each start by the server itself.
  writeFileSync(init, statements().join('\n'), { mode: 0o644 });
  if (user) chownSync(folder, user.uid, user.gid);
  const install = ['mariadb-install-db', '--no-defaults', `--datadir=${data}`, '--skip-test-db'];
  await run('mariadb-install-db', [...install, '--auth-root-authentication-method=normal'], {
    ...as,
    cwd: folder,
    timeoutMs: INSTALL_TIMEOUT_MS,
  });

  const port = await freePort();
  const settings = [
    `--datadir=${data}`,
    `--socket=${join(folder, 'socket')}`,
    `--pid-file=${join(folder, 'pid')}`,
    `--init-file=${init}`,
    '--bind-address=127.0.0.1',
    `--port=${port}`,
    '--character-set-server=utf8mb4',
  ];
  const ping = ['mariadb-admin', '--no-defaults', '-h', '127.0.0.1', '-P', String(port), '-u', 'latchgate'];
  const isReady = () =>
    run('mariadb-admin', [...ping, 'ping'], { env: { MYSQL_PWD: MARIADB_PASSWORD }, timeoutMs: 5_000 }).then(
      (answer) => answer.includes('alive'),
      () => false,
    );
  let server: Child | undefined;
  for (let attempt = 1; !server?.running(); attempt += 1) {
    server = startChild('mariadb', ['mariadbd', '--no-defaults', ...settings], { ...as, cwd: folder });
    try {
      await waitUntil(server, READY_TIMEOUT_MS, isReady);
    } catch (error) {
      if (attempt === START_ATTEMPTS) throw error;
      await sleep(500);
    }
  }
  const running = server;
  return {
    port,
    url: `mariadb://latchgate:${encodeURIComponent(MARIADB_PASSWORD)}@127.0.0.1:${port}/company`,
    log: () => running.log,
    stopHard: async () => {
      running.kill('SIGKILL');
      await running.exited;
    },
    stop: async () => {
      await running.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function statements(): readonly string[] {
  const account = "'latchgate'@'%'";
  return [
    'create database if not exists company character set utf8mb4;',
    `create user if not exists ${account} identified by '${MARIADB_PASSWORD}';`,
    `grant all on company.* to ${account};`,
    '',
  ];
}
