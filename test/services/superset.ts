import { createHash, randomBytes } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { answers, freePort, run, startChild, waitUntil } from './child.ts';
import { cacheFolder, projectRoot } from './project.ts';
import { constraintsHash, SUPERSET_VERSION, supersetVenv } from './superset-venv.ts';

const BOOTSTRAP_TIMEOUT_MS = 300_000;
const READY_TIMEOUT_MS = 300_000;

export type SupersetOptions = {
  /** Keeps the virtual environment and the prepared database; default `.cache/superset`. */
  readonly home?: string;
  readonly port?: number;
  /** `assertion`: integrations/superset/latchgate_superset.py. `header`: Superset's own remote-user login by X-Forwarded-User. */
  readonly mode: 'assertion' | 'header';
  /** JWKS file or address; needed in assertion mode, as are `issuer` and `audience`. */
  readonly jwks?: string;
  readonly issuer?: string;
  readonly audience?: string;
  /** Serve below this path, for example `/bi`. */
  readonly appRoot?: string;
  /** Default true: begin with the first state of the database. False: go on with the database of the last such start. */
  readonly reset?: boolean;
  readonly adminPassword?: string;
  readonly servicePassword?: string;
  /** Further roles, without permissions. */
  readonly roles?: readonly string[];
  /** Sample dashboards are never loaded; the member only says so. */
  readonly examples?: false;
  /** Lines of Python at the end of superset_config.py. */
  readonly extraConfig?: string;
  readonly onLine?: (line: string) => void;
};

export type RunningSuperset = {
  /** With `appRoot`, without a trailing slash. */
  readonly url: string;
  readonly admin: { readonly username: string; readonly password: string };
  /** The account `latchgate` with the role `gateway_provisioner`. */
  readonly service: { readonly username: string; readonly password: string };
  readonly log: readonly string[];
  stop(): Promise<void>;
};

/**
 * Starts a real Apache Superset on 127.0.0.1 over a SQLite metadata database. Several may run at once. The first start
 * installs it and creates the database (two to three minutes), later ones take about eight seconds.
 */
