import type { Config } from '../config/schema.ts';
import { mappingConfigOf } from '../mapping/config.ts';
import { LatchgateError } from '../model/errors.ts';
import { aliasIssuer, sourceIssuer } from '../model/origin.ts';
import { createHttpClient } from '../ops/http.ts';
import type { HttpClient } from '../ops/http-client.ts';
import type { Source } from '../sources/source.ts';
import { type AdoptSetup, createAdoption } from '../sync/adopt.ts';
import type { StopIf } from '../sync/brake.ts';
import type { SyncOrigin } from '../sync/deciding.ts';
import type { SyncDeps, SyncSetup } from '../sync/setup.ts';
import type { Adoption, Syncs } from '../sync/sync.ts';
import { createSyncs } from '../sync/syncs.ts';
import type { Target } from '../targets/target.ts';
import { type ComposedTarget, composeTarget, type Engines, LEASE_MS, managedBy } from './engine.ts';
import { joiningOf, ownerOf } from './owners.ts';
import { isShadow, planningOnly } from './shadow.ts';
import { composeSource } from './sources.ts';

export interface ComposedSyncs {
  readonly syncs: Syncs;
  readonly adoption: Adoption;
  /** Gives the connections of sources back. */
  close(): Promise<void>;
}

/** One call of a listing may be long. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * The syncs of the config. What plans has a client of its own, which refuses whatever would write; what is to be applied
 * goes out by one that waits for its turn. Nothing goes out before a sync is asked for.
 */
export async function composeSyncs(config: Config, engines: Engines): Promise<ComposedSyncs> {
  const { state, metrics } = engines;
  const common = { log: state.log, onRetry: () => metrics.httpRetry('syncs'), limiters: engines.limiters };
  const http = createHttpClient({ ...common, readOnly: true, maxBytes: MAX_BYTES });
  const patient = createHttpClient({ ...common, readOnly: isShadow(config) });
  const parts: Parts = { config, engines, http, patient, sources: new Map() };
  const deps = depsOf(config, engines);
  const composed: ComposedSyncs = {
    syncs: createSyncs({ ...deps, open: (name) => openSync(name, parts) }),
    adoption: createAdoption({ ...deps, openTargets: (target) => openTargets(target, parts) }),
    close: async () => {
      await Promise.allSettled([...parts.sources.values()].map(async (source) => (await source).close()));
      await http.close();
      await patient.close();
    },
  };
  return isShadow(config) ? planningOnly(composed) : composed;
}

interface Parts {
  readonly config: Config;
  readonly engines: Engines;
  /** Only reads. */
  readonly http: HttpClient;
  /** Waits for as long as a target asks for, as nobody would at a login. */
  readonly patient: HttpClient;
  /** Those that were opened. */
  readonly sources: Map<string, Promise<Source>>;
}

function depsOf(config: Config, engines: Engines): SyncDeps {
  const { state, mapping, targets, engine, neverTouch, privileged, holdsDeletion } = engines;
  const { directory, audit, clock, sessions, together } = state;
  const { safety, identity } = config;
  return {
    directory,
    audit,
    together,
    clock,
    mapping,
    match: identity.match,
    ...joiningOf(config),
    privileged,
    neverTouch,
    isManaged: managedBy(config),
    leaseMs: LEASE_MS,
    ...(holdsDeletion === undefined ? {} : { holdsDeletion }),
    origins: new Set(Object.keys(mappingConfigOf(config).origins)),
    targets,
    leaver: safety.leaver,
    stopIf: stopIfOf(config),
    managesAll: safety.manage === 'all',
    endSessions: async (person) => void (await sessions.destroyFor({ person })),
    again: (person, target, actor, requestId) => engine.again(person, target, actor, requestId),
    leave: (person, target, actor, requestId) => engine.leave(person, target, actor, requestId),
  };
}

export function stopIfOf({ safety }: Pick<Config, 'safety'>): StopIf {
  const { removals, new_users_per_hour: newUsersPerHour } = safety.stop_if;
  return { removals, ...(newUsersPerHour === undefined ? {} : { newUsersPerHour }) };
}

async function openSync(name: string, parts: Parts): Promise<SyncSetup> {
  const { config, engines } = parts;
  const sync = Object.hasOwn(config.sync, name) ? config.sync[name] : undefined;
  const target = sync === undefined ? undefined : engines.targets.get(sync.to);
  if (sync === undefined || target === undefined) {
    throw new LatchgateError('not_found', `there is no sync ${name} in this config`);
  }
  const login = config.sources[sync.from]?.login;
  return {
    name,
    source: await openSource(sync.from, parts),
    origin: originOf(sync.from, config),
    ...(login === undefined ? {} : { login }),
    besides: besides(sync, config),
    planning: targetOver(parts.http, sync.to, target, parts),
    target: targetOver(parts.patient, sync.to, target, parts),
    missing: target.missing,
    timeoutMs: target.timeoutMs,
  };
}

function besides({ from, to }: Config['sync'][string], { safety, sync }: Config): readonly string[] {
  if (safety.manage === 'ours') return [];
  return Object.keys(sync).filter((name) => sync[name]?.to === to && sync[name]?.from !== from);
}

function targetOver(http: HttpClient, name: string, target: ComposedTarget, { config, engines }: Parts): Target {
  const { state, signer } = engines;
  return composeTarget({ name, target: target.config, config, state, http, signer }).target;
}

async function openTargets(only: string | undefined, parts: Parts): Promise<readonly AdoptSetup[]> {
  const { config, engines } = parts;
  const names = [...engines.targets].filter(([name]) => only === undefined || name === only);
  if (names.length === 0) throw new LatchgateError('not_found', `there is no target ${only} in this config`);
  return Promise.all(
    names.map(async ([name, target]) => {
      const syncs = Object.keys(config.sync).filter((sync) => config.sync[sync]?.to === name);
      return {
        name,
        planning: targetOver(parts.http, name, target, parts),
        missing: target.missing,
        syncs: await Promise.all(syncs.map((sync) => openSync(sync, parts))),
      };
    }),
  );
}

function originOf(name: string, config: Config): SyncOrigin {
  const { sources } = config;
  const login = sources[name]?.login;
  return {
    name,
    issuer: login === undefined ? sourceIssuer(name) : aliasIssuer(login),
    ownerOf: (owner) => ownerOf(name, owner, config),
  };
}

function openSource(name: string, { config, engines, http, sources }: Parts): Promise<Source> {
  const known = sources.get(name);
  if (known !== undefined) return known;
  const source = config.sources[name];
  if (source === undefined) throw new LatchgateError('not_found', `there is no source ${name} in this config`);
  const { clock, log } = engines.state;
  const opened = composeSource({ name, config: source, http, clock, log });
  sources.set(name, opened);
  return opened;
}
