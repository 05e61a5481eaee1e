import type { Config } from '../config/schema.ts';
import { hasReaders } from '../config/without-people.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import type { TargetPlan } from '../mapping/explain-json.ts';
import { compileMapping, type Mapping } from '../mapping/mapping.ts';
import { compileNamable } from '../mapping/namable.ts';
import type { ActualAccount } from '../model/change.ts';
import type { Decision } from '../model/desired.ts';
import type { ActualEntitlement } from '../model/entitlement.ts';
import type { SubjectKey } from '../model/person.ts';
import { createHttpClient } from '../ops/http.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Signer } from '../ops/keys.ts';
import { createLimiters, type Limiters } from '../ops/limiter.ts';
import { createMetrics, type Metrics } from '../ops/metrics.ts';
import { createSigner } from '../ops/signer.ts';
import { Engine } from '../provisioning/engine.ts';
import type { HoldsDeletion } from '../provisioning/job.ts';
import { compileNeverTouch } from '../provisioning/never-touch.ts';
import { pinText } from '../provisioning/pinned.ts';
import type { ConfiguredTarget } from '../provisioning/runs.ts';
import type { BackendSession } from '../proxy/backend-cookies.ts';
import { isDeletionHeld } from '../scim/store/held.ts';
import { createAuth0Target } from '../targets/auth0/target.ts';
import { createJwksRegistrar, type JwksRegistrar } from '../targets/gooddata/jwks.ts';
import { createGoodDataSignIn } from '../targets/gooddata/sign-in.ts';
import { createGoodDataTarget } from '../targets/gooddata/target.ts';
import type { TargetConfig } from '../targets/schema.ts';
import { createScimTarget } from '../targets/scim/target.ts';
import { createSupersetSession, createSupersetSignIn } from '../targets/superset/sign-in.ts';
import { createSupersetTarget } from '../targets/superset/target.ts';
import type { SignIn } from '../targets/target.ts';
import { invitationsTo } from './invitations.ts';
import { joiningOf } from './owners.ts';
import { permissionsGiven } from './permissions-given.ts';
import { shadowing } from './shadow.ts';
import type { State } from './state.ts';

/**
 * Holders renew theirs three times in this span. What a killed process held passes on after it: well within the time
 * that a login waits for its target, so that the next login repairs what was left half done and is not refused.
 */
export const LEASE_MS = 4_000;

/** Longer than this nobody waits at a login for a backend that asks for patience. */
const LOGIN_WAIT_MS = 3_000;

/** A target with what the proxy needs to sign people in there. */
export interface ComposedTarget extends ConfiguredTarget {
  readonly config: TargetConfig;
  /** Absent: the assertion header alone signs people in. */
  readonly signIn?: SignIn;
  /** Present: the target keeps a session of its own, whose cookie stays on our side. */
  readonly backendSession?: BackendSession;
  /** Absent: the target keeps no keys of ours. */
  readonly registrar?: JwksRegistrar;
}

export interface Engines {
  readonly state: State;
  readonly metrics: Metrics;
  readonly http: HttpClient;
  /** Of every service that is called, shared by all clients. */
  readonly limiters: Limiters;
  readonly mapping: Mapping;
  readonly signer: Signer;
  readonly targets: ReadonlyMap<string, ComposedTarget>;
  readonly engine: Engine;
  /** `safety.never_touch`. */
  readonly neverTouch: (account: ActualAccount) => boolean;
  /** `safety.privileged`. */
  readonly privileged: readonly string[];
  /** Absent: nobody pushes people. */
  readonly holdsDeletion?: HoldsDeletion;
  close(): Promise<void>;
}

