import express from 'express';
import type { Config } from '../config/schema.ts';
import { hasReaders } from '../config/without-people.ts';
import { createLoginStart } from '../login/begin.ts';
import type { LoginRoutesOptions } from '../login/context.ts';
import { createLoginAnswers } from '../login/login-answers.ts';
import { createLoginRouter } from '../login/routes.ts';
import { createLoginStates } from '../login/state.ts';
import type { GatewayPages } from '../proxy/deps.ts';
import { Failures } from '../proxy/failures.ts';
import { createHostRouter, hostsOfRoutes, type Route } from '../proxy/routes.ts';
import { parseRequestTarget } from '../proxy/target.ts';
import type { SessionCookies } from '../session/cookie.ts';
import { createExpressSessions } from '../session/express.ts';
import type { Session } from '../session/store.ts';
import { composeBreakGlass } from './break-glass.ts';
import { countEverywhere } from './counts.ts';
import type { Engines } from './engine.ts';
import type { ComposedSessions } from './live-sessions.ts';
import { createOutcomeRecorder } from './outcomes.ts';
import type { ConfiguredLogin } from './providers.ts';
import { isShadow } from './shadow.ts';

export interface PageParts {
  readonly cookies: SessionCookies;
  readonly live: ComposedSessions;
  readonly providers: ReadonlyMap<string, ConfiguredLogin>;
  readonly routes: readonly Route<Session>[];
}

/** Login, logout and what else the gateway answers itself. */
export async function composePages(
  config: Config,
  engines: Engines,
  { cookies, live, providers, routes }: PageParts,
): Promise<GatewayPages> {
  const { state, metrics, engine, signer } = engines;
  const { directory, clock, log, sessions } = state;
  const hosts = hostsOfRoutes(config.public_url, routes);
  const match = createHostRouter(routes, hosts);
  const routeOf = (returnTo: string): Route<Session> | undefined => {
    const address = new URL(returnTo, config.public_url);
    const host = hosts.find(address.host);
    if (host?.origin !== address.origin) return undefined;
    const target = parseRequestTarget(address.pathname + address.search, host.authorities);
    const found = target === undefined ? undefined : match(host, target.path, 'GET');
    return found !== undefined && 'route' in found ? found.route : undefined;
  };
  const ofStrangers = { clock, trustedProxies: config.trusted_proxies };
  const options: LoginRoutesOptions = {
    publicUrl: config.public_url,
    origins: hosts.all.flatMap(({ isMain, origin }) => (isMain ? [] : origin)),
    originAsked: (req) => (hosts.find(req.headers.host ?? '') ?? hosts.main).origin,
    providers,
    states: createLoginStates({
      publicUrl: config.public_url,
      secrets: config.session.secrets,
      leases: directory.leases,
      clock,
    }),
    sessions: createExpressSessions({ cookies, store: sessions, config: config.session, clock }),
    sessionConfig: config.session,
    provisioner: engine,
    // Whoever is on the way to the operators' page waits for no target: it may be what they come for.
    targetOf: (returnTo) => (isOwnPath(returnTo) ? undefined : routeOf(returnTo)?.target),
    loginOf: (returnTo) => routeOf(returnTo)?.login,
    publicKeys: async () => {
      if (!hasReaders(config)) return [];
      const logins = [...providers.values()].filter((one) => one.type === 'oidc');
      const keys = await Promise.all([signer.publicKeys(), ...logins.map((one) => one.publicKeys())]);
      return keys.flat();
    },
    backendCookies:
      !isShadow(config) && Object.values(config.targets).some(({ type }) => type === 'superset') ? ['session'] : [],
    refused: {
      callbacks: new Failures({ ...ofStrangers, sharedFailures: countEverywhere(state, 'refused callbacks') }),
      logoutTokens: new Failures({ ...ofStrangers, sharedFailures: countEverywhere(state, 'refused logout tokens') }),
    },
    onOutcome: createOutcomeRecorder({ decisions: directory.decisions, metrics, clock }),
    answers: createLoginAnswers(directory.handovers, config.session.secrets, clock),
    breakGlass: composeBreakGlass(config, state),
    ...live.pages,
    clock,
    log,
  };
  const app = express();
  app.disable('x-powered-by');
  app.set('etag', false);
  if (config.operators !== undefined) (await import('./console.ts')).addEntrance(app, config, options, state);
  app.use('/.latchgate', createLoginRouter(options));
  const startsLogin = createLoginStart(options);
  return (req, res, requestId) => {
    if (startsLogin(req, res, requestId)) return;
    res.setHeader('X-Request-Id', requestId);
    app(req, res);
  };
}

function isOwnPath(returnTo: string): boolean {
  return returnTo.startsWith('/.latchgate/');
}
