import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Child, freePort, run, startChild, waitUntil } from './child.ts';
import type { Certificates } from './tls.ts';

const READY_TIMEOUT_MS = 30_000;
const COMMAND_TIMEOUT_MS = 10_000;
const START_ATTEMPTS = 5;

export const REDIS_PASSWORD = 'a password / with @ everything: ü%';

export type RedisServerOptions = {
  /** Default: a free one. */
  readonly port?: number;
  /** Data outlives `kill9`: appended to a file and synced at every write. Default false: a restart begins empty. */
  readonly durable?: boolean;
  /** TLS on the port, and nothing but TLS. */
  readonly tls?: Certificates;
  /** Further lines of the config file. */
  readonly settings?: readonly string[];
};

export type RunningRedis = {
  readonly port: number;
  /** `127.0.0.1:PORT` */
  readonly address: string;
  log(): readonly string[];
  /** By redis-cli; the answer as it prints it. */
  command(...args: readonly string[]): Promise<string>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL, as a crash: `start` takes the same port again. */
  kill9(): Promise<void>;
  start(): Promise<void>;
  /** Ends the server and removes its data. */
  stop(): Promise<void>;
};

/** A new, empty Redis server in a temporary folder, loopback only, with the password of above. */
export async function startRedis(options: RedisServerOptions = {}): Promise<RunningRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-redis-'));
  const port = options.port ?? (await freePort());
  const file = join(folder, 'redis.conf');
  writeFileSync(file, `${settings(folder, port, options).join('\n')}\n`, { mode: 0o600 });
  const command = (...args: readonly string[]) => redisCli(port, args, options.tls);
  let server: Child | undefined;
  const start = async () => {
    // A port that somebody else took in the meantime may be free again in a moment.
    for (let attempt = 1; !server?.running(); attempt += 1) {
      server = startChild('redis', ['redis-server', file], { cwd: folder });
      try {
        await waitUntil(server, READY_TIMEOUT_MS, () => isReady(command));
      } catch (error) {
        if (attempt === START_ATTEMPTS) throw error;
        await sleep(300);
      }
    }
  };
  await start();
  return {
    port,
    address: `127.0.0.1:${port}`,
    log: () => server?.log ?? [],
    command,
    signal: (signal) => server?.kill(signal),
    start,
    kill9: async () => {
      server?.kill('SIGKILL');
      await server?.exited;
    },
    stop: async () => {
      // It may have been stopped by a signal, and would not hear another.
      server?.kill('SIGCONT');
      await server?.stop({ graceMs: 5_000 });
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** `user:password@` of a URL. */
export function redisUserInfo(user = ''): string {
  return `${user}:${encodeURIComponent(REDIS_PASSWORD)}@`;
}

function settings(folder: string, port: number, options: RedisServerOptions): string[] {
  const { tls, durable = false } = options;
  return [
    'bind 127.0.0.1',
    `dir ${folder}`,
    `requirepass "${REDIS_PASSWORD}"`,
    `masterauth "${REDIS_PASSWORD}"`,
    'save ""',
    `appendonly ${durable ? 'yes' : 'no'}`,
    'appendfsync always',
    'repl-diskless-sync-delay 0',
    ...portSettings(port, tls),
    ...(tls === undefined || options.settings?.includes('cluster-enabled yes') !== true ? [] : ['tls-cluster yes']),
    ...(options.settings ?? []),
  ];
}

/** Of a server or a sentinel; with TLS also for what they say to each other. */
export function portSettings(port: number, tls: Certificates | undefined): string[] {
  if (tls === undefined) return [`port ${port}`];
  const files = [
    `tls-ca-cert-file ${tls.caFile}`,
    `tls-cert-file ${tls.certificateFile}`,
    `tls-key-file ${tls.keyFile}`,
  ];
  return ['port 0', `tls-port ${port}`, ...files, 'tls-auth-clients no', 'tls-replication yes'];
}

export function redisCli(port: number, args: readonly string[], tls?: Certificates): Promise<string> {
  const secure = tls === undefined ? [] : ['--tls', '--cacert', tls.caFile];
  return run('redis-cli', ['redis-cli', '-h', '127.0.0.1', '-p', String(port), ...secure, ...args], {
    env: { REDISCLI_AUTH: REDIS_PASSWORD },
    timeoutMs: COMMAND_TIMEOUT_MS,
  });
}

async function isReady(command: RunningRedis['command']): Promise<boolean> {
  try {
    return (await command('ping')).endsWith('PONG');
  } catch {
    return false;
  }
}
