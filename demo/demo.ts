import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startGoodDataEmulator } from '../test/emulators/gooddata/server.ts';
import { type Assigned, groupRef, type Seed } from '../test/emulators/gooddata/state.ts';
import { startOidcProvider } from '../test/emulators/oidc/provider.ts';
import { freePort } from '../test/services/child.ts';
import { projectRoot } from '../test/services/project.ts';
import { startDirectoryPage } from './directory-page.ts';
import { PEOPLE } from './people.ts';

/*
 * Everything that one needs to see a login: an identity provider with people to click, a backend that shows who one is
 * there, and the gateway between them. All on loopback, all state in a temporary folder that goes at the end.
 */

const CLIENT_ID = 'latchgate-demo';
/** What the backend's own administrator has set up: workspaces, and which group may do what in them. */
const BACKEND: Seed = {
  groups: [{ id: 'analysts' }, { id: 'finance' }, { id: 'viewers' }],
  workspaces: [
    { id: 'sales', name: 'Sales', permissions: [permission('analysts', 'ANALYZE'), permission('viewers', 'VIEW')] },
    { id: 'finance', name: 'Finance', permissions: [permission('finance', 'ANALYZE')] },
  ],
};

function permission(group: string, name: string): Assigned {
  return { assignee: groupRef(group), name };
}

const folder = mkdtempSync(join(tmpdir(), 'latchgate-demo-'));
const closers: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
let isStopping = false;

async function main(): Promise<void> {
  const port = Number(process.env['PORT'] ?? 0) || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const clientSecret = randomBytes(24).toString('base64url');
  const token = randomBytes(24).toString('base64url');
  const backend = await startGoodDataEmulator({ page: true, token, seed: BACKEND });
  closers.push(() => backend.close());
  const oidc = await startOidcProvider({
    title: 'Acme sign-in',
    people: PEOPLE,
    clients: [
      {
        id: CLIENT_ID,
        secret: clientSecret,
        redirectUris: [`${url}/.latchgate/callback/acme`],
        postLogoutRedirectUris: [`${url}/`],
      },
    ],
  });
  closers.push(() => oidc.close());
  const directory = await startDirectoryPage(oidc, () => url);
  closers.push(() => directory.close());
  const log = join(folder, 'gateway.log');
  const config = writeConfig({
    DEMO_URL: url,
    DEMO_PORT: String(port),
    DEMO_ISSUER: oidc.issuer,
    DEMO_CLIENT_ID: CLIENT_ID,
    DEMO_CLIENT_SECRET: clientSecret,
    DEMO_GOODDATA_URL: backend.url,
    DEMO_GOODDATA_TOKEN: token,
    DEMO_SESSION_SECRET: randomBytes(32).toString('hex'),
    DEMO_DATABASE: join(folder, 'latchgate.db'),
  });
  await startGateway(log, config);
  print({ url, directory: directory.url, log, config });
}

function print({
  url,
  directory,
  log,
  config,
}: Readonly<Record<'url' | 'directory' | 'log' | 'config', string>>): void {
  const latchgate = `node ${join('build', 'src', 'main.js')}`;
  console.log(`
  Latchgate is running in front of an analytics backend.

      ${url}

  Try this:
  1. A first login.     Open the address and click Alice. Her account is made on the way, with her name and groups.
  2. A changed group.   Open ${directory} and put Alice into finance-team.
                        Log out at ${url}/.latchgate/logout, log in again: her groups have moved.
  3. A refused person.  Log out, then click Erin: the page says why, and no account is made.
                        Its request id explains everything:  ${latchgate} why ID --config ${config}
  4. Somebody without a group: Carol gets the default.

  The gateway's log: ${log}
  Press Ctrl-C to stop.
`);
}

/** config/demo.yaml with everything that was made for this run, so that commands can be tried on it too. */
function writeConfig(values: Readonly<Record<string, string>>): string {
  const template = readFileSync(join(projectRoot(), 'config', 'demo.yaml'), 'utf8');
  const file = join(folder, 'latchgate.yaml');
  const text = template.replace(/\$\{(DEMO_[A-Z_]+)\}/g, (whole, name: string) => values[name] ?? whole);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

async function startGateway(log: string, config: string): Promise<void> {
  const main = join(projectRoot(), 'build', 'src', 'main.js');
  const child = spawn(process.execPath, [main, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  closers.push(() => ended(child));
  const file = createWriteStream(log);
  const errors: string[] = [];
  child.stderr.on('data', (chunk) => {
    errors.push(String(chunk));
    file.write(chunk);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`the gateway ended (${code}):\n${errors.join('')}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      file.write(`${line}\n`);
      if (line.includes('"message":"ready"')) resolve();
    });
  });
  child.removeAllListeners('exit');
  child.once('exit', () => void stop(1));
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const done = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  return done.finally(() => clearTimeout(timer));
}

async function stop(code: number): Promise<void> {
  if (isStopping) return;
  isStopping = true;
  for (const close of closers.reverse()) await close();
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(0));
main().catch(async (error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  await stop(1);
});
