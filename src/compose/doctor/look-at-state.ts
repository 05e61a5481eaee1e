import { existsSync, statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { sql } from 'kysely';
import { toLatchgateError } from '../../model/errors.ts';
import { createTokens } from '../../scim/store/tokens.ts';
import { tokenStanding } from '../../scim/token-expiry.ts';
import type { RedisServers } from '../../session/schema.ts';
import { standingOf } from '../../sync/standing.ts';
import { ownerOf } from '../owners.ts';
import type { State } from '../state.ts';
import { type Examined, type Finding, finding } from './findings.ts';
import { isCode, look, type Patient } from './patient.ts';

const OLDEST_POSTGRES = 130_000;
const OLDEST_REDIS = [6, 2] as const;
/** `f_type` of statfs(2): NFS, SMB, CIFS, SMB2, Ceph, 9p, AFS, FUSE. */
const NETWORK_DISKS: ReadonlySet<number> = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x00c36400, 0x01021997, 0x5346414f, 0x65735546,
]);
const SQLITE = 'sqlite:';

/** The state database, the session store, and what stands in them. `trouble`: why the state could not be opened. `diskTypeOf`: as statfs(2) says it. */
export function lookAtState(
  patient: Patient,
  trouble: unknown,
  diskTypeOf: (folder: string) => number = (folder) => statfsSync(folder).type,
): readonly Promise<Examined>[] {
  const { config, state } = patient;
  const { database } = config.state;
  const { store } = config.session;
  const always = [
    look('state', 'where it is kept', async () => [
      ...onNetworkDisk(database, diskTypeOf),
      ...notShared(database, store),
    ]),
    store === 'embedded' ? undefined : look('session', 'Redis', () => lookAtRedis(store)),
  ];
  return [...always.filter((one) => one !== undefined), ...lookInside(patient, state, trouble)];
}

function lookInside({ config }: Patient, state: State | undefined, trouble: unknown): readonly Promise<Examined>[] {
  if (state === undefined) {
    const { code, message } = toLatchgateError(trouble);
    const seen = `the state database cannot be opened: ${code}, ${message}`;
    return [look('state', 'the database', async () => [finding('state_unreachable', 'state', seen)])];
  }
  return [
    look('state', 'the database', () => lookAtDatabase(state)),
    look('state', 'the audit chain', () => lookAtAudit(state)),
    ...Object.entries(config.sync).map(([name, sync]) =>
      look(`sync.${name}`, 'its last runs', async () => {
        const { ok, reason } = await standingOf(name, sync, { ...state.directory, clock: state.clock });
        return ok ? [] : [finding('sync_trouble', `sync.${name}`, reason)];
      }),
    ),
    ...Object.entries(config.scim?.clients ?? {}).map(([name, client]) =>
      look(`scim.clients.${name}`, 'its tokens', async () => {
        const one = { name, config: client, ownerOf: (owner: string | undefined) => ownerOf(name, owner, config) };
        const { code, reason } = await tokenStanding(one, createTokens(state.database, state.clock), state.clock);
        const found = code === 'scim_token_missing' || code === 'scim_token_expiring' ? code : undefined;
        return found === undefined ? [] : [finding(found, `scim.clients.${name}`, reason)];
      }),
    ),
  ];
}

function onNetworkDisk(database: string, diskTypeOf: (folder: string) => number): readonly Finding[] {
  if (!database.startsWith(SQLITE) || database === `${SQLITE}:memory:`) return [];
  const folder = dirname(database.slice(SQLITE.length));
  if (!existsSync(folder) || !NETWORK_DISKS.has(diskTypeOf(folder))) return [];
  return [finding('state_on_network_disk', 'state', `${folder} is on a network file system`)];
}

/** Whoever shares sessions means to have several instances. */
function notShared(database: string, store: 'embedded' | RedisServers): readonly Finding[] {
  if (!database.startsWith(SQLITE) || store === 'embedded') return [];
  return [
    finding('state_not_shared', 'state', 'sessions are in Redis, for several instances, and the state is in a file'),
  ];
}

async function lookAtDatabase({ database }: State): Promise<readonly Finding[]> {
  await database.probe();
  if (database.engine !== 'postgres') return [];
  const { rows } = await database.run((db) =>
    sql<{ version: string }>`select current_setting('server_version_num') as version`.execute(db),
  );
  const version = Number(rows[0]?.version);
  if (version >= OLDEST_POSTGRES) return [];
  return [finding('postgres_old', 'state', `the server is PostgreSQL ${Math.floor(version / 10_000)}`)];
}

async function lookAtAudit({ audit }: State): Promise<readonly Finding[]> {
  const { firstBad, why } = await audit.verify();
  return firstBad === undefined ? [] : [finding('audit_broken', 'state', `record ${firstBad} does not hold: ${why}`)];
}

async function lookAtRedis(servers: RedisServers): Promise<readonly Finding[]> {
  const { RedisConnection } = await import('../../session/redis-connection.ts');
  const connection = new RedisConnection({ servers, name: 'latchgate-doctor' });
  try {
    const info = await connection.ask((client) => client.info());
    return [...oldRedis(info), ...evictingRedis(info)];
  } catch (thrown) {
    if (!isCode(thrown, 'session_store_unavailable')) throw thrown;
    const node = servers.nodes[0];
    return [
      finding(
        'sessions_unreachable',
        'session',
        `Redis at ${node?.host}:${node?.port} does not answer, or does not let us in`,
      ),
    ];
  } finally {
    connection.close();
  }
}

/** Valkey says `redis_version:7.2.4` beside its own. */
function oldRedis(info: string): readonly Finding[] {
  const [, major, minor] = /^redis_version:(\d+)\.(\d+)/m.exec(info) ?? [];
  if (major === undefined) return [];
  const [oldestMajor, oldestMinor] = OLDEST_REDIS;
  const isNew = Number(major) > oldestMajor || (Number(major) === oldestMajor && Number(minor) >= oldestMinor);
  return isNew ? [] : [finding('redis_old', 'session', `the server is Redis ${major}.${minor}`)];
}

function evictingRedis(info: string): readonly Finding[] {
  const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
  if (policy === undefined || policy === 'noeviction') return [];
  return [finding('redis_evicts', 'session', `maxmemory-policy is ${policy}`)];
}
