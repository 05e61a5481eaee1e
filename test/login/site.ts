import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { type Database, openDatabase } from '../../src/directory/database.ts';
import { createDirectory } from '../../src/directory/kysely-directory.ts';
import { EndedLogins } from '../../src/login/backchannel-ended.ts';
import type { EndOfSessions, LoginOutcome } from '../../src/login/context.ts';
import { createLoginAnswers } from '../../src/login/login-answers.ts';
import { createLogoutHints } from '../../src/login/logout-hint.ts';
import { createOidcProvider } from '../../src/login/oidc.ts';
import type { LoginProvider } from '../../src/login/provider.ts';
import { createLoginRouter } from '../../src/login/routes.ts';
import { createSamlProvider } from '../../src/login/saml/saml.ts';
import { samlLoginSchema } from '../../src/login/saml/schema.ts';
import { oidcLoginSchema } from '../../src/login/schema.ts';
import { createLoginStates } from '../../src/login/state.ts';
import type { Assertion } from '../../src/model/person.ts';
import { createHttpClient } from '../../src/ops/http.ts';
import type { HttpClient } from '../../src/ops/http-client.ts';
import type { Provisioned, Provisioner } from '../../src/provisioning/provision.ts';
import { Failures } from '../../src/proxy/failures.ts';
import { createSessionCookies, type SessionCookies } from '../../src/session/cookie.ts';
import { createEmbeddedSessions } from '../../src/session/embedded.ts';
import { createExpressSessions } from '../../src/session/express.ts';
import type { SessionStore } from '../../src/session/store.ts';
import { type OidcEmulator, startOidcProvider } from '../emulators/oidc/provider.ts';
import { signInAt } from '../emulators/oidc/sign-in.ts';

const GROUPS = 'urn.gooddata.user_groups';

export interface Site {
  readonly url: string;
  readonly emulator: OidcEmulator;
  readonly cookies: SessionCookies;
  readonly store: SessionStore;
  readonly outcomes: LoginOutcome[];
  readonly logged: string[];
  readonly ended: EndOfSessions[];
  /** People of these ids are disabled. */
  readonly disabled: Set<string>;
  /** Between the exchange of the code and the session. */
  meanwhile: (assertion: Assertion) => Promise<void>;
  /** What provisioning was asked, and with what it answers: `undefined` lets everybody in. */
  readonly asserted: {
    readonly assertion: Assertion;
    readonly target: string | undefined;
    readonly requestId: string;
  }[];
  refuseWith: unknown;
  /** Added to the wall clock. */
  clockAhead: number;
  /** Where its clock stands still, in milliseconds since the epoch. Default: it goes on. */
  stoppedAt?: number | undefined;
  close(): Promise<void>;
}

export interface SiteOptions {
  /** Entries of `login`: settings by name. Default: one called `staff`. */
  readonly logins?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly origins?: readonly string[];
  /** SAML logins beside them: settings by name. */
  readonly saml?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Which login the route behind an address names. */
  readonly loginOf?: (returnTo: string) => string | undefined;
}

const SECRETS = ['a secret of at least thirty-two characters'];
const IDLE = 3_600_000;
const DISABLED = { id: '', displayName: '', disabled: true, createdAt: new Date(0) };

/** The gateway's own pages over a real identity provider, real sessions and a real directory. */
export async function startSite(options: SiteOptions = {}): Promise<Site> {
  const { logins = { staff: {} }, origins = [], saml = {}, loginOf } = options;
  const app = express();
  const server = await listen(app);
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const emulator = await startOidcProvider({
    people: ['alice', 'bob', 'carol'].map((sub) => ({
      sub,
      claims: { name: sub, email: `${sub}@example.com`, email_verified: true, [GROUPS]: [] },
    })),
    clients: Object.keys(logins).map((name) => ({
      id: `gateway-${name}`,
      secret: 'a secret of the gateway',
      redirectUris: [`${url}/.latchgate/callback/${name}`],
      postLogoutRedirectUris: [`${url}/`],
      backchannelLogoutUri: `${url}/.latchgate/backchannel-logout/${name}`,
    })),
  });
  const database = await openDatabase('sqlite::memory:');
  const site = {
    url,
    emulator,
    outcomes: [],
    logged: [],
    asserted: [],
    ended: [],
    disabled: new Set(),
    meanwhile: async () => {},
    refuseWith: undefined,
    clockAhead: 0,
  } as unknown as Site;
  const clock = { now: () => site.stoppedAt ?? Date.now() + site.clockAhead };
  const write = (level: string) => (message: string, fields?: unknown) => {
    site.logged.push(
      JSON.stringify({ level, message, fields }, (_key, value) =>
        value instanceof Error ? { ...value, message: value.message } : value,
      ),
    );
  };
  const log = { error: write('error'), warn: write('warn'), info: write('info'), debug: write('debug') };
  const directory = createDirectory(database, clock);
  const { leases, logouts, handovers } = directory;
  const store = createEmbeddedSessions(database, { clock });
  const cookies = createSessionCookies({ publicUrl: url, secrets: SECRETS, store, config: { idle: IDLE }, clock });
  const clients: HttpClient[] = [];
  const providers = new Map<string, LoginProvider>();
  for (const [name, settings] of Object.entries(logins)) {
    const http = createHttpClient({ timeoutMs: 10_000 });
    clients.push(http);
    const secret = 'a secret of the gateway';
    const base = { issuer: emulator.issuer, client_id: `gateway-${name}`, client_secret: secret };
    const config = oidcLoginSchema.parse({ ...base, timeout: '10s', ...settings });
    providers.set(name, createOidcProvider({ name, config, publicUrl: url, http, clock, log }));
  }
  for (const [name, settings] of Object.entries(saml)) {
    const http = createHttpClient({ timeoutMs: 10_000 });
    clients.push(http);
    const config = samlLoginSchema.parse({ type: 'saml', ...settings });
    const { once } = leases;
    providers.set(name, createSamlProvider({ name, config, publicUrl: url, http, clock, log, once }));
  }
  const peers = { clock, trustedProxies: [] };
  const router = createLoginRouter({
    publicUrl: url,
    origins,
    providers,
    states: createLoginStates({ publicUrl: url, secrets: SECRETS, leases, clock }),
    sessions: createExpressSessions({ cookies, store, config: { idle: IDLE }, clock }),
    sessionConfig: { absolute: 12 * IDLE },
    provisioner: provisionerOf(site),
    targetOf: (returnTo) => (returnTo.startsWith('/superset') ? 'superset' : undefined),
    ...(loginOf === undefined ? {} : { loginOf }),
    publicKeys: async () => [{ kty: 'EC', kid: 'k1' }],
    backendCookies: ['backend_session'],
    onOutcome: (outcome) => void site.outcomes.push(outcome),
    logoutHints: createLogoutHints(SECRETS, clock),
    answers: createLoginAnswers(handovers, SECRETS, clock),
    endedLogins: new EndedLogins({ sessions: store, leases, logouts, clock }),
    refused: { callbacks: new Failures(peers), logoutTokens: new Failures(peers) },
    current: (live) => live,
    people: { get: async (person) => (site.disabled.has(person) ? DISABLED : undefined) },
    onEnded: (end) => void site.ended.push(end),
    clock,
    log,
  });
  app.use('/.latchgate', router);
  app.use((_req, res) => void res.send('the upstream'));
  return Object.assign(site, { cookies, store, close: () => closeAll(server, emulator, clients, store, database) });
}

