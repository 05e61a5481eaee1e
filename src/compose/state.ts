import type { Writable } from 'node:stream';
import type { Audit } from '../audit/audit.ts';
import { createAudit } from '../audit/log.ts';
import type { Config } from '../config/schema.ts';
import { type Database, inOneTransaction, openDatabase } from '../directory/database.ts';
import type { Directory } from '../directory/directory.ts';
import { createDirectory } from '../directory/kysely-directory.ts';
import { spokenAlone } from '../directory/spoken.ts';
import { type Clock, systemClock } from '../ops/clock.ts';
import type { Signer } from '../ops/keys.ts';
import { createLogger, type Log, type LogFields } from '../ops/log.ts';
import { createSigner } from '../ops/signer.ts';
import { createEmbeddedSessions } from '../session/embedded.ts';
import type { SessionStore } from '../session/store.ts';
import { sqlPlace } from '../sources/sql/place.ts';
import type { TargetConfig } from '../targets/schema.ts';
import { composeRecording, isErased } from './claims.ts';
import { isShadow } from './shadow.ts';

const AUDIT_KEY_MS = 365 * 86_400_000;

/** What every command that touches state works with. */
export interface State {
  readonly database: Database;
  /** Several stores in one transaction. */
  readonly together: <T>(
    work: (stores: { readonly database: Database; readonly directory: Directory; readonly audit: Audit }) => Promise<T>,
  ) => Promise<T>;
  readonly directory: Directory;
  readonly audit: Audit;
  /** Signs how far the audit has come. Its old keys are kept: what they signed is to be verified for years. */
  readonly auditSigner: Signer;
  readonly sessions: SessionStore;
  readonly clock: Clock;
  readonly log: Log;
  close(): Promise<void>;
}

/** To standard output unless `stream` says else, with these fields in every line. Knows every secret of the config, to hide it. */
export function composeLog(config: Config, stream?: Writable, fields?: LogFields): Log {
  const to = stream === undefined ? {} : { stream };
  const always = fields === undefined ? {} : { fields };
  return createLogger({ level: config.log.level, secrets: secretsOf(config), ...to, ...always });
}

/** Opens the state database and what lives in it. Throws `state_unavailable`, `state_too_new`. */
export async function composeState(config: Config, log: Log): Promise<State> {
  const clock = systemClock;
  const database = await openDatabase(config.state.database, { log, erases: isErased(config) });
  const record = composeRecording(config);
  // What was fed counts where nothing is written.
  const directoryOf = (within: Database): Directory =>
    isShadow(config) ? createDirectory(within, clock, record) : spokenAlone(createDirectory(within, clock, record));
  const directory = directoryOf(database);
  const sessions = await composeSessions(config, database, log);
  const auditSigner = createSigner({
    values: directory.values,
    name: 'audit',
    alg: 'ES256',
    secrets: config.session.secrets,
    clock,
    claims: { iss: config.public_url },
    typ: 'latchgate-audit+jwt',
    rotateAfterMs: AUDIT_KEY_MS,
    keepAfterMs: Number.POSITIVE_INFINITY,
  });
  return {
    database,
    together: (work) =>
      inOneTransaction(database, (within) =>
        work({ database: within, directory: directoryOf(within), audit: createAudit(within, clock) }),
      ),
    directory,
    audit: createAudit(database, clock, auditSigner),
    auditSigner,
    sessions,
    clock,
    log,
    close: async () => {
      await sessions.close();
      await directory.close();
    },
  };
}

async function composeSessions({ session }: Config, database: Database, log: Log): Promise<SessionStore> {
  const options = { clock: systemClock, log };
  if (session.store === 'embedded') return createEmbeddedSessions(database, options);
  // Here, so that its client takes memory only where it is used.
  const { createRedisSessions } = await import('../session/redis.ts');
  return createRedisSessions(session.store, options);
}

/** What must never be seen in a log, wherever it turns up. */
function secretsOf(config: Config): string[] {
  const logins = Object.values(config.login).flatMap((login) =>
    login.type === 'saml'
      ? [login.signing_key, login.decryption_key, login.other_decryption_key]
      : [login.client_secret, login.private_key],
  );
  const sources = Object.values(config.sources).flatMap(sourceSecrets);
  const targets = Object.values(config.targets).map(secretOfTarget);
  const { store, secrets } = config.session;
  const redis = store === 'embedded' ? [] : [store.password, store.sentinelPassword];
  const tokens = Object.values(config.scim?.clients ?? {}).flatMap((client) => client.tokens);
  const hooks = Object.values(config.audit.deliver).flatMap((to) => (to.type === 'webhook' ? to.secrets : []));
  const fronts = config.forward_auth?.secrets ?? [];
  const all = [
    ...secrets,
    ...fronts,
    ...hooks,
    ...tokens,
    ...logins,
    ...targets,
    ...sources,
    ...redis,
    databasePassword(config),
  ];
  return all.filter((secret) => secret !== undefined);
}

function sourceSecrets(source: Config['sources'][string]): (string | undefined)[] {
  switch (source.type) {
    case 'file':
      return [];
    case 'auth0':
    case 'keycloak':
      return [source.client_secret];
    case 'scim':
      return [source.token];
    case 'sql':
      return [source.url, source.password, sqlPlace(source).password];
  }
}

function secretOfTarget(target: TargetConfig): string | undefined {
  if (target.type === 'auth0') return target.client_secret;
  return target.type === 'superset' ? target.service_password : target.token;
}

function databasePassword({ state: { database } }: Config): string | undefined {
  const password = database.startsWith('sqlite:') || !URL.canParse(database) ? '' : new URL(database).password;
  return password === '' ? undefined : password;
}
