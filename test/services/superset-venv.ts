import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.ts';
import { projectRoot } from './project.ts';

export const SUPERSET_VERSION = '6.1.0';

const INSTALL_TIMEOUT_MS = 1_200_000;
const PYTHONS = ['python3.11', 'python3.12', 'python3.10', 'python3'];

/**
 * The `bin` folder of a virtual environment with Superset: `$LATCHGATE_SUPERSET_VENV` when set, else one under `home`,
 * installed with pip when it is not there yet (about two minutes, 800 MB).
 */
export async function supersetVenv(home: string): Promise<string> {
  const given = process.env['LATCHGATE_SUPERSET_VENV'];
  if (given) {
    if (existsSync(join(given, 'bin', 'gunicorn'))) return join(given, 'bin');
    throw new Error(`LATCHGATE_SUPERSET_VENV: no gunicorn in ${join(given, 'bin')}`);
  }
  const venv = join(home, 'venv');
  const stamp = join(venv, '.latchgate-complete');
  const wanted = `${SUPERSET_VERSION} ${constraintsHash()}`;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return join(venv, 'bin');
  await install(venv);
  writeFileSync(stamp, wanted);
  return join(venv, 'bin');
}

/** Changes whenever the pinned packages change. */
export function constraintsHash(): string {
  return createHash('sha256').update(readFileSync(constraintsFile())).digest('hex').slice(0, 16);
}

async function install(venv: string): Promise<void> {
  const python = await findPython();
  rmSync(venv, { recursive: true, force: true });
  await run('python -m venv', [python, '-m', 'venv', venv], { timeoutMs: 120_000 });
  const pip = [join(venv, 'bin', 'pip'), 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
  const packages = [`apache-superset==${SUPERSET_VERSION}`, 'rich', 'cachetools'];
  await run('installation of Superset', [...pip, '-c', constraintsFile(), ...packages], {
    timeoutMs: INSTALL_TIMEOUT_MS,
  });
}

function constraintsFile(): string {
  return join(projectRoot(), 'test', 'services', 'superset-constraints.txt');
}

async function findPython(): Promise<string> {
  const check = 'import sys, venv, ensurepip; sys.exit(not (3, 10) <= sys.version_info[:2] < (3, 13))';
  for (const python of [process.env['LATCHGATE_PYTHON'] ?? '', ...PYTHONS]) {
    if (python === '') continue;
    const fits = await run(python, [python, '-c', check], { timeoutMs: 30_000 }).then(
      () => true,
      () => false,
    );
    if (fits) return python;
  }
  throw new Error('Superset needs Python 3.10, 3.11 or 3.12 with venv: install one, or set LATCHGATE_PYTHON');
}
