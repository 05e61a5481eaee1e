import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmulatedPerson, type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { type SupersetEmulator, startSupersetEmulator } from '../emulators/superset/server.ts';
import { Browser, isChoice } from '../journey/browser.ts';
import { CLIENT_ID, CLIENT_SECRET, configText, person, type Sections } from '../journey/company.ts';
import { startOpenBackend } from '../journey/open-work.ts';
import { freePort, run } from '../services/child.ts';
import { type RunningGateway, startGateway } from '../services/gateway.ts';
import { type RunningPostgres, startPostgres } from '../services/postgres.ts';
import { projectRoot } from '../services/project.ts';
import { startFront } from './front.ts';
import type { Visitor } from './load.ts';
import { startWitness, type Witness } from './witness.ts';

const TARGET = 'superset';
const DRAIN_MS = 35_000;

export interface SiteOptions {
  /** Default 2. */
  readonly instances?: number;
  readonly people?: readonly string[];
  /** Of the state; SQLite is in a folder of the site. Default postgres. */
  readonly database?: 'postgres' | 'sqlite';
  /** `session.store` as YAML; default embedded. */
  readonly store?: string;
  /** Further sections of the config, or others than those of the site. */
  readonly sections?: Sections;
  /** Another provider than the emulated one. */
  readonly issuer?: { readonly issuer: string; readonly client: { readonly id: string; readonly secret: string } };
  /** True: the backend has also what never ends by itself; see open-work.ts. */
  readonly openWork?: boolean;
  /** Port of nginx; default a free one. */
  readonly port?: number;
  /** How often live sessions are checked; default 5m. */
  readonly refresh?: string;
}

/** Several gateways behind nginx, with a real database and whatever `store` names. */
export interface Site {
  readonly url: string;
  /** For files of the test; goes with the site. */
  readonly folder: string;
  readonly postgres: RunningPostgres;
  readonly idp: OidcEmulator;
  readonly witness: Witness;
  readonly superset: SupersetEmulator;
  /** Those that run now, by their place. */
  readonly gateways: readonly RunningGateway[];
  /** Addresses of the instances themselves, which stay. */
  readonly addresses: readonly string[];
  /** SIGTERM, its end (exit code 0), and a new one in its place. */
  restart(at: number): Promise<void>;
  /** A new one in the place of one that was killed. */
  startAgain(at: number): Promise<void>;
  /** A session of this person, made through nginx. */
  logIn(sub: string): Promise<Visitor>;
  browser(): Browser;
  close(): Promise<void>;
}