/** The mapping, the targets and the engine over them: what serves logins, and what commands plan and disable with. */
export function composeEngine(config: Config, state: State): Engines {
  const { directory, audit, sessions, clock, log } = state;
  const metrics = createMetrics({ processMetrics: true });
  const limiters = createLimiters({ clock });
  const onRetry = () => metrics.httpRetry('targets');
  const isShadow = config.mode === 'shadow';
  const http = createHttpClient({ log, onRetry, limiters, maxWaitMs: LOGIN_WAIT_MS, readOnly: isShadow });
  const { secrets } = config.session;
  const claims = { iss: config.public_url };
  const signer = createSigner({ values: directory.values, name: 'assertion', alg: 'ES256', secrets, clock, claims });
  const targets = new Map<string, ComposedTarget>();
  for (const [name, target] of Object.entries(config.targets)) {
    targets.set(name, composeTarget({ name, target, config, state, http, signer }));
  }
  const mapping = compileMapping(mappingConfigOf(config));
  const { privileged } = config.safety;
  const isManaged = managedBy(config);
  const neverTouch = compileNeverTouch(config.safety.never_touch);
  const holdsDeletion: HoldsDeletion = (person) => isDeletionHeld(state.database, person);
  const holding = config.scim === undefined ? {} : { holdsDeletion };
  const engine = new Engine({
    directory,
    audit,
    mapping,
    match: config.identity.match,
    ...joiningOf(config),
    privileged,
    neverTouch,
    leaseMs: LEASE_MS,
    targets,
    leaver: config.safety.leaver,
    removals: config.safety.stop_if.removals,
    isManaged,
    aliases: aliasesOf(config),
    ...holding,
    clock,
    log,
    metrics,
    ...(isShadow ? { shadow: shadowing(log, metrics) } : {}),
    endSessions: async (person) => void (await sessions.destroyFor({ person })),
  });
  return {
    state,
    metrics,
    http,
    limiters,
    mapping,
    signer,
    targets,
    engine,
    neverTouch,
    privileged,
    ...holding,
    close: async () => {
      await engine.close();
      await http.close();
    },
  };
}

/** Logins whose people somebody else lists or pushes, by their `external_id`. */
function aliasesOf({ sources, scim }: Config): ReadonlySet<string> {
  const clients = Object.values(scim?.clients ?? {});
  return new Set([...Object.values(sources), ...clients].flatMap(({ login }) => login ?? []));
}

/** What counts as ours though the ledger does not know it. */
export function managedBy(config: Config): (target: string, entitlement: ActualEntitlement) => boolean {
  const { manage } = config.safety;
  if (manage === 'mapped') return compileNamable(mappingConfigOf(config));
  return () => manage === 'all';
}

export interface TargetParts {
  readonly name: string;
  readonly target: TargetConfig;
  readonly config: Config;
  readonly state: Pick<State, 'directory' | 'clock' | 'log'>;
  readonly http: HttpClient;
  readonly signer: Signer;
}

export function composeTarget({ name, target, config, state, http, signer }: TargetParts): ComposedTarget {
  const { directory, clock, log } = state;
  const base = { config: target, missing: target.missing, timeoutMs: target.timeout };
  if (target.type === 'superset') {
    const made = createSupersetTarget({ name, config: target, http, signer, publicUrl: config.public_url, clock });
    const isHeader = target.sign_in === 'header';
    return {
      ...base,
      target: made,
      signIn: createSupersetSignIn(target),
      ...(isHeader ? { backendSession: createSupersetSession({ config: target, http }) } : {}),
    };
  }
  if (target.type === 'auth0') {
    const { invite } = target;
    const deliver = invite === undefined ? {} : { deliver: invitationsTo(invite.file) };
    return { ...base, target: createAuth0Target({ name, config: target, http, log, clock, ...deliver }) };
  }
  if (target.type === 'scim') return { ...base, target: createScimTarget({ name, config: target, http, clock }) };
  const givesPermissions = permissionsGiven({ target: name, config, ledger: directory.ledger, clock });
  const made = createGoodDataTarget({ name, config: target, http, log, givesPermissions });
  if (target.sign_in === 'none' || !hasReaders(config)) return { ...base, target: made };
  const { secrets } = config.session;
  const tokens = createSigner({ values: directory.values, name: `gooddata:${name}`, alg: 'RS256', secrets, clock });
  const registrar = createJwksRegistrar({
    config: target,
    deployment: config.public_url,
    signer: tokens,
    http,
    clock,
    log,
  });
  return { ...base, target: made, registrar, signIn: createGoodDataSignIn({ signer: tokens, registrar, clock, log }) };
}

/** What a decision would change in one target, for `explain --target`. Reads the target and the state, writes nothing. */
export async function planFor(
  { state, engine, targets }: Engines,
  decision: Decision,
  target: string,
  subject: SubjectKey,
): Promise<TargetPlan> {
  const configured = targets.get(target);
  const desired = decision.accounts.get(target);
  if (configured === undefined || desired === undefined || decision.decision === 'deny')
    return { changes: [], held: [] };
  const person = (await state.directory.people.bySubject(subject))?.id ?? desired.person;
  const pins = await state.directory.pins.ofAccount(person, target);
  const plan = await engine.preview({ ...desired, person }, configured);
  return pins.length === 0 ? plan : { ...plan, pinned: pins.map(pinText) };
}
