import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './services/child.ts';
import { deployTools } from './services/deploy-tools.ts';
import { cacheFolder, projectRoot } from './services/project.ts';
import { supersetVenv } from './services/superset-venv.ts';

const deploy = join(projectRoot(), 'deploy');
const LIMITS = { timeoutMs: 60_000 };
let folder: string;
let bin: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'latchgate-deploy-'));
  bin = await deployTools();
}, 900_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A copy of a file with something else in it. */
function spoilt(file: string, from: string, to: string): string {
  const text = readFileSync(join(deploy, file), 'utf8');
  expect(text).toContain(from);
  const copy = join(folder, file.replaceAll('/', '-'));
  writeFileSync(copy, text.replace(from, to));
  return copy;
}

describe('the files for Kubernetes', () => {
  const validate = (version: string, file: string) =>
    run('kubernetes-validate', [join(bin, 'kubernetes-validate'), '--strict', '-k', version, file], LIMITS);

  it.each(['gateway.yaml', 'sidecar.yaml', 'sync.yaml'])(
    '%s is what the API of 1.29 and 1.37 takes, key by key',
    async (name) => {
      const file = join(deploy, 'kubernetes', name);
      for (const version of ['1.29', '1.37']) await validate(version, file);
    },
  );

  it('would not be with a key that there is not', async () => {
    const file = spoilt('kubernetes/gateway.yaml', 'minAvailable: 1', 'minAvailability: 1');
    await expect(validate('1.37', file)).rejects.toThrow(/minAvailability/);
  });
});

describe('docker-compose.yaml', () => {
  const validate = (file: string) =>
    run('compose', [join(bin, 'check-jsonschema'), '--builtin-schema', 'vendor.compose-spec', file], LIMITS);

  it('is what the Compose Specification describes', async () => {
    await validate(join(deploy, 'compose', 'docker-compose.yaml'));
  });

  it('would not be with a key that there is not', async () => {
    const file = spoilt('compose/docker-compose.yaml', 'stop_grace_period: 40s', 'stop_patience: 40s');
    await expect(validate(file)).rejects.toThrow(/stop_patience/);
  });

  it('sets up a Superset that the gateway can manage', async () => {
    const superset = await supersetVenv(cacheFolder('superset'));
    const key = join(folder, 'superset-key');
    writeFileSync(key, 'of a Superset that only this test knows, and long enough');
    const env = {
      PATH: `${superset}:${process.env['PATH']}`,
      PYTHONPATH: [join(deploy, 'compose', 'superset'), join(projectRoot(), 'integrations', 'superset')].join(':'),
      PYTHONDONTWRITEBYTECODE: '1',
      FLASK_APP: 'superset.app:create_app()',
      SUPERSET_HOME: folder,
      SUPERSET_DATABASE: `sqlite:///${join(folder, 'superset.db')}`,
      SUPERSET_SECRET_KEY_FILE: key,
      SERVICE_PASSWORD: 'a password that is never used',
    };
    const within = { env, timeoutMs: 240_000 };
    await run('superset db upgrade', ['superset', 'db', 'upgrade'], within);
    await run('superset init', ['superset', 'init'], within);
    const script = join(deploy, 'compose', 'superset', 'service_account.py');
    await run('the service account', ['python', script], within);
    const said = await run(
      'a look',
      [
        'python',
        '-c',
        `import sqlite3, sys
rows = sqlite3.connect(sys.argv[1]).execute("""select u.username, r.name, count(*) from ab_user u
  join ab_user_role ur on ur.user_id = u.id join ab_role r on r.id = ur.role_id
  join ab_permission_view_role p on p.role_id = r.id group by u.username, r.name""").fetchall()
print(rows)`,
        join(folder, 'superset.db'),
      ],
      within,
    );
    expect(said).toBe("[('latchgate', 'gateway_provisioner', 15)]");
  }, 600_000);
});

describe('the systemd unit', () => {
  /** As it is on a machine where the program is in its place. */
  function installed(): string {
    const text = readFileSync(join(deploy, 'systemd', 'latchgate.service'), 'utf8');
    const unit = join(folder, 'latchgate.service');
    writeFileSync(unit, text.replace('/usr/bin/node /opt/latchgate', `${process.execPath} ${projectRoot()}`));
    return unit;
  }
  const analyze = (...args: string[]) => run('systemd-analyze', ['systemd-analyze', ...args], LIMITS);

  it('has no line that systemd does not know', async () => {
    expect(await analyze('verify', '--man=no', installed())).toBe('');
  });

  it('leaves little to whoever gets into the process', async () => {
    const report = await analyze('security', '--offline=true', '--threshold=15', installed());
    expect(report).toMatch(/Overall exposure level for latchgate\.service: [01]\.\d OK/);
  });
});
