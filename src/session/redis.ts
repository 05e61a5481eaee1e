import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { EndedSessions } from './ended.ts';
import { RedisConnection } from './redis-connection.ts';
import { EventReader, publish } from './redis-events.ts';
import { ALL_KEY, listKey } from './redis-keys.ts';
import {
  batches,
  countRecords,
  type EndOptions,
  endRecord,
  expiredHandles,
  goneOf,
  listedIn,
  listRecords,
  probeWrite,
  readRecord,
  readTimes,
  readWholeRecord,
  relist,
  renewRecord,
  saveRecord,
  touchRecord,
  unlist,
} from './redis-records.ts';
import { RememberedSessions, runsOutAt } from './remembered.ts';
import type { RedisServers } from './schema.ts';
import { isSessionId, openSession, openTokens, sessionHandle } from './seal.ts';
import type { PrunedSessions, Session, SessionInfo, SessionSelector, SessionTokens, WholeSession } from './store.ts';

/** How old a record may be that is used without asking, while every end and change is heard of. */
const FRESH_MS = 30_000;
/** The same while they may be missed. */
const FRESH_UNHEARD_MS = 1_000;
const PRUNE_EVERY_MS = 60_000;
const RECHECK_EVERY_MS = 30_000;
/** An end is written once more after this: a failover may have lost it. */
const SAY_AGAIN_AFTER_MS = 10_000;
const SAID_KEPT = 10_000;
const CACHED_SESSIONS = 3_000;

export interface RedisSessionsOptions {
  readonly clock: Clock;
  readonly log?: Pick<Log, 'warn' | 'info'>;
  /** Records kept decrypted in memory. Default 3,000. */
  readonly cached?: number;
}

/**
 * Sessions in Redis, for any number of instances. Ends and changes are pushed to all of them. As long as they arrive, a
 * record in memory is used without asking; else Redis is asked for it once a second. Connects by itself, again and again.
 */
export function createRedisSessions(servers: RedisServers, options: RedisSessionsOptions): PrunedSessions {
  return new RedisSessions(servers, options);
}

class RedisSessions implements PrunedSessions {
  readonly #connection: RedisConnection;
  readonly #events: EventReader;
  readonly #clock: Clock;
  readonly #log: Pick<Log, 'warn' | 'info'> | undefined;
  readonly #remembered: RememberedSessions;
  readonly #ended: EndedSessions;
  readonly #timers: readonly NodeJS.Timeout[];
  #said: { readonly handle: string; readonly at: number }[] = [];

