import type { Database } from '../directory/database.ts';
import { LatchgateError } from '../model/errors.ts';
import type { Clock } from '../ops/clock.ts';
import type { Log } from '../ops/log.ts';
import { EndedSessions } from './ended.ts';
import { EndedPoll } from './ended-poll.ts';
import { RememberedSessions, runsOutAt } from './remembered.ts';
import { isSessionId, openSession, openTokens, sessionHandle } from './seal.ts';
import {
  chosenBy,
  countRows,
  endRows,
  expired,
  forgetEnded,
  listRows,
  readEnded,
  readRow,
  readTimes,
  readWholeRow,
  sessionRow,
  writeRenewal,
  writeTouch,
  writeUnlessEnded,
} from './session-rows.ts';
import type { PrunedSessions, Session, SessionInfo, SessionSelector, SessionTokens, WholeSession } from './store.ts';

/** How old a record may be that is used without asking the database. */
const FRESH_MS = 1_000;
/** Uses are written once a minute at most. */
const TOUCHES_BEHIND_MS = 60_000;
const PRUNE_EVERY_MS = 60_000;
/** Longer than any call takes: a save that was under way when the session ended does not bring it back. */
const ENDED_KEPT_MS = 15 * 60_000;
/** Of use for a second: nobody has more requests in one than this. */
const CACHED_SESSIONS = 1_500;

export interface EmbeddedSessionsOptions {
  readonly clock: Clock;
  readonly log?: Pick<Log, 'warn'>;
  /** Records kept decrypted in memory. Default 1,500. */
  readonly cached?: number;
}

/**
 * Sessions in the state database, SQLite or PostgreSQL. A record is asked for once a second at most, in between it comes
 * from memory; ended here means refused here at once.
 */
export function createEmbeddedSessions(database: Database, options: EmbeddedSessionsOptions): PrunedSessions {
  return new EmbeddedSessions(database, options);
}

class EmbeddedSessions implements PrunedSessions {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #remembered: RememberedSessions;
  readonly #ended: EndedSessions;
  readonly #poll: EndedPoll;
  readonly #pruning: NodeJS.Timeout;

  constructor(database: Database, options: EmbeddedSessionsOptions) {
    this.#database = database;
    this.#clock = options.clock;
    this.#remembered = new RememberedSessions({
      clock: options.clock,
      limit: options.cached ?? CACHED_SESSIONS,
      freshMs: () => FRESH_MS,
      read: (handle) => readRow(database, handle),
      writeTouch: (...touch) => writeTouch(database, ...touch),
    });
    this.#ended = new EndedSessions((handle) => this.#remembered.forget(handle), options.log);
    this.#poll = new EndedPoll(
      (after) => readEnded(database, after),
      (handle) => this.#ended.announce(handle),
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
    const session = await this.#remembered.load(id, handle);
    return this.#ended.has(handle) ? undefined : session;
  }

  peek(handle: string, idleMs: number): Session | undefined {
    return this.#ended.has(handle) ? undefined : this.#remembered.peek(handle, idleMs);
  }

  async loadWhole(id: string): Promise<WholeSession | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    const row = await readWholeRow(this.#database, handle);
    const now = this.#clock.now();
    if (row === undefined || this.#ended.has(handle)) return undefined;
    // A touch that is not written yet counts.
    const idleUntil = Math.max(row.idle_until, this.#remembered.idleUntil(handle));
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
    if (!(await writeUnlessEnded(this.#database, row))) this.#ended.announce(handle);
    if (this.#ended.has(handle)) return;
    this.#remembered.remember(handle, session, { sealed: row.sealed, idleUntil: row.idle_until, seenAt: now });
  }

  async renew(id: string, session: Session, tokens?: SessionTokens): Promise<boolean> {
    if (!isSessionId(id)) throw new LatchgateError('internal', 'a session id has another shape');
    const handle = sessionHandle(id);
    if (this.#ended.has(handle)) return false;
    const row = sessionRow(id, session, tokens, this.#clock.now(), 0);
    const isThere = await writeRenewal(this.#database, row);
    if (isThere) this.#remembered.renew(handle, session, row.sealed);
    return isThere && !this.#ended.has(handle);
  }

  async runsOutAt(id: string): Promise<number | undefined> {
    if (!isSessionId(id)) return undefined;
    const handle = sessionHandle(id);
    const row = await readTimes(this.#database, handle);
    if (row === undefined || this.#ended.has(handle)) return undefined;
    const idleUntil = Math.max(row.idleUntil, this.#remembered.idleUntil(handle));
    return runsOutAt({ idleUntil, seenAt: row.seenAt }, row.endsAt);
  }

  async touch(id: string, ttlMs: number): Promise<void> {
    if (!isSessionId(id)) return;
    const handle = sessionHandle(id);
    if (!this.#ended.has(handle)) await this.#remembered.touch(handle, ttlMs);
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

  list(person?: string): Promise<readonly SessionInfo[]> {
    return listRows(this.#database, this.#clock.now(), person);
  }

  count(): Promise<number> {
    return countRows(this.#database, this.#clock.now());
  }

  /** The end of a session is written in one transaction with the word of it: `held` has nothing to find. */
  onEnded(listener: (handle: string) => void): () => void {
    const stop = this.#ended.listen(listener);
    this.#poll.start();
    return () => {
      stop();
      if (!this.#ended.isHeard()) this.#poll.stop();
    };
  }

  async probe(): Promise<void> {
    await countRows(this.#database, this.#clock.now());
  }

  async prune(): Promise<number> {
    const now = this.#clock.now();
    // A touch may not be written yet; `load` knows the idle limit without us.
    const pruned = await this.#end(expired(now - TOUCHES_BEHIND_MS, now));
    await forgetEnded(this.#database, now - ENDED_KEPT_MS);
    return pruned;
  }

  /** Stops the timers. The database is its owner's to close. */
  async close(): Promise<void> {
    clearInterval(this.#pruning);
    this.#poll.stop();
  }

  async #end(condition: Parameters<typeof endRows>[1]): Promise<number> {
    const endedAt = this.#clock.now();
    const handles = await endRows(this.#database, condition, endedAt);
    for (const handle of handles) this.#ended.announce(handle);
    return handles.length;
  }
}
