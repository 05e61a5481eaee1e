import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const LOG_LINES_KEPT = 5_000;
const SETPRIV = ['/usr/bin/setpriv', '/bin/setpriv'].find((path) => existsSync(path));

/** Of the children that run: they end with this process. */
const killers = new Set<() => void>();
process.once('exit', () => {
  for (const kill of killers) kill();
});

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A running service process. */
export type Child = {
  readonly name: string;
  readonly pid: number;
  /** Lines of stdout and stderr in the order they came, the oldest dropped beyond 5,000. */
  readonly log: readonly string[];
  readonly exited: Promise<Exit>;
  running(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** Sends `signal` (default SIGTERM), then SIGKILL after `graceMs` (default 10,000). Stopping a stopped child is no error. */
  stop(options?: { signal?: NodeJS.Signals; graceMs?: number }): Promise<void>;
};

export type ChildOptions = {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  /** Runs as this account; only when we are root. */
  readonly user?: string;
  /** Own process group, and signals go to all of it: for start scripts that do not exec. */
  readonly group?: boolean;
  readonly onLine?: (line: string) => void;
};

/**
 * Starts a process that ends with this one: at a normal exit by a handler, and on Linux also when this process is killed
 * (PR_SET_PDEATHSIG through setpriv).
 */
export function startChild(name: string, command: readonly string[], options: ChildOptions = {}): Child {
  const [file, ...args] = underSetpriv(command, options.user);
  if (file === undefined) throw new Error(`${name}: empty command`);
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: cleanEnv(options.env),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: options.group ?? false,
  });
  const log: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on('line', (line) => {
      if (log.push(line) > LOG_LINES_KEPT) log.shift();
      options.onLine?.(line);
    });
  }
  return control(name, child, log, options.group ?? false);
}

function control(name: string, child: ChildProcess, log: string[], group: boolean): Child {
  let over = false;
  const exited = new Promise<Exit>((resolve) => {
    const finish = (exit: Exit) => {
      over = true;
      killers.delete(killNow);
      resolve(exit);
    };
    child.once('error', (error) => {
      log.push(String(error));
      finish({ code: null, signal: null });
    });
    child.once('exit', (code, signal) => finish({ code, signal }));
  });
  const kill = (signal: NodeJS.Signals) => {
    if (child.pid === undefined || (over && !group)) return;
    try {
      process.kill(group ? -child.pid : child.pid, signal);
    } catch {
      // It has ended in the meantime.
    }
  };
  const killNow = () => kill('SIGKILL');
  killers.add(killNow);
  return {
    name,
    pid: child.pid ?? -1,
    log,
    exited,
    running: () => !over,
    kill,
    stop: async ({ signal = 'SIGTERM', graceMs = 10_000 } = {}) => {
      if (!over) {
        kill(signal);
        const grace = new AbortController();
        await Promise.race([exited, sleep(graceMs, undefined, { signal: grace.signal }).catch(() => undefined)]);
        grace.abort();
      }
      if (!over || group) kill('SIGKILL');
      await exited;
    },
  };
}

/** Runs a command to its end and returns its stdout. Throws with the last lines of its output when it fails or takes too long. */
export async function run(
  name: string,
  command: readonly string[],
  options: ChildOptions & { readonly timeoutMs: number },
): Promise<string> {
  const child = startChild(name, command, options);
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    child.kill('SIGKILL');
  }, options.timeoutMs);
  const { code, signal } = await child.exited;
  clearTimeout(timer);
  // 'exit' can come before the last lines were read.
  await sleep(20);
  if (code === 0) return child.log.join('\n');
  const how = late ? `took longer than ${options.timeoutMs / 1000} s` : `ended with ${signal ?? `exit code ${code}`}`;
  throw new Error(`${name} ${how}:\n${lastLines(child)}`);
}

/** Waits until `probe` is true, or throws when the child ends first or `timeoutMs` have passed. */
export async function waitUntil(
  child: Child,
  timeoutMs: number,
  probe: () => Promise<boolean> | boolean,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await probe())) {
    if (!child.running()) {
      await sleep(20);
      throw new Error(`${child.name} ended before it was ready:\n${lastLines(child)}`);
    }
    if (Date.now() > deadline) {
      await child.stop({ graceMs: 2_000 });
      throw new Error(`${child.name} was not ready after ${timeoutMs / 1000} s:\n${lastLines(child)}`);
    }
    await sleep(100);
  }
}

/** True when a GET of `url` is answered with 2xx within two seconds. */
export async function answers(url: string): Promise<boolean> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2_000), redirect: 'manual' });
    await answer.body?.cancel();
    return answer.ok;
  } catch {
    return false;
  }
}

/**
 * A port on 127.0.0.1 that nobody listens on. Below the range from which the system takes ports for outgoing
 * connections: one of these could have it before whoever asked listens.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = randomInt(20_000, 32_000);
    if (await canListen(port)) return port;
  }
  throw new Error('no free port');
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

function lastLines(child: Child): string {
  return child.log.slice(-30).join('\n');
}

function underSetpriv(command: readonly string[], user: string | undefined): string[] {
  if (SETPRIV === undefined) return user === undefined ? [...command] : ['runuser', '-u', user, '--', ...command];
  const identity = user === undefined ? [] : [`--reuid=${user}`, `--regid=${user}`, '--init-groups'];
  return [SETPRIV, ...identity, '--pdeathsig', 'TERM', '--', ...command];
}

function cleanEnv(extra: ChildOptions['env']): NodeJS.ProcessEnv {
  // Jest's own flags mean nothing to a service, and would make a Node child load test code.
  const { NODE_OPTIONS: _, JEST_WORKER_ID: __, ...inherited } = process.env;
  const env: NodeJS.ProcessEnv = { ...inherited };
  for (const [name, value] of Object.entries(extra ?? {})) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}
