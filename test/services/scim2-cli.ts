import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run, startChild } from './child.ts';
import { cacheFolder } from './project.ts';

const SCIM2_CLI = ['scim2-cli==0.6.0', 'scim2-tester==0.5.2'];
const INSTALL_TIMEOUT_MS = 600_000;

export interface Checked {
  /** Of `scim2 test`: 0 when every check went well. */
  readonly code: number | null;
  /** One a check, as it begins: `SUCCESS check_add_attribute`. */
  readonly checks: readonly string[];
  readonly output: string;
}

/** Runs `scim2 test` of the PyPI package scim2-cli against a service. The first run installs it with pip. */
export async function scim2Test(url: string, token: string): Promise<Checked> {
  const bin = await virtualEnvironment(cacheFolder('scim2-cli'));
  const child = startChild('scim2 test', [join(bin, 'scim2'), '--url', url, 'test'], {
    // By the environment: arguments stand in the list of processes.
    env: { SCIM_CLI_HEADERS: `Authorization: Bearer ${token}`, NO_COLOR: '1' },
  });
  const { code } = await child.exited;
  // 'exit' can come before the last lines were read.
  await new Promise((resolve) => setTimeout(resolve, 50));
  return { code, checks: child.log.filter((line) => /^[A-Z]+ \w+$/.test(line)), output: child.log.join('\n') };
}

async function virtualEnvironment(home: string): Promise<string> {
  const stamp = join(home, '.latchgate-complete');
  const wanted = SCIM2_CLI.join(' ');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return join(home, 'bin');
  rmSync(home, { recursive: true, force: true });
  await run('python -m venv', ['python3', '-m', 'venv', home], { timeoutMs: 120_000 });
  const pip = [join(home, 'bin', 'pip'), 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  await run('installation of scim2-cli', [...pip, ...SCIM2_CLI], { timeoutMs: INSTALL_TIMEOUT_MS });
  writeFileSync(stamp, wanted);
  return join(home, 'bin');
}
