import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { startChild, waitUntil } from '../test/services/child.ts';
import { projectRoot } from '../test/services/project.ts';
import { cpuSeconds } from './process-tree.ts';
import type { OidcClient, Setup } from './setups.ts';

const READY_TIMEOUT_MS = 30_000;

export interface GatewayOptions {
  readonly folder: string;
  readonly port: number;
  readonly issuer: string;
  readonly client: OidcClient;
  readonly upstreamUrl: string;
  readonly targetToken: string;
  readonly profile?: string;
}

/** Ours, with what is behind it. */
export interface Gateway extends Setup {
  /** Of `/metrics`. Without a slash at the end. */
  readonly adminUrl: string;
  /** Its state database, sessions included. */
  readonly database: string;
}

export interface StartedGateway {
  readonly setup: Gateway;
  /** From the start of the process to its `ready` line. */
  readonly readySeconds: number;
  readonly readyCpuSeconds: number;
}

/** The name of the identity provider in the configuration, and so in the redirect URI. */
export const LOGIN_NAME = 'bench';

/** The name of the backend in the configuration. */
export const TARGET = 'gooddata';

export const SESSION_SECRETS = ['a-secret-of-a-throw-away-gateway-0123456789'];

/** The gateway as operators run it, on an embedded store that the first start in a folder makes. */
export async function startLatchgate(options: GatewayOptions): Promise<StartedGateway> {
  const folder = join(options.folder, 'latchgate');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'latchgate.yaml');
  writeFileSync(file, configuration(options), { mode: 0o600 });
  const profile = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`];
  const main = join(projectRoot(), 'dist', 'main.js');
  const started = performance.now();
  let ready: (Omit<StartedGateway, 'setup'> & Pick<Gateway, 'adminUrl'>) | undefined;
  const child = startChild('latchgate', [process.execPath, ...profile, main, 'serve', '--config', file], {
    onLine: (line) => {
      if (ready !== undefined || !isReadyLine(line)) return;
      const readySeconds = (performance.now() - started) / 1_000;
      const { admin } = JSON.parse(line) as { admin: string };
      ready = { readySeconds, readyCpuSeconds: cpuSeconds(child.pid), adminUrl: admin };
    },
  });
  await waitUntil(child, READY_TIMEOUT_MS, () => ready !== undefined);
  if (ready === undefined) throw new Error('latchgate: no ready line');
  const redirectPaths = (path: string) => [path, `/.latchgate/login?rd=${encodeURIComponent(path)}`];
  const { adminUrl, ...start } = ready;
  const database = databaseIn(options.folder);
  return {
    setup: { name: 'latchgate', url: publicUrl(options), child, login: { redirectPaths }, adminUrl, database },
    ...start,
  };
}

function databaseIn(folder: string): string {
  return `sqlite:${join(folder, 'latchgate', 'bench.db')}`;
}

function publicUrl({ port }: Pick<GatewayOptions, 'port'>): string {
  return `http://127.0.0.1:${port}`;
}

function configuration(options: GatewayOptions): string {
  const { port, issuer, client, upstreamUrl, targetToken } = options;
  return JSON.stringify({
    version: 1,
    public_url: publicUrl(options),
    listen: `127.0.0.1:${port}`,
    admin_listen: '127.0.0.1:0',
    log: { access: false },
    state: { database: databaseIn(options.folder) },
    session: { store: 'embedded', secrets: SESSION_SECRETS },
    login: { [LOGIN_NAME]: { issuer, client_id: client.id, client_secret: client.secret } },
    rules: { analysts: { when: { groups: 'analysts' }, grant: { [TARGET]: { groups: ['analysts'] } } } },
    targets: { [TARGET]: { type: 'gooddata', url: upstreamUrl, token: targetToken, missing: { groups: 'create' } } },
    routes: [{ path: '/', to: TARGET }],
  });
}

function isReadyLine(line: string): boolean {
  return line.startsWith('{') && line.includes('"message":"ready"');
}