export async function startSuperset(options: SupersetOptions): Promise<RunningSuperset> {
  const home = resolve(options.home ?? cacheFolder('superset'));
  mkdirSync(home, { recursive: true, mode: 0o700 });
  const bin = await supersetVenv(home);
  const pristine = await pristineDatabase(home, bin);

  const keep = options.reset === false;
  const folder = keep ? join(home, 'kept') : mkdtempSync(join(home, 'run-'));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const database = join(folder, 'superset.db');
  if (!keep || !existsSync(database)) copyFileSync(pristine, database);
  const admin = { username: 'admin', password: options.adminPassword ?? secret() };
  const service = { username: 'latchgate', password: options.servicePassword ?? secret() };
  await prepare(bin, database, [admin, service], options.roles ?? []);
  writeFileSync(join(folder, 'superset_config.py'), configText(options, database, secretKey(home)), { mode: 0o600 });

  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}${options.appRoot?.replace(/\/$/, '') ?? ''}`;
  const child = startChild('superset', gunicorn(bin, port), {
    cwd: folder,
    env: { ...pythonEnv(folder), SUPERSET_APP_ROOT: options.appRoot },
    ...(options.onLine ? { onLine: options.onLine } : {}),
  });
  const discard = () => keep || rmSync(folder, { recursive: true, force: true });
  child.exited.then(discard);
  await waitUntil(child, READY_TIMEOUT_MS, () => answers(`${url}/health`));
  return { url, admin, service, log: child.log, stop: () => child.stop() };
}

function gunicorn(bin: string, port: number): string[] {
  const address = ['--bind', `127.0.0.1:${port}`, '--no-control-socket'];
  const workers = ['--workers', '1', '--worker-class', 'gthread', '--threads', '16'];
  const times = ['--timeout', '120', '--graceful-timeout', '2', '--keep-alive', '30'];
  return [join(bin, 'gunicorn'), ...address, ...workers, ...times, 'superset.app:create_app()'];
}

/** A database with tables, roles and accounts, made once for each set of packages and copied for each start. */
async function pristineDatabase(home: string, bin: string): Promise<string> {
  const bootstrap = join(projectRoot(), 'test', 'services', 'superset_bootstrap.py');
  const hash = createHash('sha256').update(readFileSync(bootstrap)).digest('hex').slice(0, 8);
  const database = join(home, `pristine-${SUPERSET_VERSION}-${constraintsHash()}-${hash}.db`);
  if (existsSync(database)) return database;
  const folder = mkdtempSync(join(home, 'bootstrap-'));
  try {
    const unfinished = join(folder, 'superset.db');
    writeFileSync(join(folder, 'superset_config.py'), configText({ mode: 'header' }, unfinished, secretKey(home)));
    const environment = { env: pythonEnv(folder), cwd: folder, timeoutMs: BOOTSTRAP_TIMEOUT_MS };
    await run('creation of the Superset database', [join(bin, 'python'), bootstrap], environment);
    renameSync(unfinished, database);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return database;
}

async function prepare(
  bin: string,
  database: string,
  accounts: readonly { readonly username: string; readonly password: string }[],
  roles: readonly string[],
): Promise<void> {
  const script = join(projectRoot(), 'test', 'services', 'superset_prepare.py');
  const passwords = Object.fromEntries(accounts.map(({ username, password }) => [username, password]));
  const env = { PREPARE: JSON.stringify({ database, passwords, roles }) };
  await run('preparation of the Superset database', [join(bin, 'python'), script], { env, timeoutMs: 60_000 });
}

function pythonEnv(folder: string): Record<string, string> {
  return {
    PYTHONPATH: `${folder}:${join(projectRoot(), 'integrations', 'superset')}`,
    PYTHONDONTWRITEBYTECODE: '1',
    SUPERSET_CONFIG_PATH: join(folder, 'superset_config.py'),
    SUPERSET_HOME: folder,
    FLASK_APP: 'superset',
  };
}

function configText(options: SupersetOptions, database: string, key: string): string {
  const uri = `sqlite:///${database}?check_same_thread=false&timeout=30`;
  return `from flask_appbuilder.security.manager import AUTH_REMOTE_USER

SECRET_KEY = ${python(key)}
SQLALCHEMY_DATABASE_URI = ${python(uri)}
RATELIMIT_STORAGE_URI = "memory://"
AUTH_TYPE = AUTH_REMOTE_USER
AUTH_USER_REGISTRATION = False
FAB_ADD_SECURITY_API = True
# Lets tests read accounts back with a password, whatever the sign-in mode.
AUTH_API_LOGIN_ALLOW_MULTIPLE_PROVIDERS = True
# Scheme, host and port as the gateway forwards them.
ENABLE_PROXY_FIX = True
${options.mode === 'assertion' ? assertionMode(options) : HEADER_MODE}
${options.extraConfig ?? ''}
`;
}

function assertionMode({ jwks, issuer, audience }: SupersetOptions): string {
  if (!jwks || !issuer || !audience) throw new Error('assertion mode needs jwks, issuer and audience');
  return `
from latchgate_superset import LatchgateSecurityManager

CUSTOM_SECURITY_MANAGER = LatchgateSecurityManager
LATCHGATE_JWKS = ${python(jwks)}
LATCHGATE_ISSUER = ${python(issuer)}
LATCHGATE_AUDIENCE = ${python(audience)}`;
}

const HEADER_MODE = `
from superset.security import SupersetSecurityManager


class RemoteUserSecurityManager(SupersetSecurityManager):
    # Superset's own /login/ page would be registered first, and the header never read.
    register_superset_auth_view = False


CUSTOM_SECURITY_MANAGER = RemoteUserSecurityManager
AUTH_REMOTE_USER_ENV_VAR = "HTTP_X_FORWARDED_USER"`;

/** A JSON string is a Python string too. */
function python(text: string): string {
  return JSON.stringify(text);
}

function secret(): string {
  return randomBytes(24).toString('base64url');
}

/** Kept, because a database that is used again holds values encrypted with it. */
function secretKey(home: string): string {
  const file = join(home, 'secret-key');
  if (!existsSync(file)) writeFileSync(file, secret(), { mode: 0o600 });
  return readFileSync(file, 'utf8');
}
