import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startOidcProvider } from '../test/emulators/oidc/provider.ts';
import { freePort } from '../test/services/child.ts';
import { projectRoot } from '../test/services/project.ts';
import { startDirectoryPage } from './directory-page.ts';
import { PEOPLE } from './people.ts';

const CLIENT_ID = 'latchgate-demo';

/** Where the parts of a demo are, for people to open. */
export interface Company {
  readonly url: string;
  /** A page on which groups are changed. */
  readonly directory: string;
  /** A command line without its command: `node … --config …` is made of it. */
  command(words: string): string;
  readonly log: string;
}

/** A backend that a demo brings along. `values` fill in the config of the demo. */
export interface Backend {
  readonly values: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/**
 * Runs one demo until Ctrl-C: an identity provider with people to click, the backend, and the gateway between them. All
 * on loopback, all state in a temporary folder that goes at the end.
 */
export async function runDemo(options: {
  /** Path of the config below the project root; `${DEMO_…}` in it are filled in. */
  readonly config: string;
  readonly startBackend: (publicUrl: string) => Promise<Backend>;
  readonly tell: (company: Company) => string;
}): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-demo-'));
  const closers: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  let stopping: Promise<void> | undefined;
  const stop = (code: number): Promise<void> => {
    stopping ??= closeAll(closers).finally(() => process.exit(code));
    return stopping;
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void stop(0));
  try {
    const company = await start(options, folder, closers, () => void stop(1));
    if (stopping === undefined) console.log(options.tell(company));
  } catch (error) {
    if (stopping === undefined) console.error(error instanceof Error ? error.message : error);
    await stop(1);
  }
}

async function start(
  { config: template, startBackend }: Parameters<typeof runDemo>[0],
  folder: string,
  closers: (() => Promise<void> | void)[],
  onGatewayEnd: () => void,
): Promise<Company> {
  const port = Number(process.env['PORT'] ?? 0) || (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const backend = await startBackend(url);
  closers.push(() => backend.close());
  const secret = randomBytes(24).toString('base64url');
  const callback = `${url}/.latchgate/callback/acme`;
  const client = { id: CLIENT_ID, secret, redirectUris: [callback], postLogoutRedirectUris: [`${url}/`] };
  const oidc = await startOidcProvider({ title: 'Acme sign-in', people: PEOPLE, clients: [client] });
  closers.push(() => oidc.close());
  const directory = await startDirectoryPage(oidc, () => url);
  closers.push(() => directory.close());
  const config = join(folder, 'latchgate.yaml');
  writeConfig(join(projectRoot(), template), config, {
    ...backend.values,
    DEMO_URL: url,
    DEMO_PORT: String(port),
    DEMO_ISSUER: oidc.issuer,
    DEMO_CLIENT_ID: CLIENT_ID,
    DEMO_CLIENT_SECRET: secret,
    DEMO_SESSION_SECRET: randomBytes(32).toString('hex'),
    DEMO_DATABASE: join(folder, 'latchgate.db'),
  });
  const log = join(folder, 'gateway.log');
  const gateway = await startGateway(log, config);
  closers.push(() => ended(gateway));
  gateway.once('exit', onGatewayEnd);
  const main = join('build', 'src', 'main.js');
  return { url, directory: directory.url, log, command: (words) => `node ${main} ${words} --config ${config}` };
}

/** The demo's config with everything that was made for this run, so that commands can be tried on it too. */
function writeConfig(template: string, file: string, values: Readonly<Record<string, string>>): void {
  const fill = (whole: string, name: string): string => values[name] ?? whole;
  writeFileSync(file, readFileSync(template, 'utf8').replace(/\$\{(DEMO_[A-Z_]+)\}/g, fill), { mode: 0o600 });
}

async function startGateway(log: string, config: string): Promise<ChildProcess> {
  const main = join(projectRoot(), 'build', 'src', 'main.js');
  const child = spawn(process.execPath, [main, 'serve', '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
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
  return child;
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const done = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5_000);
  return done.finally(() => clearTimeout(timer));
}

async function closeAll(closers: (() => Promise<void> | void)[]): Promise<void> {
  for (const close of closers.reverse()) {
    try {
      await close();
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
    }
  }
}
