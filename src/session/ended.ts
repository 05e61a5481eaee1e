import type { Log } from '../ops/log.ts';
import { BoundedMap } from './cache.ts';

const POLL_MS = 500;
const HANDLES_KEPT = 20_000;

/** What other instances have ended since `after`, in order; `undefined` asks only where the list stands now. */
export type ReadEnded = (
  after: number | undefined,
) => Promise<{ readonly position: number; readonly handles: readonly string[] }>;

/**
 * Which sessions have ended, as this instance knows, and who wants to be told. Asks the store for the doings of other
 * instances twice a second, and only while somebody listens.
 */
export class EndedSessions {
  readonly #read: ReadEnded;
  readonly #onEnd: (handle: string) => void;
  readonly #log: Pick<Log, 'warn'> | undefined;
  readonly #listeners = new Set<(handle: string) => void>();
  /** By handle: whether the listeners have been told. */
  readonly #known = new BoundedMap<{ told: boolean }>(HANDLES_KEPT);
  #position: number | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Which round of listening this is; 0 when nobody listens. */
  #round = 0;
  #rounds = 0;

  /** `onEnd` is called before the listeners, for every handle once it is known to have ended. */
  constructor(read: ReadEnded, onEnd: (handle: string) => void, log: Pick<Log, 'warn'> | undefined) {
    this.#read = read;
    this.#onEnd = onEnd;
    this.#log = log;
  }

  has(handle: string): boolean {
    return this.#known.get(handle) !== undefined;
  }

  /** From now on refused here, though nobody is told before it is stored. */
  refuse(handle: string): void {
    if (!this.has(handle)) this.#known.set(handle, { told: false });
    this.#onEnd(handle);
  }

  /** It has ended: tells the listeners, once. */
  announce(handle: string): void {
    this.refuse(handle);
    const state = this.#known.get(handle);
    if (state === undefined || state.told) return;
    state.told = true;
    for (const listener of this.#listeners) {
      try {
        listener(handle);
      } catch (error) {
        this.#log?.warn('a listener to ended sessions failed', { error });
      }
    }
  }

  listen(listener: (handle: string) => void): () => void {
    // Its own function, so that one listener may be added twice.
    const own = (handle: string) => listener(handle);
    this.#listeners.add(own);
    if (this.#round === 0) {
      this.#rounds += 1;
      this.#round = this.#rounds;
      void this.#poll(this.#round);
    }
    return () => {
      this.#listeners.delete(own);
      if (this.#listeners.size === 0) this.stop();
    };
  }

  stop(): void {
    this.#round = 0;
    this.#position = undefined;
    clearTimeout(this.#timer);
  }

  async #poll(round: number): Promise<void> {
    try {
      const { position, handles } = await this.#read(this.#position);
      if (this.#round !== round) return;
      this.#position = position;
      for (const handle of handles) this.announce(handle);
    } catch {
      // The position stays: what was missed comes with the next answer.
    }
    if (this.#round !== round) return;
    this.#timer = setTimeout(() => void this.#poll(round), POLL_MS);
    this.#timer.unref();
  }
}