/** Stands in for the engine: says who came, and refuses when it is told to. */
function provisionerOf(site: Site): Pick<Provisioner, 'assert'> {
  return {
    assert: async (assertion, { target, requestId }) => {
      site.asserted.push({ assertion, target, requestId });
      if (site.refuseWith !== undefined) throw site.refuseWith;
      await site.meanwhile(assertion);
      const { issuer, subject, origin, claims } = assertion;
      const identity = {
        person: `p_${subject}`,
        issuer,
        subject,
        origin,
        displayName: String(claims['name']),
        preferredUsername: subject,
        emailVerified: true,
        email: `${subject}@example.com`,
        groups: ['eng'],
        attributes: {},
      };
      return { identity, decision: { decision: 'allow' } } as unknown as Provisioned;
    },
  };
}

function listen(app: express.Express): Promise<Server> {
  const server = createServer(app);
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)));
}

async function closeAll(
  server: Server,
  emulator: OidcEmulator,
  clients: readonly HttpClient[],
  store: SessionStore,
  database: Database,
) {
  server.close();
  server.closeAllConnections();
  await emulator.close();
  await Promise.all(clients.map((client) => client.close()));
  await store.close();
  await database.close();
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly location: string | undefined;
}

export interface Asking {
  readonly method?: string;
  readonly form?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One request as it stands, with no header but these: fetch adds its own Sec-Fetch-Mode. */
export function ask(url: string, path: string, { method = 'GET', headers = {}, form }: Asking = {}): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const req = request({ hostname, port, method, path, headers: { accept: 'text/html', ...headers } }, (res) => {
      let text = '';
      res.on('data', (chunk) => {
        text += chunk;
      });
      const { statusCode: status = 0, headers } = res;
      res.on('end', () => resolve({ status, headers, text, location: headers.location }));
    });
    req.on('error', reject);
    if (form !== undefined) req.setHeader('content-type', 'application/x-www-form-urlencoded');
    req.end(form && new URLSearchParams(form).toString());
  });
}

/** Keeps cookies of the gateway and of the provider, and follows nothing by itself. */
export class Browser {
  readonly #site: Site;
  readonly jar = new Map<string, string>();
  readonly providerJar = new Map<string, string>();

  constructor(site: Site) {
    this.#site = site;
  }

  async send(path: string, asking: Asking = {}): Promise<Answer> {
    const cookie = [...this.jar].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { ...(cookie === '' ? {} : { cookie }), ...asking.headers };
    const answer = await ask(this.#site.url, path, { ...asking, headers });
    for (const line of answer.headers['set-cookie'] ?? []) this.#keep(line);
    return answer;
  }

  /** To the provider and back: the callback as the browser would call it. */
  async callbackFor(sub: string | undefined, query = ''): Promise<string> {
    const { location, status, text } = await this.send(`/.latchgate/login?${query}`);
    if (location === undefined) throw new Error(`no login: ${status} ${text}`);
    return this.signIn(location, sub);
  }

  async signIn(address: string, sub: string | undefined): Promise<string> {
    const back = await signInAt(new URL(address), sub, this.providerJar);
    return `${back.pathname}${back.search}`;
  }

  async logIn(sub: string | undefined, query = ''): Promise<Answer> {
    return this.send(await this.callbackFor(sub, query));
  }

  async who(): Promise<string> {
    const { status, text } = await this.send('/.latchgate/userinfo', { headers: { accept: 'application/json' } });
    return status === 200 ? (JSON.parse(text) as { user: string }).user : String(status);
  }

  #keep(line: string): void {
    const [pair = '', ...attributes] = line.split(';');
    const name = pair.slice(0, pair.indexOf('='));
    if (attributes.some((attribute) => /^\s*max-age=0$/i.test(attribute))) this.jar.delete(name);
    else this.jar.set(name, pair.slice(pair.indexOf('=') + 1));
  }
}
