import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import * as commands from '../../src/cli/commands/all.ts';
import { run } from '../../src/cli/program.ts';
import { composeEngine } from '../../src/compose/engine.ts';
import { composeGateway } from '../../src/compose/gateway.ts';
import { composeLog, composeState } from '../../src/compose/state.ts';
import { loadConfig } from '../../src/config/load.ts';
import { makeTerminal } from '../cli/terminal.ts';
import { type GoodDataEmulator, startGoodDataEmulator } from '../emulators/gooddata/server.ts';
import type { Seed as GoodDataSeed } from '../emulators/gooddata/state.ts';
import { type EmulatedPerson, type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { type SupersetEmulator, startSupersetEmulator } from '../emulators/superset/server.ts';
import { freePort } from '../services/child.ts';
import type { Certificates } from '../services/tls.ts';
import { Browser, type Page } from './browser.ts';
import { CLIENT_ID, CLIENT_SECRET, configText, type Sections } from './company.ts';

export interface JourneyOptions {
  readonly people?: readonly EmulatedPerson[];
  /** Top-level keys of the config, as YAML; they take the place of those of the company. */
  readonly sections?: Sections;
  /** Another provider than the emulated one; then nothing is at `idp`. */
  readonly issuer?: string;
  readonly gooddata?: GoodDataSeed;
  readonly supersetSignIn?: 'assertion' | 'header';
  /** The name by which people know the gateway; their browsers find every name on this machine. Default 127.0.0.1. */
  readonly host?: string;
  /** Of the emulated provider, in seconds. */
  readonly idTokenTtl?: number;
  /** The gateway speaks TLS with this certificate, and browsers believe its authority. */
  readonly tls?: Pick<Certificates, 'ca' | 'certificateFile' | 'keyFile'>;
  /** False: the gateway is started by the test. Default true. */
  readonly start?: boolean;
}

export interface Instance {
  /** Of its own listener: a balancer may stand before it. */
  readonly url: string;
  readonly admin: string;
  stop(): Promise<void>;
}

/** A company with an identity provider and backends, and the real gateway in front of them. */
export interface Journey {
  readonly url: string;
  readonly folder: string;
  readonly configFile: string;
  readonly env: Readonly<Record<string, string>>;
  readonly idp: OidcEmulator;
  readonly gooddata: GoodDataEmulator;
  readonly superset: SupersetEmulator;
  /** Lines of the gateway's log. */
  readonly log: readonly string[];
  /** Admin listener of the instance that was started last. */
  admin(): string;
  browser(): Browser;
  /** A first visit in a new browser. */
  logIn(sub: string, path?: string): Promise<Page>;
  /** One command line against the same config. */
  cli(...args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
  start(env?: Readonly<Record<string, string>>): Promise<Instance>;
  close(): Promise<void>;
}

export async function startJourney(options: JourneyOptions = {}): Promise<Journey> {
  const folder = mkdtempSync(join(tmpdir(), 'latchgate-journey-'));
  const closers: (() => Promise<void> | void)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const port = await freePort();
  const { tls } = options;
  const url = `${tls === undefined ? 'http' : 'https'}://${options.host ?? '127.0.0.1'}:${port}`;
  const machine = new Browser(tls?.ca);
  closers.push(() => machine.close());
  const gooddata = await startGoodDataEmulator({ page: true, seed: options.gooddata ?? {} });
  const superset = await startSupersetEmulator({
    signIn: options.supersetSignIn ?? 'assertion',
    issuer: url,
    audience: 'superset',
    jwks: async () => JSON.parse((await machine.call(`${url}/.latchgate/jwks.json`)).text) as { keys: object[] },
  });
  closers.push(
    () => gooddata.close(),
    () => superset.close(),
  );
  const idp = options.issuer === undefined ? await startIdp(url, options.people ?? [], options) : undefined;
  if (idp !== undefined) closers.push(() => idp.close());
  const env = {
    GATEWAY_URL: url,
    GATEWAY_LISTEN: `127.0.0.1:${port}`,
    ISSUER: options.issuer ?? idp?.issuer ?? '',
    GOODDATA_URL: gooddata.url,
    GOODDATA_TOKEN: gooddata.token,
    SUPERSET_URL: superset.url,
  };
  const configFile = join(folder, 'latchgate.yaml');
  const secured = tls && { tls: JSON.stringify({ certificate: tls.certificateFile, key: tls.keyFile }) };
  writeFileSync(configFile, configText({ shutdown: '{ idle: 1s }', ...options.sections, ...secured }), { mode: 0o600 });
  const log: string[] = [];
  const browsers: Browser[] = [];
  const instances = new Set<Instance>();
  let admin = '';

  const browser = (): Browser => {
    const made = new Browser(tls?.ca);
    browsers.push(made);
    return made;
  };
  const start = async (more: Readonly<Record<string, string>> = {}): Promise<Instance> => {
    const instance = await startInstance(configFile, { ...env, ...more }, log, () => instances.delete(instance));
    instances.add(instance);
    admin = instance.admin;
    return instance;
  };
  closers.push(async () => {
    await Promise.all(browsers.map((one) => one.close()));
    await Promise.all([...instances].map((one) => one.stop()));
  });
  if (options.start !== false) await start();

  return {
    url,
    folder,
    configFile,
    env,
    log,
    gooddata,
    superset,
    get idp() {
      if (idp === undefined) throw new Error('this company has a provider of its own');
      return idp;
    },
    admin: () => admin,
    browser,
    logIn: (sub, path = '/') => browser().logIn(`${url}${path}`, sub),
    cli: async (...args) => {
      const terminal = makeTerminal({ ...env });
      const code = await run([...args, '--config', configFile], terminal, commands);
      return { code, out: terminal.lines.join('\n'), err: terminal.errors.join('\n') };
    },
    start,
    close: async () => {
      for (const close of closers.reverse()) await close();
    },
  };
}

function startIdp(
  url: string,
  people: readonly EmulatedPerson[],
  { port, idTokenTtl }: { readonly port?: number; readonly idTokenTtl?: number },
): Promise<OidcEmulator> {
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
    claimNames: ['given_name', 'family_name', 'name', 'preferred_username', 'email', 'email_verified', 'groups'].concat(
      'urn.gooddata.user_groups',
      'department',
    ),
    ...(port === undefined ? {} : { port }),
    ...(idTokenTtl === undefined ? {} : { idTokenTtl }),
  });
}

/** The provider of a company that was started without one, at the port that its issuer names. */
export function startIdpAt({ url }: Pick<Journey, 'url'>, port: number, people: readonly EmulatedPerson[]) {
  return startIdp(url, people, { port });
}

async function startInstance(
  configFile: string,
  env: Readonly<Record<string, string>>,
  lines: string[],
  onStop: () => void,
): Promise<Instance> {
  const config = loadConfig(configFile, { env });
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      lines.push(String(chunk).trimEnd());
      const file = process.env['JOURNEY_LOG'];
      if (file !== undefined) appendFileSync(file, String(chunk));
      done();
    },
  });
  const state = await composeState(config, composeLog(config, stream));
  const engines = composeEngine(config, state);
  const gateway = await composeGateway(config, engines);
  const { public: url, admin } = await gateway.listen();
  return {
    url,
    admin,
    stop: async () => {
      onStop();
      await gateway.close();
      await engines.close();
      await state.close();
    },
  };
}

/** Asks again until the answer is there. For what happens beside the requests; the deadline only ends a broken test. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  limitMs = 10_000,
): Promise<T> {
  const deadline = Date.now() + limitMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`still waiting: ${what}`);
    await sleep(50);
  }
}
