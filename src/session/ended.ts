import type { Log } from '../ops/log.ts';
import { BoundedMap } from './cache.ts';

const HANDLES_KEPT = 20_000;

/** Who is told of the sessions that end. */
interface Listener {
  readonly tell: (handle: string) => void;
  readonly held: (() => Iterable<string>) | undefined;
}

/** Which sessions have ended, as this instance knows, and who wants to be told. */
export class EndedSessions {
  readonly #onEnd: (handle: string) => void;
  readonly #log: Pick<Log, 'warn'> | undefined;
  readonly #listeners = new Set<Listener>();
  /** By handle: whether the listeners have been told. */
  readonly #known = new BoundedMap<{ told: boolean }>(HANDLES_KEPT);

  /** `onEnd` is called before the listeners, for every handle once it is known to have ended. */
  constructor(onEnd: (handle: string) => void, log: Pick<Log, 'warn'> | undefined) {
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
        listener.tell(handle);
      } catch (error) {
        this.#log?.warn('a listener to ended sessions failed', { error });
      }
    }
  }

  /** Returns how to stop. */
  listen(tell: (handle: string) => void, held?: () => Iterable<string>): () => void {
    // Its own object, so that one listener may be added twice.
    const listener = { tell, held };
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  isHeard(): boolean {
    return this.#listeners.size > 0;
  }

  /** Handles for which a listener has something open. */
  held(): Set<string> {
    const handles = new Set<string>();
    for (const { held } of this.#listeners) for (const handle of held?.() ?? []) handles.add(handle);
    return handles;
  }
}