  constructor(servers: RedisServers, { clock, log, cached }: RedisSessionsOptions) {
    const connection = new RedisConnection({ servers, name: 'latchgate', log });
    this.#connection = connection;
    this.#clock = clock;
    this.#log = log;
    this.#events = new EventReader({
      open: () => new RedisConnection({ servers, name: 'latchgate-events', log: undefined }),
      onEvent: (event, handle) => (event === 'ended' ? this.#ended.announce(handle) : this.#remembered.forget(handle)),
      onGap: () => this.#onGap(),
    });
    this.#remembered = new RememberedSessions({
      clock,
      limit: cached ?? CACHED_SESSIONS,
      freshMs: () => (this.#events.isCurrent() ? FRESH_MS : FRESH_UNHEARD_MS),
      read: (handle) => readRecord(connection, handle),
      writeTouch: async (handle, ...touch) => {
        if (!(await touchRecord(connection, handle, ...touch))) this.#remembered.forget(handle);
      },
    });
    this.#ended = new EndedSessions((handle) => this.#remembered.forget(handle), log);
    this.#timers = [
      this.#every(PRUNE_EVERY_MS, 'expired sessions could not be removed', () => this.prune()),
      this.#every(RECHECK_EVERY_MS, 'open sessions could not be checked', () => this.#recheck()),
      // Silent when it fails: it is tried again, and an outage is in the log already.
      this.#every(SAY_AGAIN_AFTER_MS / 2, undefined, () => this.#sayAgain()),
    ];
  }

  async load(id: string): Promise<Session | undefined> {
    if (!isSessionId(id)) return undefined;
    this.#events.start();
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return undefined;
    const session = await this.#remembered.load(id, handle);
    return this.#ended.has(handle) ? undefined : session;
  }

  peek(handle: string, idleMs: number): Session | undefined {
    return this.#ended.has(handle) ? undefined : this.#remembered.peek(handle, idleMs);
  }

  async loadWhole(id: string): Promise<WholeSession | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    const record = await readWholeRecord(this.#connection, handle);
    const now = this.#clock.now();
    if (record === undefined || this.#ended.has(handle)) return undefined;
    const { sealed, sealedTokens, endsAt } = record;
    // A touch that is not written yet counts.
    const idleUntil = Math.max(record.idleUntil, this.#remembered.idleUntil(handle));
    if (idleUntil <= now || endsAt <= now) return undefined;
    const session = openSession(id, handle, sealed);
    const tokens = sealedTokens === undefined ? {} : openTokens(id, handle, sealedTokens);
    return session === undefined || tokens === undefined ? undefined : { session, tokens };
  }

  async save(id: string, session: Session, ttlMs: number, tokens?: SessionTokens): Promise<void> {
    if (!isSessionId(id)) throw new LatchgateError('internal', 'a session id has another shape');
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return;
    const now = this.#clock.now();
    try {
      const said = await saveRecord(this.#connection, { id, handle, session, tokens, now, ttlMs });
      if (said === 'ended') this.#ended.announce(handle);
      if (said === 'replaced') await publish(this.#connection, 'changed', [handle]);
    } finally {
      // Not remembered: what another instance may have written at the same time would not be seen.
      this.#remembered.forget(handle);
    }
  }

  async renew(id: string, session: Session, tokens?: SessionTokens): Promise<boolean> {
    if (!isSessionId(id)) throw new LatchgateError('internal', 'a session id has another shape');
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return false;
    try {
      const isThere = await renewRecord(this.#connection, { id, handle, session, tokens, now: this.#clock.now() });
      if (isThere) await publish(this.#connection, 'changed', [handle]);
      return isThere && !this.#ended.has(handle);
    } finally {
      this.#remembered.forget(handle);
    }
  }

  async runsOutAt(id: string): Promise<number | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    const times = await readTimes(this.#connection, handle);
    if (times === undefined || this.#ended.has(handle)) return undefined;
    const idleUntil = Math.max(times.idleUntil, this.#remembered.idleUntil(handle));
    return runsOutAt({ idleUntil, seenAt: times.seenAt }, times.endsAt);
  }

  async touch(id: string, ttlMs: number): Promise<void> {
    if (!isSessionId(id)) return;
    const handle = sessionHandle(id);
    if (!this.#ended.has(handle)) await this.#remembered.touch(handle, ttlMs);
  }

  async destroy(id: string): Promise<void> {
    if (!isSessionId(id)) return;
    const handle = sessionHandle(id);
    // Before Redis has heard of it, and even if it does not: a person who logged out is out here.
    this.#ended.refuse(handle);
    await this.#end([handle]);
  }

  async destroyFor(selector: SessionSelector): Promise<number> {
    if ('handle' in selector) return this.#end([selector.handle]);
    const list = listKey(selector);
    return this.#end(await listedIn(this.#connection, list), list === ALL_KEY ? {} : { ifIn: list });
  }

  list(person?: string): Promise<readonly SessionInfo[]> {
    const list = person === undefined ? ALL_KEY : listKey({ person });
    return listRecords(this.#connection, this.#clock.now(), list);
  }

  count(): Promise<number> {
    return countRecords(this.#connection, this.#clock.now());
  }

  onEnded(listener: (handle: string) => void, held?: () => Iterable<string>): () => void {
    this.#events.start();
    return this.#ended.listen(listener, held);
  }

  probe(): Promise<void> {
    return probeWrite(this.#connection);
  }

  async prune(): Promise<number> {
    return this.#end(await expiredHandles(this.#connection, this.#clock.now()), { ifExpired: true });
  }

  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.#events.close();
    this.#connection.close();
  }

  /** Ends them, tells everybody, and only then takes them out of the lists: who tries again finds them there. */
  async #end(handles: readonly string[], options: EndOptions = {}): Promise<number> {
    let count = 0;
    for (const some of batches(handles)) count += await this.#endSome(some, options);
    return count;
  }

  async #endSome(handles: readonly string[], options: EndOptions): Promise<number> {
    const { ifExpired = false, ifIn } = options;
    // Also when it fails now: whoever logged out while Redis was away is out when it is back.
    if (!ifExpired && ifIn === undefined) this.#remember(handles);
    const now = this.#clock.now();
    const said = await Promise.allSettled(handles.map((handle) => endRecord(this.#connection, handle, now, options)));
    const results = said.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const ended = results.filter(({ until }) => until === undefined);
    const names = ended.map(({ handle }) => handle);
    if (ifIn !== undefined) this.#remember(names);
    await publish(this.#connection, 'ended', names);
    for (const handle of names) this.#ended.announce(handle);
    await unlist(this.#connection, ended, ifIn === undefined ? [ALL_KEY] : [ALL_KEY, ifIn]);
    for (const { handle, until } of results) {
      if (until !== undefined) await relist(this.#connection, handle, until);
    }
    for (const one of said) if (one.status === 'rejected') throw one.reason;
    return ended.filter(({ existed }) => existed || ifExpired).length;
  }

  #remember(handles: readonly string[]): void {
    const at = this.#clock.now();
    this.#said = [...this.#said, ...handles.map((handle) => ({ handle, at }))].slice(-SAID_KEPT);
  }

  async #sayAgain(): Promise<void> {
    const before = this.#clock.now() - SAY_AGAIN_AFTER_MS;
    const due = this.#said.filter(({ at }) => at <= before);
    for (const some of batches(due)) {
      const now = this.#clock.now();
      const handles = some.map(({ handle }) => handle);
      await Promise.all(handles.map((handle) => endRecord(this.#connection, handle, now)));
      await publish(this.#connection, 'ended', handles);
      const done = new Set(some);
      this.#said = this.#said.filter((one) => !done.has(one));
    }
  }

  #onGap(): void {
    this.#remembered.forgetAll();
    this.#recheck().catch((error: unknown) => this.#log?.warn('open sessions could not be checked', { error }));
  }

  /** The word of an end can be lost: an instance that dies before it is said, or a server that is replaced. */
  async #recheck(): Promise<void> {
    for (const handle of await goneOf(this.#connection, this.#ended.held(), this.#clock.now())) {
      this.#ended.announce(handle);
    }
  }

  #every(ms: number, complaint: string | undefined, work: () => Promise<unknown>): NodeJS.Timeout {
    const timer = setInterval(() => {
      work().catch((error: unknown) => {
        if (complaint !== undefined) this.#log?.warn(complaint, { error });
      });
    }, ms);
    return timer.unref();
  }
}
