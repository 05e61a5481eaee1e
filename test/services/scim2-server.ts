import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort, run, startChild, waitUntil } from './child.ts';
import { cacheFolder } from './project.ts';

const SCIM2_SERVER_VERSION = '0.8.3';
const INSTALL_TIMEOUT_MS = 600_000;
const READY_TIMEOUT_MS = 120_000;

export type RunningScim2Server = {
  /** Base address of the SCIM API: `http://127.0.0.1:PORT/v2`. */
  readonly url: string;
  readonly token: string;
  readonly log: readonly string[];
  stop(): Promise<void>;
};

/**
 * Starts the reference server of the scim2 Python packages, empty and in memory. The first start installs it in a
 * virtual environment with pip.
 */
export async function startScim2Server(): Promise<RunningScim2Server> {
  const bin = await virtualEnvironment(cacheFolder('scim2-server'));
  const port = await freePort();
  const token = 'a-token-of-the-tests-that-is-long-enough';
  const command = [join(bin, 'scim2-server'), '--hostname', '127.0.0.1', '--port', String(port)];
  const child = startChild('scim2-server', [...command, '--bearer-token', token]);
  const url = `http://127.0.0.1:${port}/v2`;
  const isReady = () =>
    fetch(`${url}/Users`, { headers: { authorization: `Bearer ${token}` } }).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitUntil(child, READY_TIMEOUT_MS, isReady);
  return { url, token, log: child.log, stop: () => child.stop() };
}

async function virtualEnvironment(home: string): Promise<string> {
  const stamp = join(home, '.latchgate-complete');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === SCIM2_SERVER_VERSION) return join(home, 'bin');
  rmSync(home, { recursive: true, force: true });
  await run('python -m venv', ['python3', '-m', 'venv', home], { timeoutMs: 120_000 });
  const pip = [join(home, 'bin', 'pip'), 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  await run('installation of scim2-server', [...pip, `scim2-server==${SCIM2_SERVER_VERSION}`], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
  writeFileSync(stamp, SCIM2_SERVER_VERSION);
  return join(home, 'bin');
}
