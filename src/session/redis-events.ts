import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisConnection } from './redis-connection.ts';
import { EVENTS_KEY } from './redis-keys.ts';

/** Far more than can come while a reader is away for a moment; one that was away for longer trusts nothing anyway. */
const EVENTS_KEPT = 100_000;
const ENTRIES_AT_ONCE = 1_000;
/** A read waits this long for something to happen. */
const BLOCK_MS = 250;
/** What the last answered read cannot vouch for. */
const CURRENT_MS = 1_000;
const RETRY_MS = 100;
const BEGINNING = '0-0';

export type SessionEvent = 'ended' | 'changed';

/** Tells every instance, this one too. */
export async function publish(
  connection: RedisConnection,
  event: SessionEvent,
  handles: readonly string[],
): Promise<void> {
  if (handles.length === 0) return;
  const fields = handles.flatMap((handle) => [event, handle]);
  await connection.ask((client) => client.xadd(EVENTS_KEY, 'MAXLEN', '~', EVENTS_KEPT, '*', ...fields));
}

export interface EventReaderOptions {
  /** Reads block: they need a connection of their own. */
  readonly open: () => RedisConnection;
  readonly onEvent: (event: SessionEvent, handle: string) => void;
  /** Reading begins, or goes on after a failure: what was remembered until now may be wrong. */
  readonly onGap: () => void;
}

/** Reads the events of all instances from where it stopped, over a connection of its own. */
export class EventReader {
  readonly #options: EventReaderOptions;
  #connection: RedisConnection | undefined;
  #reading: Promise<void> | undefined;
  #position: string | undefined;
  /** When the last read was sent that has brought everything; by the monotonic clock. */
  #currentAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: EventReaderOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#connection !== undefined || this.#closed) return;
    this.#connection = this.#options.open();
    this.#reading = this.#readOn(this.#connection);
  }

  /** Whether everything is known that happened until a second ago. */
  isCurrent(): boolean {
    return performance.now() - this.#currentAt < CURRENT_MS;
  }

  /** When the read that is under way has come back, which takes no longer than it blocks. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#reading;
    this.#currentAt = Number.NEGATIVE_INFINITY;
    this.#connection?.close();
  }

  async #readOn(connection: RedisConnection): Promise<void> {
    let isContinuous = false;
    while (!this.#closed) {
      try {
        if (!isContinuous) await this.#takePosition(connection);
        isContinuous = true;
        await this.#read(connection);
      } catch {
        isContinuous = false;
        await sleep(RETRY_MS, undefined, { ref: false });
      }
    }
  }

  /** Behind the last event, or where we stopped. A server that has lost its last events begins before that again. */
  async #takePosition(connection: RedisConnection): Promise<void> {
    const entries = await connection.ask((client) => client.xrevrange(EVENTS_KEY, '+', '-', 'COUNT', 1));
    if (this.#closed) return;
    const last = entries[0]?.[0] ?? BEGINNING;
    if (this.#position === undefined || isBefore(last, this.#position)) this.#position = last;
    this.#options.onGap();
  }

  async #read(connection: RedisConnection): Promise<void> {
    const position = this.#position ?? BEGINNING;
    const sentAt = performance.now();
    const answer = await connection.ask((client) =>
      client.xread('COUNT', ENTRIES_AT_ONCE, 'BLOCK', BLOCK_MS, 'STREAMS', EVENTS_KEY, position),
    );
    if (this.#closed) return;
    const entries = answer?.[0]?.[1] ?? [];
    for (const [id, fields] of entries) {
      for (let at = 0; at + 1 < fields.length; at += 2) this.#tell(fields[at], fields[at + 1]);
      this.#position = id;
    }
    if (entries.length < ENTRIES_AT_ONCE) this.#currentAt = sentAt;
  }

  #tell(event: string | undefined, handle: string | undefined): void {
    if (handle === undefined || (event !== 'ended' && event !== 'changed')) return;
    this.#options.onEvent(event, handle);
  }
}

/** Ids of a stream are two numbers: milliseconds and a count. */
function isBefore(id: string, other: string): boolean {
  const [ms = 0, count = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherCount = 0] = other.split('-').map(Number);
  return ms < otherMs || (ms === otherMs && count < otherCount);
}
