export interface Semaphore {
  /** Waits for a place, in order of asking; rejects with the signal's reason. Call what it returns exactly once. */
  acquire(signal: AbortSignal): Promise<() => void>;
}

export function createSemaphore(places: number): Semaphore {
  let free = places;
  const waiting: (() => void)[] = [];
  const release = () => {
    const next = waiting.shift();
    if (next === undefined) free += 1;
    else next();
  };
  return {
    acquire: (signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted();
        if (free > 0) {
          free -= 1;
          resolve(release);
          return;
        }
        const onAbort = () => {
          waiting.splice(waiting.indexOf(grant), 1);
          reject(signal.reason as Error);
        };
        const grant = () => {
          signal.removeEventListener('abort', onAbort);
          resolve(release);
        };
        waiting.push(grant);
        signal.addEventListener('abort', onAbort, { once: true });
      }),
  };
}