export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const closers: (() => Promise<void>)[] = [];
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const postgres = options.database === 'sqlite' ? undefined : await startPostgres();
  closers.push(async () => postgres?.stop());
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-site-'));
  closers.push(async () => rmSync(folder, { recursive: true, force: true }));
  const database = postgres?.url ?? `sqlite:${join(folder, 'state.db')}`;
  const superset = await startSupersetEmulator({
    issuer: url,
    audience: TARGET,
    jwks: async () => (await fetch(`${url}/.latchgate/jwks.json`)).json() as Promise<{ keys: object[] }>,
  });
  closers.push(() => superset.close());
  const witness = await startWitness(superset.url, `${url}/.latchgate/jwks.json`, TARGET);
  closers.push(() => witness.close());
  const open = options.openWork === true ? await startOpenBackend(witness.url) : undefined;
  closers.push(async () => open?.close());
  const backend = open?.url ?? witness.url;
  const people = (options.people ?? []).map((sub) => person(sub, { groups: ['team-a'] }));
  const idp = await startIdp(url, people);
  closers.push(() => idp.close());

  const ports = await Promise.all(Array.from({ length: options.instances ?? 2 }, freePort));
  const login = options.issuer ?? { issuer: idp.issuer, client: { id: CLIENT_ID, secret: CLIENT_SECRET } };
  const start = (at: number) =>
    startGateway({ config: siteConfig(options, { url, port: ports[at] ?? 0, database, login, backend }) });
  const gateways: RunningGateway[] = [];
  for (const at of ports.keys()) gateways.push(await start(at));
  closers.push(async () => void (await Promise.all(gateways.map((one) => one.stop(DRAIN_MS)))));
  const front = await startFront(
    port,
    ports.map((one) => ({ port: one })),
  );
  closers.push(() => front.stop());
  const browsers: Browser[] = [];
  closers.push(async () => void (await Promise.all(browsers.map((one) => one.close()))));
  const browser = () => {
    const made = new Browser();
    browsers.push(made);
    return made;
  };

  return {
    url,
    folder,
    get postgres() {
      if (postgres === undefined) throw new Error('this site has another database');
      return postgres;
    },
    witness,
    superset,
    gateways,
    idp,
    addresses: ports.map((one) => `http://127.0.0.1:${one}`),
    restart: async (at) => {
      const old = gateways[at] as RunningGateway;
      old.kill('SIGTERM');
      const exit = await old.exited;
      if (exit.code !== 0) throw new Error(`instance ${at} ended with ${JSON.stringify(exit)}`);
      gateways[at] = await start(at);
    },
    startAgain: async (at) => {
      gateways[at] = await start(at);
    },
    logIn: async (sub) => visitorOf(browser(), url, sub),
    browser,
    close: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

/** Of all instances: the values in their metrics that a pattern with one group finds. */
export async function sumOf({ gateways }: Pick<Site, 'gateways'>, pattern: RegExp): Promise<number> {
  const pages = await Promise.all(gateways.map(async ({ admin }) => (await fetch(`${admin}/metrics`)).text()));
  return pages
    .flatMap((text) => [...text.matchAll(pattern)])
    .map(([, value]) => Number(value))
    .reduce((sum, value) => sum + value, 0);
}

/** A command of an operator, with the config of the last instance. Throws with what it says when it fails. */
export function command({ gateways }: Pick<Site, 'gateways'>, ...args: readonly string[]): Promise<string> {
  const config = gateways.at(-1)?.configFile ?? '';
  const main = join(projectRoot(), 'dist', 'main.js');
  return run('latchgate', [process.execPath, main, ...args, '--config', config], { timeoutMs: 30_000 });
}

/** Logs somebody in; throws with where it ended when that is not the page that was asked for. */
export async function visitorOf(browser: Browser, url: string, sub: string): Promise<Visitor> {
  const page = await browser.visit(`${url}/start`);
  const end = isChoice(page) ? await browser.choose(page, sub) : page;
  const cookie = browser.cookie(url, 'latchgate');
  if (end.status !== 200 || cookie === undefined) {
    throw new Error(`the login of ${sub} ended with ${end.status} at ${end.url}: ${end.text.slice(0, 300)}`);
  }
  return { user: sub, cookie: `latchgate=${cookie}` };
}

interface Parts {
  readonly url: string;
  readonly port: number;
  readonly database: string;
  readonly login: NonNullable<SiteOptions['issuer']>;
  readonly backend: string;
}

function siteConfig(options: SiteOptions, { url, port, database, login, backend }: Parts): string {
  const store = options.store === undefined ? '' : `, store: ${options.store}`;
  return configText({
    public_url: JSON.stringify(url),
    listen: `127.0.0.1:${port}`,
    log: '{ level: info }',
    trusted_proxies: '[127.0.0.1]',
    state: `{ database: ${JSON.stringify(database)} }`,
    session: `{ secrets: ["only for tests, and long enough for the rule"]${store} }`,
    login: `
  acme:
    issuer: ${JSON.stringify(login.issuer)}
    client_id: ${login.client.id}
    client_secret: ${login.client.secret}
    refresh: ${options.refresh ?? '5m'}
    email_domains: [acme.test]`,
    rules: `
  everybody:
    grant: { ${TARGET}: { roles: [Gamma] } }`,
    targets: `
  ${TARGET}:
    type: superset
    url: ${JSON.stringify(backend)}
    timeout: 10s`,
    routes: `[{ path: /, to: ${TARGET} }]`,
    ...options.sections,
  });
}

function startIdp(url: string, people: readonly EmulatedPerson[]) {
  return startOidcProvider({
    people,
    clients: [
      {
        id: CLIENT_ID,
        secret: CLIENT_SECRET,
        redirectUris: [`${url}/.latchgate/callback/acme`],
        postLogoutRedirectUris: [`${url}/`],
        backchannelLogoutUri: `${url}/.latchgate/backchannel-logout/acme`,
      },
    ],
    claimNames: ['given_name', 'family_name', 'name', 'preferred_username', 'email', 'email_verified', 'groups'],
  });
}
