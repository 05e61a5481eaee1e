import type { Database } from '../directory/database.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { BoundedMap } from './cache.ts';
import { EndedSessions } from './ended.ts';
import { isSessionId, openSession, openTokens, sessionHandle } from './seal.ts';
import {
  chosenBy,
  endRows,
  expired,
  forgetEnded,
  listRows,
  readEnded,
  readRow,
  readWholeRow,
  sessionRow,
  writeTouch,
  writeUnlessEnded,
} from './session-rows.ts';
import type { Session, SessionInfo, SessionSelector, SessionStore, SessionTokens, WholeSession } from './store.ts';

/** How old a record may be that is used without asking the database. */
const FRESH_MS = 1_000;
const TOUCH_AT_MOST_EVERY_MS = 60_000;
const PRUNE_EVERY_MS = 60_000;
/** Longer than any call takes: a save that was under way when the session ended does not bring it back. */
const ENDED_KEPT_MS = 15 * 60_000;
const CACHED_SESSIONS = 10_000;

export interface EmbeddedSessionsOptions {
  readonly clock: Clock;
  readonly log?: Pick<Log, 'warn'>;
  /** Records kept decrypted in memory. Default 10,000. */
  readonly cached?: number;
}

export interface PrunedSessions extends SessionStore {
  /** Takes out what has run out, and tells the listeners. Runs by itself every minute. */
  prune(): Promise<number>;
}

/**
 * Sessions in the state database, SQLite or PostgreSQL. A record is asked for once a second at most, in between it comes
 * from memory; ended here means refused here at once. Idle times are written once a minute at most (a tenth of the idle
 * limit when that is shorter): after a restart a session may end that much early, never late.
 */
export function createEmbeddedSessions(database: Database, options: EmbeddedSessionsOptions): PrunedSessions {
  return new EmbeddedSessions(database, options);
}

interface Cached {
  readonly session: Session;
  readonly sealed: string;
  readonly checkedAt: number;
  idleUntil: number;
  /** As it is written in the database. */
  seenAt: number;
}

class EmbeddedSessions implements PrunedSessions {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #cache: BoundedMap<Cached>;
  readonly #loading = new Map<string, Promise<Cached | undefined>>();
  readonly #ended: EndedSessions;
  readonly #pruning: NodeJS.Timeout;

