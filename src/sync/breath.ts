import { setImmediate as nextTurn } from 'node:timers/promises';

/** How long the event loop may be kept from others at a time. */
const TURN_MS = 8;

/** Lets others have their turn now and then during long work that waits for nobody: timers, leases, people. */
export function createBreath(signal: AbortSignal): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < TURN_MS) return undefined;
    return nextTurn().then(() => {
      signal.throwIfAborted();
      since = performance.now();
    });
  };
}
