import type { Express, RequestHandler } from 'express';
import { createAuditSearch } from '../audit/search.ts';
import type { Config } from '../config/schema.ts';
import { createConsole } from '../console/console.ts';
import type { ApprovedPlan } from '../console/deps.ts';
import { createConsoleEntrance } from '../console/entrance.ts';
import { createConsoleLogins, ENTRANCE } from '../console/login.ts';
import { compileRoles } from '../console/roles.ts';
import { createConsoleSessions } from '../console/sessions.ts';
import { createConsoleSessionRows } from '../directory/console-sessions.ts';
import type { LoginRoutesOptions } from '../login/context.ts';
import { toLatchgateError } from '../model/errors.ts';
import type { Readiness } from '../ops/health.ts';
import type { Log } from '../ops/log.ts';
import { countedAlone, type MetricValues } from '../ops/metrics.ts';
import { createSessionCookies } from '../session/cookie.ts';
import { concludePlan } from '../sync/decide.ts';
import { applySync } from '../sync/runs.ts';
import { claimedAssertion } from './claimed.ts';
import { composeConsoleDrifts } from './console-drifts.ts';
import { composeEngine, type Engines } from './engine.ts';
import { composeSessions } from './live-sessions.ts';
import { composeProviders } from './providers.ts';
import { composeState, type State } from './state.ts';
import { composeSyncs } from './syncs.ts';

/** The operators' page, for the admin listener. */
export interface ComposedConsole {
  readonly handler: RequestHandler;
  /** Plans that are being applied end early; what was begun is finished. */
  close(): Promise<void>;
}

export interface ComposedLoneConsole extends ComposedConsole {
  /** What operators' work has counted, for `mergeMetrics`. */
  counted(): Promise<MetricValues>;
}

export interface ConsoleParts {
  /** The session at `public_url` to go on with. */
  readonly current: LoginRoutesOptions['current'];
  readonly readiness: () => Promise<Readiness>;
}

/** By which people come to it from the login at `public_url`; nothing, when nobody may use it. */
export function addEntrance(
  app: Express,
  { admin_url: adminUrl, operators, public_url: publicUrl }: Config,
  options: LoginRoutesOptions,
  { directory, clock }: Pick<State, 'directory' | 'clock'>,
): void {
  if (adminUrl === undefined || operators === undefined) return;
  const logins = createConsoleLogins({ adminUrl, publicUrl, handovers: directory.handovers, clock });
  app.use(ENTRANCE, createConsoleEntrance(options, logins, compileRoles(operators)));
}

/** undefined: nobody may use it. */
export function composeConsole(
  config: Config,
  engines: Engines,
  { current, readiness }: ConsoleParts,
): ComposedConsole | undefined {
  const { admin_url: adminUrl, operators, public_url: publicUrl } = config;
  if (adminUrl === undefined || operators === undefined) return undefined;
  const { state, engine, mapping } = engines;
  const { database, directory, audit, clock, log } = state;
  const plans = composeApprovals(config, engines);
  const drifts = composeConsoleDrifts(config, engines);
  const handler = createConsole({
    adminUrl,
    publicUrl,
    logins: createConsoleLogins({ adminUrl, publicUrl, handovers: directory.handovers, clock }),
    sessions: createConsoleSessions({
      adminUrl,
      config: operators,
      rows: createConsoleSessionRows(database),
      roleOf: compileRoles(operators),
      gateway: { store: state.sessions, config: config.session, current },
      people: directory.people,
      clock,
    }),
    directory,
    audit,
    auditSearch: createAuditSearch(database),
    gatewaySessions: state.sessions,
    provisioner: engine,
    sync: config.sync,
    applyApproved: plans.apply,
    drifts,
    tryOut: {
      origins: Object.keys(config.login),
      decide: (origin, claims) => {
        const assertion = claimedAssertion(config, origin, claims, new Date(clock.now()));
        return mapping.map({ person: 'explained', assertions: [assertion], current: origin });
      },
    },
    readiness,
    clock,
    log,
  });
  const close = async (): Promise<void> => {
    await Promise.all([plans.close(), drifts.close()]);
  };
  return { handler, close };
}

/**
 * The same in a process that serves nobody else: what workers do is theirs, and what operators do is done here. undefined
 * as above.
 */
export async function composeLoneConsole(
  config: Config,
  log: Log,
  readiness: () => Promise<Readiness>,
): Promise<ComposedLoneConsole | undefined> {
  if (config.operators === undefined) return undefined;
  const state = await composeState(config, log);
  const engines = composeEngine(config, state);
  const cookies = createSessionCookies({
    publicUrl: config.public_url,
    secrets: config.session.secrets,
    store: state.sessions,
    config: config.session,
    clock: state.clock,
  });
  const providers = await composeProviders(config, state, engines.metrics);
  const live = composeSessions(config, engines, providers, cookies);
  const composed = composeConsole(config, engines, { current: live.pages.current, readiness });
  const close = async (): Promise<void> => {
    await composed?.close();
    await live.close();
    await engines.close();
    await state.close();
  };
  const counted = async (): Promise<MetricValues> => countedAlone(await engines.metrics.values());
  return composed && { handler: composed.handler, counted, close };
}

function composeApprovals(config: Config, engines: Engines) {
  const { directory, clock, log } = engines.state;
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  const work = async ({ id, sync, fingerprint, by, requestId }: ApprovedPlan): Promise<void> => {
    const about = { plan: id, sync, requestId };
    try {
      const { syncs, close } = await composeSyncs(config, engines);
      try {
        const what = { approve: true, expect: fingerprint, actor: by, requestId, stop: stop.signal };
        const { outcome, applied, failed } = await applySync(sync, what, { ...directory, clock, syncs });
        await concludePlan(id, outcome, by, { plans: directory.plans, clock });
        log.info('an approved plan was applied', { ...about, outcome, applied, failed });
      } finally {
        await close();
      }
    } catch (thrown) {
      const error = toLatchgateError(thrown);
      log.warn('an approved plan could not be applied', { ...about, code: error.code, error });
    }
  };
  return {
    apply: (plan: ApprovedPlan): void => {
      const run = work(plan).finally(() => running.delete(run));
      running.add(run);
    },
    close: async (): Promise<void> => {
      stop.abort();
      await Promise.all(running);
    },
  };
}
