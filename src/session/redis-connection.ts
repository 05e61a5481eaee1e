import { createHash } from 'node:crypto';
import { Cluster, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { LatchgateError } from '../model/errors.ts';
import type { Log } from '../ops/log.ts';
import type { RedisServers } from './schema.ts';

/** How long an answer may take, and how long a lost connection is waited for. */
const ANSWER_MS = 1_000;
/** The first connection may have to ask sentinels and shake hands by TLS. */
const FIRST_CONNECT_MS = 3_000;
/** A socket that says nothing while something was asked is a dead one. */
const SILENCE_MS = 1_500;
const LONGEST_RETRY_MS = 500;
const REOPEN_MS = 500;

/** A step that Redis takes as a whole, on one key. */
export interface Script {
  readonly lua: string;
  readonly sha: string;
}

export function script(lua: string): Script {
  return { lua, sha: createHash('sha1').update(lua).digest('hex') };
}

export type RedisClient = Redis | Cluster;

export interface RedisConnectionOptions {
  readonly servers: RedisServers;
  /** What CLIENT LIST shows. */
  readonly name: string;
  readonly log?: Pick<Log, 'warn' | 'info'> | undefined;
}

/**
 * One connection (in a cluster: one to each node) that opens itself again for good. Nothing is queued while it is down:
 * what is asked waits for it a second after it was lost, then fails at once.
 */
export class RedisConnection {
  readonly #client: RedisClient;
  readonly #log: Pick<Log, 'warn' | 'info'> | undefined;
  readonly #waiting = new Set<() => void>();
  #closed = false;
  #reopening: NodeJS.Timeout | undefined;
  /** When it was lost, and until when that may be a moment's interruption; undefined while it is there. */
  #lost: { readonly at: number; readonly patientUntil: number; reported: boolean } | undefined;
  #lastError: unknown;

  constructor(options: RedisConnectionOptions) {
    this.#log = options.log;
    const now = performance.now();
    this.#lost = { at: now, patientUntil: now + FIRST_CONNECT_MS, reported: false };
    this.#client = open(options);
    this.#client.on('error', (error: unknown) => this.#onError(error));
    this.#client.on('node error', (error: unknown) => this.#onError(error));
    this.#client.on('ready', () => this.#onReady());
    this.#client.on('close', () => this.#onLost());
    this.#client.on('end', () => this.#onEnd());
  }

  /** Throws `session_store_unavailable` when there is no answer within about a second. */
  async ask<T>(question: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      if (this.#client.status !== 'ready') await this.#readiness();
      return await within(ANSWER_MS, question(this.#client));
    } catch (error) {
      throw unavailable(error);
    }
  }

  /** Runs a script on one key. */
  run(step: Script, key: string, ...args: readonly (string | number)[]): Promise<unknown> {
    return this.ask(async (client) => {
      try {
        return await client.evalsha(step.sha, 1, key, ...args);
      } catch (error) {
        if (!String((error as Error).message).startsWith('NOSCRIPT')) throw error;
        return client.eval(step.lua, 1, key, ...args);
      }
    });
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#reopening);
    this.#client.disconnect();
    this.#wake();
  }

  #readiness(): Promise<void> {
    const patience = (this.#lost?.patientUntil ?? 0) - performance.now();
    return new Promise((resolve, reject) => {
      if (this.#closed || patience <= 0) return reject(this.#lastError ?? new Error('there is no connection'));
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(settle);
        if (this.#client.status === 'ready') resolve();
        else reject(this.#lastError ?? new Error('there is no connection'));
      };
      const timer = setTimeout(settle, patience);
      this.#waiting.add(settle);
    });
  }

  #wake(): void {
    for (const settle of this.#waiting) settle();
  }

  #onError(error: unknown): void {
    this.#lastError = error;
    if (this.#lost === undefined || this.#lost.reported || this.#closed) return;
    this.#lost.reported = true;
    this.#log?.warn('the session store does not answer', { error });
  }

  #onReady(): void {
    const lost = this.#lost;
    this.#lost = undefined;
    this.#lastError = undefined;
    if (lost?.reported) {
      this.#log?.info('the session store answers again', { afterMs: Math.round(performance.now() - lost.at) });
    }
    this.#wake();
  }

  #onLost(): void {
    if (this.#lost !== undefined) return;
    const now = performance.now();
    this.#lost = { at: now, patientUntil: now + ANSWER_MS, reported: false };
  }

  /** The client gives up for good on some errors. We do not. */
  #onEnd(): void {
    this.#onLost();
    if (this.#closed) return;
    clearTimeout(this.#reopening);
    this.#reopening = setTimeout(() => {
      this.#client.connect().catch((error: unknown) => this.#onError(error));
    }, REOPEN_MS);
    this.#reopening.unref();
  }
}

function open({ servers, name }: RedisConnectionOptions): RedisClient {
  const { kind, nodes, master, database, username, password, sentinelPassword, ca } = servers;
  const tls = servers.tls ? { tls: ca === undefined ? {} : { ca } } : {};
  const common: RedisOptions = {
    ...tls,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    connectionName: name,
    disableClientInfo: true,
    connectTimeout: ANSWER_MS,
    commandTimeout: ANSWER_MS,
    socketTimeout: SILENCE_MS,
    // What was asked over a connection that is lost is answered by an error, not asked again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
  };
  if (kind === 'cluster') {
    const cluster = new Cluster([...nodes], { ...CLUSTER, redisOptions: common });
    return cluster.on('+node', heardToTheEnd);
  }
  const own: RedisOptions = {
    ...common,
    db: database,
    enableOfflineQueue: false,
    retryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RETRY_MS),
    // After a failover the former master may still hold the connection, read-only.
    reconnectOnError: (error) => /^(READONLY|LOADING|MASTERDOWN)/.test(error.message),
  };
  if (kind === 'single') return heardToTheEnd(new Redis({ ...own, ...nodes[0] }));
  const redis = new Redis({
    ...own,
    sentinels: [...nodes],
    name: master as string,
    enableTLSForSentinelMode: servers.tls,
    ...(servers.tls ? { sentinelTLS: tls.tls ?? {} } : {}),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    sentinelCommandTimeout: ANSWER_MS,
    sentinelRetryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RETRY_MS),
  });
  return heardToTheEnd(redis);
}

/**
 * A socket that is closed in its handshake may fail twice: by the certificate, and by what the server says to the end.
 * ioredis hears the first error of a socket alone, and one that nobody hears ends the process.
 */
function heardToTheEnd(client: Redis): Redis {
  return client.on('error', () => {
    const { stream } = client;
    if (stream?.listenerCount('error') === 0) stream.on('error', () => undefined);
  });
}

const CLUSTER: ClusterOptions = {
  enableOfflineQueue: false,
  clusterRetryStrategy: (attempt) => Math.min(50 * attempt, LONGEST_RETRY_MS),
  slotsRefreshTimeout: ANSWER_MS,
  // Names are looked up when they are connected to: certificates are for names.
  dnsLookup: (address, callback) => callback(null, address),
};

async function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    clearTimeout(timer);
  }
}

function unavailable(cause: unknown): LatchgateError {
  return new LatchgateError('session_store_unavailable', 'the session store does not answer', { cause });
}
