import type { Config } from '../config/schema.ts';
import type { Advisory } from '../ops/health.ts';
import type { GatewayPages } from '../proxy/deps.ts';
import { Failures } from '../proxy/failures.ts';
import { createPeerList, createPeerOf } from '../proxy/peers.ts';
import { isAtOrBelow } from '../proxy/target.ts';
import { rememberAliases } from '../scim/aliases.ts';
import { assertTokens } from '../scim/authentication.ts';
import type { ScimClient } from '../scim/client.ts';
import { Existing } from '../scim/existing.ts';
import { Pushes } from '../scim/pushes.ts';
import type { ScimConfig } from '../scim/schema.ts';
import { ScimServer, WELL_KNOWN } from '../scim/server.ts';
import { heldDeletions } from '../scim/store/held.ts';
import { createTokens } from '../scim/store/tokens.ts';
import { touchRefused } from '../scim/store/users.ts';
import { tokenStanding } from '../scim/token-expiry.ts';
import { countEverywhere } from './counts.ts';
import type { Engines } from './engine.ts';
import type { Job } from './jobs.ts';
import { joiningOf, ownerOf } from './owners.ts';

export interface ComposedScim {
  /** What is at or below them is served here. */
  readonly ownPaths: readonly string[];
  /** Serves the API, and leaves everything else to these. */
  before(pages: GatewayPages): GatewayPages;
  /** Throws `scim_token_missing`. */
  prepare(): Promise<void>;
  /** Whether some client has to show a certificate. */
  readonly asksCertificate: boolean;
  readonly jobs: readonly Job[];
  /** Sets the metrics that all instances show alike. */
  measure(): Promise<void>;
  /** How the tokens of each client stand. */
  readonly advisories: Readonly<Record<string, Advisory>>;
  close(): Promise<void>;
}

const DUE_EVERY_MS = 2_000;
const LOOK_AT_TOKENS_MS = 6 * 3_600_000;

/** Undefined: the config has no `scim`. */
export function composeScim(config: Config, engines: Engines): ComposedScim | undefined {
  const { scim } = config;
  if (scim === undefined) return undefined;
  const { state, metrics } = engines;
  const { clock, log, database } = state;
  const clients = clientsOf(scim, config);
  const tokens = createTokens(database, clock);
  const pushes = composePushes(scim, config, engines, clients);
  const preview: Engines['engine']['preview'] = (desired, target) => engines.engine.preview(desired, target);
  const joining = joiningOf(config);
  const { directory } = state;
  const existing = new Existing({ ...engines, ...joining, database, directory, clock, preview, waitMs: scim.wait });
  const server = new ScimServer({
    config: scim,
    publicUrl: config.public_url,
    clients,
    tokens,
    clock,
    failedAttempts: new Failures({
      clock,
      trustedProxies: config.trusted_proxies,
      sharedFailures: countEverywhere(state, 'refused scim tokens'),
    }),
    peerOf: createPeerOf(createPeerList(config.trusted_proxies)),
    listOf: createPeerList,
    database,
    together: state.together,
    pushes,
    refuseTaken: ({ client }, coming) => existing.refuse(client, coming),
    metrics,
    log,
  });
  return {
    ownPaths: [scim.path, WELL_KNOWN],
    before: (pages) => (req, res, requestId, path) => {
      if (!isAtOrBelow(path, scim.path) && path !== WELL_KNOWN) return pages(req, res, requestId, path);
      void server.handle(req, res, requestId, path);
    },
    prepare: async () => {
      await assertTokens(clients.values(), tokens, clock);
      const logins = new Set(Object.values(scim.clients).flatMap(({ login }) => login ?? []));
      const deps = { people: state.directory.people, database, mapping: engines.mapping };
      for (const login of logins) await rememberAliases(deps, login);
      await database.run((db) => touchRefused(db, [...clients.keys()]));
    },
    asksCertificate: Object.values(scim.clients).some((client) => client.client_certificates.length > 0),
    jobs: [
      { everyMs: DUE_EVERY_MS, work: () => pushes.carryOutDue() },
      {
        everyMs: LOOK_AT_TOKENS_MS,
        work: async () => {
          for (const client of clients.values()) {
            const { ok, code, reason } = await tokenStanding(client, tokens, clock);
            if (!ok) log.warn('a SCIM client needs a new token', { client: client.name, code, reason });
          }
        },
      },
    ],
    measure: async () => {
      const held = await heldDeletions(database);
      for (const name of clients.keys()) {
        metrics.scimHeld(name, held.filter(({ client }) => client === name).length);
      }
    },
    advisories: Object.fromEntries(
      [...clients.values()].map((client) => [`scim:${client.name}`, () => tokenStanding(client, tokens, clock)]),
    ),
    close: () => pushes.close(),
  };
}

function clientsOf(scim: ScimConfig, config: Config): ReadonlyMap<string, ScimClient> {
  return new Map(
    Object.entries(scim.clients).map(([name, client]) => [
      name,
      { name, config: client, ownerOf: (owner) => ownerOf(name, owner, config) },
    ]),
  );
}

function composePushes(
  scim: ScimConfig,
  config: Config,
  { state, mapping, engine, targets, privileged }: Engines,
  clients: ReadonlyMap<string, ScimClient>,
): Pushes {
  const { together, clock, database, sessions, log } = state;
  const { leaver, stop_if: stopIf } = config.safety;
  return new Pushes({
    together,
    mapping,
    ...joiningOf(config),
    privileged,
    clock,
    targets: [...targets.keys()],
    ...(leaver.now === 'delete' || leaver.deleteAfterMs !== undefined ? { deletions: stopIf.removals } : {}),
    database,
    clients,
    again: (person, target, actor, requestId) => engine.again(person, target, actor, requestId),
    leave: (person, target, actor, requestId) => engine.leave(person, target, actor, requestId),
    endSessions: async (person) => void (await sessions.destroyFor({ person })),
    waitMs: scim.wait,
    log,
  });
}
