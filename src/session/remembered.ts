import { createHash } from 'node:crypto';
import type { Clock } from '../ops/clock.ts';
import { BoundedMap } from './cache.ts';
import { openSession } from './seal.ts';
import type { Session } from './store.ts';

const TOUCH_AT_MOST_EVERY_MS = 60_000;
const TOUCH_AT_LEAST_EVERY_MS = 1_000;

/** A record as a store holds it. Times are milliseconds since the epoch. */
export interface StoredSession {
  readonly sealed: string;
  readonly idleUntil: number;
  /** When its use was last written. */
  readonly seenAt: number;
}

export interface RememberedSessionsOptions {
  readonly clock: Clock;
  /** Records kept decrypted. */
  readonly limit: number;
  /** How old a record may be that is used without asking the store, at this moment. */
  readonly freshMs: () => number;
  readonly read: (handle: string) => Promise<StoredSession | undefined>;
  /** Writes a use, unless one was written after `writtenBefore`. */
  readonly writeTouch: (handle: string, now: number, ttlMs: number, writtenBefore: number) => Promise<void>;
}

interface Remembered {
  readonly session: Session;
  /** Of the sealed text that it was opened from, which itself would take as much room as the session. */
  readonly hash: string;
  readonly checkedAt: number;
  idleUntil: number;
  seenAt: number;
}

/**
 * The part of a session store that all of them share: what was read is used for a moment, callers at once share one
 * read, and uses are written once a minute at most (a tenth of the idle limit when that is shorter). After a restart a
 * session may end that much early, never late.
 */
export class RememberedSessions {
  readonly #options: RememberedSessionsOptions;
  readonly #records: BoundedMap<Remembered>;
  readonly #reading = new Map<string, Promise<Remembered | undefined>>();

  constructor(options: RememberedSessionsOptions) {
    this.#options = options;
    this.#records = new BoundedMap(options.limit);
  }

  async load(id: string, handle: string): Promise<Session | undefined> {
    const { clock, freshMs } = this.#options;
    const known = this.#records.get(handle);
    const now = clock.now();
    if (known !== undefined && isFresh(known, now, freshMs()) && isLive(known, now)) return known.session;
    const read = await this.#readOnce(id, handle);
    return read !== undefined && isLive(read, clock.now()) ? read.session : undefined;
  }

  /** As `load` and `touch`, when neither has to ask or write anything; else undefined. */
  peek(handle: string, idleMs: number): Session | undefined {
    const known = this.#records.get(handle);
    if (known === undefined) return undefined;
    const now = this.#options.clock.now();
    if (!isFresh(known, now, this.#options.freshMs()) || !isLive(known, now)) return undefined;
    const ttlMs = Math.min(idleMs, known.session.endsAt - now);
    if (known.seenAt <= writtenBefore(now, ttlMs)) return undefined;
    known.idleUntil = now + ttlMs;
    return known.session;
  }

  async touch(handle: string, ttlMs: number): Promise<void> {
    const { clock, writeTouch } = this.#options;
    const now = clock.now();
    const before = writtenBefore(now, ttlMs);
    const known = this.#records.get(handle);
    const seenAt = known?.seenAt;
    if (known !== undefined) {
      if (!isLive(known, now)) return;
      known.idleUntil = now + ttlMs;
      if (known.seenAt > before) return;
      known.seenAt = now;
    }
    try {
      await writeTouch(handle, now, ttlMs, before);
    } catch (error) {
      if (known !== undefined && seenAt !== undefined) known.seenAt = seenAt;
      throw error;
    }
  }

  /** What was written here just now. */
  remember(handle: string, session: Session, stored: StoredSession): void {
    // What a read under way brings is older.
    this.#reading.delete(handle);
    const { sealed, idleUntil, seenAt } = stored;
    this.#records.set(handle, { session, hash: hashOf(sealed), checkedAt: seenAt, idleUntil, seenAt });
  }

  /** Another record of a session that is used as before. What is not remembered is read when it is needed. */
  renew(handle: string, session: Session, sealed: string): void {
    this.#reading.delete(handle);
    const known = this.#records.get(handle);
    if (known !== undefined) this.#records.set(handle, { ...known, session, hash: hashOf(sealed) });
  }

  /** The idle limit with uses that are not written yet; 0 when nothing is known of it. */
  idleUntil(handle: string): number {
    return this.#records.get(handle)?.idleUntil ?? 0;
  }

  forget(handle: string): void {
    this.#records.delete(handle);
    this.#reading.delete(handle);
  }

  forgetAll(): void {
    this.#records.clear();
    this.#reading.clear();
  }

  #readOnce(id: string, handle: string): Promise<Remembered | undefined> {
    const underWay = this.#reading.get(handle);
    if (underWay !== undefined) return underWay;
    const read: Promise<Remembered | undefined> = this.#read(id, handle)
      .then((record) => {
        const isNewest = this.#reading.get(handle) === read;
        if (isNewest && record !== undefined) this.#records.set(handle, record);
        if (isNewest && record === undefined) this.#records.delete(handle);
        return record;
      })
      .finally(() => {
        if (this.#reading.get(handle) === read) this.#reading.delete(handle);
      });
    this.#reading.set(handle, read);
    return read;
  }

  async #read(id: string, handle: string): Promise<Remembered | undefined> {
    const checkedAt = this.#options.clock.now();
    const stored = await this.#options.read(handle);
    if (stored === undefined) return undefined;
    const { sealed, seenAt } = stored;
    const hash = hashOf(sealed);
    const before = this.#records.get(handle);
    const same = before !== undefined && before.hash === hash;
    const session = same ? before.session : openSession(id, handle, sealed);
    if (session === undefined) return undefined;
    // A touch that is not written yet counts.
    const idleUntil = same ? Math.max(stored.idleUntil, before.idleUntil) : stored.idleUntil;
    return { session, hash, checkedAt, idleUntil, seenAt };
  }
}

/** A use that was written before is to be written again. The limit shrinks toward the end of a session, and must not make a write of every request then. */
function writtenBefore(now: number, ttlMs: number): number {
  return now - unwrittenFor(ttlMs);
}

/** How long uses may go on after the last one that was written. */
function unwrittenFor(ttlMs: number): number {
  return Math.min(TOUCH_AT_MOST_EVERY_MS, Math.max(TOUCH_AT_LEAST_EVERY_MS, ttlMs / 10));
}

/** As `SessionStore.runsOutAt`, of what a store holds; all in milliseconds since the epoch. */
export function runsOutAt(stored: Pick<StoredSession, 'idleUntil' | 'seenAt'>, endsAt: number): number {
  const { idleUntil, seenAt } = stored;
  return Math.min(endsAt, idleUntil + unwrittenFor(idleUntil - seenAt));
}

function isFresh(record: Remembered, now: number, freshMs: number): boolean {
  const age = now - record.checkedAt;
  return age >= 0 && age < freshMs;
}

function isLive(record: Remembered, now: number): boolean {
  return now < record.idleUntil && now < record.session.endsAt;
}

function hashOf(sealed: string): string {
  return createHash('sha256').update(sealed).digest('base64url');
}
