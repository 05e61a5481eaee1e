import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Child, type Exit, startChild, waitUntil } from './child.ts';
import { projectRoot } from './project.ts';

export { freePort } from './child.ts';

const READY_TIMEOUT_MS = 30_000;
const STOP_MS = 10_000;

export type GatewayOptions = {
  /** YAML text, or the path of a file. Paths inside YAML text are relative to a temporary folder. */
  readonly config: string | { readonly file: string };
  readonly env?: Readonly<Record<string, string | undefined>>;
};

export type RunningGateway = {
  /** Address of the public listener, without a trailing slash. */
  readonly url: string;
  readonly admin: string;
  readonly pid: number;
  readonly configFile: string;
  /** Lines of stdout and stderr. */
  readonly log: readonly string[];
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, then SIGKILL after `graceMs` (default ten seconds). */
  stop(graceMs?: number): Promise<void>;
  kill9(): Promise<void>;
};

/** Runs `dist/main.js serve` and waits for its `ready` log line, which names both addresses. Needs `npm run build`. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const main = join(projectRoot(), 'dist', 'main.js');
  if (!existsSync(main)) throw new Error(`${main} is missing: run npm run build first`);
  const { file, discard } = configFile(options.config);
  let ready: { public: string; admin: string } | undefined;
  const child = startChild('gateway', [process.execPath, main, 'serve', '--config', file], {
    env: { ...options.env },
    onLine: (line) => {
      ready ??= readyLine(line);
    },
  });
  child.exited.then(discard);
  await waitUntil(child, READY_TIMEOUT_MS, () => ready !== undefined);
  if (ready === undefined) throw new Error('gateway: no ready line');
  return {
    url: ready.public,
    admin: ready.admin,
    pid: child.pid,
    configFile: file,
    log: child.log,
    exited: child.exited,
    kill: child.kill,
    stop: (graceMs = STOP_MS) => child.stop({ graceMs }),
    kill9: () => kill9(child),
  };
}

function configFile(config: GatewayOptions['config']): { file: string; discard: () => void } {
  if (typeof config !== 'string') return { file: config.file, discard: () => undefined };
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-config-'));
  const file = join(folder, 'latchgate.yaml');
  writeFileSync(file, config, { mode: 0o600 });
  return { file, discard: () => rmSync(folder, { recursive: true, force: true }) };
}

function readyLine(line: string): { public: string; admin: string } | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const entry: unknown = JSON.parse(line);
    if (typeof entry !== 'object' || entry === null) return undefined;
    const { message, public: url, admin } = entry as Record<string, unknown>;
    if (message !== 'ready' || typeof url !== 'string' || typeof admin !== 'string') return undefined;
    return { public: url.replace(/\/$/, ''), admin: admin.replace(/\/$/, '') };
  } catch {
    return undefined;
  }
}

async function kill9(child: Child): Promise<void> {
  child.kill('SIGKILL');
  await child.exited;
}
