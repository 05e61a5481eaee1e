import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/schema.ts';
import { sendFailure } from '../login/answer.ts';
import { compileCondition, matchesCondition } from '../mapping/conditions.ts';
import { createAdminApp } from '../ops/admin.ts';
import { createReadiness, type Probe, type Readiness, STOPPING } from '../ops/health.ts';
import type { MetricValues } from '../ops/metrics.ts';
import type { ProxyTarget } from '../proxy/deps.ts';
import { GatewayProxy } from '../proxy/proxy.ts';
import type { Route } from '../proxy/routes.ts';
import { createPublicServer } from '../proxy/server.ts';
import { type Certificates, createCertificates } from '../proxy/tls.ts';
import { createSessionCookies } from '../session/cookie.ts';
import type { Session } from '../session/store.ts';
import { isServed } from '../targets/schema.ts';
import { composeAudit } from './audit.ts';
import { composeBearers } from './bearers.ts';
import { claimsJobs } from './claims-jobs.ts';
import { countEverywhere } from './counts.ts';
import type { ComposedTarget, Engines } from './engine.ts';
import { guardsOf } from './guards.ts';
import { type Job, startJobs } from './jobs.ts';
import { drain, listen } from './listener.ts';
import { composeSessions } from './live-sessions.ts';
import { composePages, type PageParts } from './pages.ts';
import { composeProviders } from './providers.ts';
import { composeScheduledDrift } from './scheduled-drift.ts';
import { composeScheduledSyncs } from './scheduled-syncs.ts';
import { asItIs, isShadow } from './shadow.ts';
import type { State } from './state.ts';
import { noteStranger } from './strangers.ts';

export interface Gateway {
  /** Starts the listeners; the addresses are those that were really taken. */
  listen(): Promise<{ readonly public: string; readonly admin: string }>;
  readiness(): Promise<Readiness>;
  metrics(): Promise<MetricValues>;
  /** No new connections, open requests end, then everything is closed. */
  close(): Promise<void>;
}

/** Which part of the work is this process's. By default all of it. */
export interface GatewayPart {
  /** False: somebody else has the admin listener, and asks for `readiness` and `metrics`. */
  readonly admin?: boolean;
  /** False: somebody else does what goes on beside the requests. */
  readonly jobs?: boolean;
}

/** For the metrics: whoever asks `/readyz` is answered anew. */
const CHECK_EVERY_MS = 15_000;

/** The whole running gateway over its engines. Nothing listens and nothing goes out before `listen`. */
export async function composeGateway(config: Config, engines: Engines, part: GatewayPart = {}): Promise<Gateway> {
  const { state, metrics, targets } = engines;
  const closing = new AbortController();
  const providers = await composeProviders(config, state, metrics);
  const cookies = createSessionCookies({
    publicUrl: config.public_url,
    secrets: config.session.secrets,
    store: state.sessions,
    config: config.session,
    clock: state.clock,
  });
  const routes = composeRoutes(config);
  const live = composeSessions(config, engines, providers, cookies);
  // Here and below, so that what only some deployments have takes memory only there.
  const scim = config.scim === undefined ? undefined : (await import('./scim.ts')).composeScim(config, engines);
  const proxy = composeProxy(config, engines, { cookies, live, providers, routes }, scim?.ownPaths ?? []);
  const pages = await composePages(config, engines, { cookies, live, providers, routes });
  const gateway = scim === undefined ? pages : scim.before(pages);
  const certificates = composeCertificates(config, state);
  const publicServer = createPublicServer({
    proxy,
    gateway,
    trustedProxies: config.trusted_proxies,
    closing: closing.signal,
    asksCertificate: scim?.asksCertificate === true,
    ...(certificates === undefined ? {} : { certificates }),
  });
  const probes: Record<string, Probe> = {
    state: () => state.directory.probe(),
    sessions: () => state.sessions.probe(),
  };
  for (const [name, provider] of providers) probes[`login:${name}`] = (signal) => provider.probe(signal);
  for (const [name, { target }] of targets) probes[`target:${name}`] = (signal) => target.probe(signal);
  const scheduled = composeScheduledSyncs(config, engines);
  const audit = composeAudit(config, engines, closing.signal);
  const drift = composeScheduledDrift(config, engines, closing.signal);
  const readiness = createReadiness({
    probes,
    advisories: { ...scheduled.advisories, ...scim?.advisories },
    closing: closing.signal,
  });
  const checking: Job = {
    everyMs: CHECK_EVERY_MS,
    work: async () => {
      for (const [name, { ok }] of Object.entries((await readiness()).checks)) {
        if (name !== STOPPING) metrics.check(name, ok);
      }
    },
  };
  const refresh = async (): Promise<void> => {
    for (const [file, seconds] of certificates?.expiries() ?? []) metrics.certificate(file, seconds);
    if (part.jobs === false) return;
    await state.sessions.count().then(metrics.sessions, () => {});
    await scheduled.measure().catch(() => {});
    await audit.measure().catch(() => {});
    await scim?.measure().catch(() => {});
    await drift.measure().catch(() => {});
  };
  const console =
    part.admin === false || config.operators === undefined
      ? undefined
      : (await import('./console.ts')).composeConsole(config, engines, { current: live.pages.current, readiness });
  const adminServer = createServer(
    createAdminApp({
      readiness,
      metrics: () => refresh().then(metrics.render),
      ...(console === undefined ? {} : { console: console.handler }),
    }),
  );
  let stopJobs: (() => Promise<void>) | undefined;
  return {
    listen: async () => {
      await scim?.prepare();
      const [own, admin] = await Promise.all([
        listen(publicServer, config.listen),
        part.admin === false ? '' : listen(adminServer, config.admin_listen),
      ]);
      if (part.jobs !== false) {
        // What makes true what the config says of a target writes to it.
        const working = isShadow(config) ? { ...engines, targets: new Map() } : engines;
        stopJobs = startJobs(working, scheduled, closing.signal, [
          checking,
          ...audit.jobs,
          ...claimsJobs(config, engines.state),
          ...drift.jobs,
          ...(scim?.jobs ?? []),
        ]);
      }
      live.watch(
        () => proxy.liveSessions(),
        (handle, session) => proxy.look(handle, session),
      );
      return { public: own, admin };
    },
    readiness,
    metrics: () => refresh().then(metrics.values),
    close: async () => {
      closing.abort();
      const { delay, idle, drain: limit } = config.shutdown;
      if (publicServer.listening) await sleep(delay);
      proxy.endTunnels();
      await drain(publicServer, idle, () => proxy.endTunnels(), limit);
      await stopJobs?.();
      await scim?.close();
      await scheduled.close();
      await audit.close();
      await console?.close();
      await drift.close();
      await live.close();
      await proxy.close();
      await drain(adminServer);
    },
  };
}