  constructor(database: Database, options: EmbeddedSessionsOptions) {
    this.#database = database;
    this.#clock = options.clock;
    this.#cache = new BoundedMap(options.cached ?? CACHED_SESSIONS);
    this.#ended = new EndedSessions(
      (after) => readEnded(database, after),
      (handle) => this.#forget(handle),
      options.log,
    );
    this.#pruning = setInterval(() => {
      this.prune().catch((error: unknown) => options.log?.warn('expired sessions could not be removed', { error }));
    }, PRUNE_EVERY_MS);
    this.#pruning.unref();
  }

  async load(id: string): Promise<Session | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return undefined;
    const cached = this.#cache.get(handle);
    const now = this.#clock.now();
    if (cached !== undefined && isFresh(cached, now)) return isLive(cached, now) ? cached.session : undefined;
    const read = await this.#readOnce(id, handle);
    if (read === undefined || this.#ended.has(handle)) return undefined;
    return isLive(read, this.#clock.now()) ? read.session : undefined;
  }

  async loadWhole(id: string): Promise<WholeSession | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    const row = await readWholeRow(this.#database, handle);
    const now = this.#clock.now();
    if (row === undefined || this.#ended.has(handle)) return undefined;
    // A touch that is not written yet counts.
    const idleUntil = Math.max(row.idle_until, this.#cache.get(handle)?.idleUntil ?? 0);
    if (idleUntil <= now || row.ends_at <= now) return undefined;
    const session = openSession(id, handle, row.sealed);
    const tokens = row.sealed_tokens === null ? {} : openTokens(id, handle, row.sealed_tokens);
    return session === undefined || tokens === undefined ? undefined : { session, tokens };
  }

  async save(id: string, session: Session, ttlMs: number, tokens?: SessionTokens): Promise<void> {
    if (!isSessionId(id)) throw new LatchgateError('internal', 'a session id has another shape');
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return;
    const now = this.#clock.now();
    const row = sessionRow(id, session, tokens, now, ttlMs);
    const saved = await writeUnlessEnded(this.#database, row);
    // What a read under way brings is older than what was just written.
    this.#loading.delete(handle);
    if (!saved) this.#ended.announce(handle);
    else if (!this.#ended.has(handle)) {
      this.#cache.set(handle, {
        session,
        sealed: row.sealed,
        checkedAt: now,
        idleUntil: row.idle_until,
        seenAt: now,
      });
    }
  }

  async touch(id: string, ttlMs: number): Promise<void> {
    if (!isSessionId(id)) return;
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return;
    const now = this.#clock.now();
    // The limit shrinks toward the end of the session, and must not make a write of every request then.
    const writtenBefore = now - Math.min(TOUCH_AT_MOST_EVERY_MS, Math.max(FRESH_MS, ttlMs / 10));
    const cached = this.#cache.get(handle);
    const seenAt = cached?.seenAt;
    if (cached !== undefined) {
      if (!isLive(cached, now)) return;
      cached.idleUntil = now + ttlMs;
      if (cached.seenAt > writtenBefore) return;
      cached.seenAt = now;
    }
    try {
      await writeTouch(this.#database, handle, now, ttlMs, writtenBefore);
    } catch (error) {
      if (cached !== undefined && seenAt !== undefined) cached.seenAt = seenAt;
      throw error;
    }
  }

  async destroy(id: string): Promise<void> {
    if (!isSessionId(id)) return;
    const handle = sessionHandle(id);
    // Before the database has heard of it, and even if it does not: a person who logged out is out here.
    this.#ended.refuse(handle);
    await this.#end(chosenBy({ handle }));
  }

  destroyFor(selector: SessionSelector): Promise<number> {
    return this.#end(chosenBy(selector));
  }

  list(): Promise<readonly SessionInfo[]> {
    return listRows(this.#database, this.#clock.now());
  }

  onEnded(listener: (handle: string) => void): () => void {
    return this.#ended.listen(listener);
  }

  async prune(): Promise<number> {
    const now = this.#clock.now();
    // A touch may not be written yet; `load` knows the idle limit without us.
    const pruned = await this.#end(expired(now - TOUCH_AT_MOST_EVERY_MS, now));
    await forgetEnded(this.#database, now - ENDED_KEPT_MS);
    return pruned;
  }

  /** Stops the timers. The database is its owner's to close. */
  async close(): Promise<void> {
    clearInterval(this.#pruning);
    this.#ended.stop();
  }

  #forget(handle: string): void {
    this.#cache.delete(handle);
    this.#loading.delete(handle);
  }

  #readOnce(id: string, handle: string): Promise<Cached | undefined> {
    const underWay = this.#loading.get(handle);
    if (underWay !== undefined) return underWay;
    const read: Promise<Cached | undefined> = this.#read(id, handle)
      .then((cached) => {
        const isNewest = this.#loading.get(handle) === read;
        if (isNewest && cached !== undefined) this.#cache.set(handle, cached);
        if (isNewest && cached === undefined) this.#cache.delete(handle);
        return cached;
      })
      .finally(() => {
        if (this.#loading.get(handle) === read) this.#loading.delete(handle);
      });
    this.#loading.set(handle, read);
    return read;
  }

  async #read(id: string, handle: string): Promise<Cached | undefined> {
    const checkedAt = this.#clock.now();
    const row = await readRow(this.#database, handle);
    if (row === undefined) return undefined;
    const before = this.#cache.get(handle);
    const same = before !== undefined && before.sealed === row.sealed;
    const session = same ? before.session : openSession(id, handle, row.sealed);
    if (session === undefined) return undefined;
    // A touch that is not written yet counts.
    const idleUntil = same ? Math.max(row.idle_until, before.idleUntil) : row.idle_until;
    return { session, sealed: row.sealed, checkedAt, idleUntil, seenAt: row.last_seen_at };
  }

  async #end(condition: Parameters<typeof endRows>[1]): Promise<number> {
    const endedAt = this.#clock.now();
    const handles = await endRows(this.#database, condition, endedAt);
    for (const handle of handles) this.#ended.announce(handle);
    return handles.length;
  }
}

function isFresh(cached: Cached, now: number): boolean {
  const age = now - cached.checkedAt;
  return age >= 0 && age < FRESH_MS;
}

function isLive(cached: Cached, now: number): boolean {
  return now < cached.idleUntil && now < cached.session.endsAt;
}
