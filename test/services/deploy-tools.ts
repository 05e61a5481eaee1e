import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from './child.ts';
import { cacheFolder } from './project.ts';

/** Both carry the schemas with them: nothing else is asked for. */
const PACKAGES = ['kubernetes-validate==1.37.0', 'check-jsonschema==0.39.0'];
const INSTALL_TIMEOUT_MS = 600_000;

/** The `bin` folder of a virtual environment with what checks the files of `deploy`; installed when it is not there yet. */
export async function deployTools(): Promise<string> {
  const venv = cacheFolder('deploy-tools');
  const stamp = join(venv, '.latchgate-complete');
  const wanted = PACKAGES.join('\n');
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    rmSync(venv, { recursive: true, force: true });
    const python = process.env['LATCHGATE_PYTHON'] || 'python3';
    await run('python -m venv', [python, '-m', 'venv', venv], { timeoutMs: 120_000 });
    const pip = [join(venv, 'bin', 'pip'), 'install', '--quiet', '--no-input', '--disable-pip-version-check'];
    await run('installation of the schemas', [...pip, ...PACKAGES], { timeoutMs: INSTALL_TIMEOUT_MS });
    writeFileSync(stamp, wanted);
  }
  return join(venv, 'bin');
}