function composeCertificates({ tls }: Config, { clock, log }: State): Certificates | undefined {
  if (tls === undefined) return undefined;
  const files = tls.certificate.map((certificate, at) => ({ certificate, key: tls.key[at] as string }));
  return createCertificates({ files, minVersion: tls.min_version, clock, log });
}

function composeRoutes(config: Config): readonly Route<Session>[] {
  return config.routes.map(({ host, path, to, methods, when, login, public: isPublic }) => {
    const condition = when === undefined ? undefined : compileCondition(when);
    return {
      ...(host === undefined ? {} : { host }),
      path,
      target: to,
      // In shadow mode nobody's way to a backend depends on us.
      isPublic: isPublic || isShadow(config),
      ...(methods === undefined ? {} : { methods }),
      ...(login === undefined ? {} : { login }),
      ...(condition === undefined ? {} : { when: ({ identity }: Session) => matchesCondition(condition, identity) }),
    };
  });
}

function composeProxy(
  config: Config,
  engines: Engines,
  { cookies, live, providers, routes }: PageParts,
  ownPaths: readonly string[],
): GatewayProxy {
  const { state, metrics, engine, signer, targets } = engines;
  const { log, clock, sessions, directory } = state;
  const bearers = isShadow(config) ? undefined : composeBearers(config, engines, providers, live.pages.endedLogins);
  return new GatewayProxy({
    publicUrl: config.public_url,
    ownPaths,
    trustedProxies: config.trusted_proxies,
    forwardAuthSecrets: config.forward_auth?.secrets ?? [],
    routes,
    targets: [...targets].flatMap(([name, target]) => {
      const all = proxied(name, target, config);
      return isShadow(config) ? all.map(asItIs) : all;
    }),
    sessions: {
      read: (cookie) => live.read(cookie),
      onEnded: (listener, held) => sessions.onEnded(listener, held),
    },
    ...(bearers === undefined ? {} : { bearers }),
    cookieNames: cookies.names,
    account: (person, target, signal) => engine.account(person, target, signal),
    signer,
    pages: {
      refuse: (req, res, error, { status }) =>
        sendFailure(req, res, error, error.status === 403 ? { switchAddress: '/.latchgate/logout' } : {}, status),
    },
    onRefused: ({ requestId, error, person, origin, target, method, path }) => {
      const record = { requestId, at: new Date(clock.now()), origin, person, code: error.code, message: error.message };
      const outcome = error.retryable ? 'error' : 'deny';
      directory.decisions
        .save({ ...record, outcome, detail: { target, method, path } })
        .catch(() => log.warn('a refusal could not be recorded', { requestId, code: error.code }));
    },
    log,
    metrics,
    clock,
    sharedFailures: countEverywhere(state, 'refused access tokens'),
    onStranger: () => void noteStranger(state),
    accessLog: config.log.access,
  });
}

/** Nothing, when the target has accounts only. */
function proxied(name: string, target: ComposedTarget, { session }: Config): ProxyTarget[] {
  const { config, signIn, backendSession } = target;
  if (!isServed(config)) return [];
  return [
    {
      name,
      url: config.url,
      // GoodData finds the organization by its own host name; Superset makes its links from the one that people see.
      host: config.type === 'gooddata' ? 'upstream' : 'public',
      ...guardsOf(config, session.cookie_domain),
      ...(signIn === undefined ? {} : { signIn }),
      ...(backendSession === undefined ? {} : { backendSession }),
      timeouts: {
        connectTimeoutMs: config.upstream.connect,
        answerTimeoutMs: config.upstream.answer,
        idleTimeoutMs: config.upstream.idle,
        connections: config.upstream.connections,
      },
    },
  ];
}
