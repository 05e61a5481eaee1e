import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { answers, freePort, run, startChild, waitUntil } from './child.ts';
import { KeycloakAdmin } from './keycloak-admin.ts';
import { cacheFolder, projectRoot } from './project.ts';

const KEYCLOAK_VERSION = '26.4.7';

const DOWNLOAD_TIMEOUT_MS = 600_000;
const READY_TIMEOUT_MS = 300_000;
const REALM = 'acme';
const ADMIN = { username: 'admin', password: 'admin' };

export type KeycloakOptions = {
  /** Where the distribution is unpacked; default `.cache/keycloak`. */
  readonly home?: string;
  readonly port?: number;
  /** The gateway's public address: Keycloak sends its back-channel logout tokens there. */
  readonly gatewayUrl: string;
  /** Name of this provider under `login:` in latchgate.yaml; default `keycloak`. */
  readonly loginName?: string;
};

export type RunningKeycloak = {
  readonly issuer: string;
  /** Base address of the admin REST API of the realm. */
  readonly adminUrl: string;
  readonly client: { readonly id: string; readonly secret: string };
  /** Changes people and groups of the realm. */
  readonly admin: KeycloakAdmin;
  readonly log: readonly string[];
  stop(): Promise<void>;
};

/** The password of a person of the realm file: alice, bob, carol, dave, erin. */
export function keycloakPassword(username: string): string {
  return `${username}-password`;
}

/**
 * Starts Keycloak with the realm `acme` of keycloak-realm.json, in memory: every start begins with the people of that
 * file. The first start downloads the distribution with Maven (about 160 MB). Needs a JDK, 17 or later.
 */
export async function startKeycloak(options: KeycloakOptions): Promise<RunningKeycloak> {
  const home = options.home ?? cacheFolder('keycloak');
  if (!existsSync(join(home, 'bin', 'kc.sh'))) await download(home);
  mkdirSync(join(home, 'data', 'import'), { recursive: true });
  for (const old of readdirSync(join(home, 'data', 'import'))) rmSync(join(home, 'data', 'import', old));
  copyFileSync(realmFile(), join(home, 'data', 'import', 'acme-realm.json'));

  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const issuer = `${url}/realms/${REALM}`;
  const listen = ['--http-host=127.0.0.1', `--http-port=${port}`, `--hostname=${url}`];
  // The start script stays in front of Java: signals go to the group of both.
  const child = startChild(
    'keycloak',
    [join(home, 'bin', 'kc.sh'), 'start-dev', '--import-realm', '--db=dev-mem', ...listen],
    {
      group: true,
      env: {
        JAVA_HOME: await javaHome(),
        JAVA_OPTS_KC_HEAP: '-Xms64m -Xmx512m',
        KC_BOOTSTRAP_ADMIN_USERNAME: ADMIN.username,
        KC_BOOTSTRAP_ADMIN_PASSWORD: ADMIN.password,
        LATCHGATE_BACKCHANNEL_LOGOUT_URL: backchannelLogoutUrl(options),
      },
    },
  );
  await waitUntil(child, READY_TIMEOUT_MS, () => answers(`${issuer}/.well-known/openid-configuration`));
  return {
    issuer,
    adminUrl: `${url}/admin/realms/${REALM}`,
    client: { id: 'latchgate', secret: 'gateway-local-secret' },
    admin: new KeycloakAdmin(url, REALM, ADMIN),
    log: child.log,
    stop: () => child.stop({ graceMs: 15_000 }),
  };
}

function realmFile(): string {
  return join(projectRoot(), 'test', 'services', 'keycloak-realm.json');
}

function backchannelLogoutUrl({ gatewayUrl, loginName = 'keycloak' }: KeycloakOptions): string {
  return `${gatewayUrl.replace(/\/$/, '')}/.latchgate/backchannel-logout/${loginName}`;
}

async function download(home: string): Promise<void> {
  mkdirSync(home, { recursive: true });
  const folder = mkdtempSync(join(home, 'download-'));
  try {
    const plugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy';
    const artifact = `org.keycloak:keycloak-quarkus-dist:${KEYCLOAK_VERSION}:tar.gz`;
    const copy = ['mvn', '-B', '-q', plugin, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`];
    await run('download of Keycloak (needs mvn)', copy, { timeoutMs: DOWNLOAD_TIMEOUT_MS });
    const archive = join(folder, `keycloak-quarkus-dist-${KEYCLOAK_VERSION}.tar.gz`);
    await run('unpacking Keycloak', ['tar', '-xzf', archive, '-C', home, '--strip-components=1'], {
      timeoutMs: 120_000,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function javaHome(): Promise<string> {
  for (const home of [process.env['JAVA_HOME'] ?? '', ...installedJdks()]) {
    if (existsSync(join(home, 'bin', 'java')) && (await javaMajor(home)) >= 17) return home;
  }
  throw new Error('no JDK 17 or later found: install one, or set JAVA_HOME');
}

function installedJdks(): string[] {
  const places = [
    ['/usr/lib/jvm', ''],
    ['/opt', ''],
    ['/Library/Java/JavaVirtualMachines', 'Contents/Home'],
  ] as const;
  return places.flatMap(([root, below]) =>
    existsSync(root) ? readdirSync(root).map((name) => join(root, name, below)) : [],
  );
}

async function javaMajor(home: string): Promise<number> {
  const text = await run('java', [join(home, 'bin', 'java'), '-version'], { timeoutMs: 30_000 }).catch(() => '');
  return Number(/version "(\d+)/.exec(text)?.[1] ?? 0);
}
