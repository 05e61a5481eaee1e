/** A time limit that stands still during waits that are not to count. */
export interface Deadline {
  /** Aborted by the caller's signal, with its reason, and when the time is up. */
  readonly signal: AbortSignal;
  /** Milliseconds that are left. */
  left(): number;
  timedOut(): boolean;
  /** Runs a wait that does not count. */
  outside<T>(wait: () => Promise<T>): Promise<T>;
  end(): void;
}

/** Not AbortSignal.any: on Node 20 every such signal stays referenced by a long-lived source. */
export function startDeadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let endsAt = performance.now() + timeoutMs;
  let isTimedOut = false;
  const onTime = () => {
    isTimedOut = true;
    controller.abort();
  };
  let timer = setTimeout(onTime, timeoutMs);
  const onAbort = () => controller.abort(signal?.reason);
  if (signal?.aborted === true) onAbort();
  else signal?.addEventListener('abort', onAbort, { once: true });
  return {
    signal: controller.signal,
    left: () => endsAt - performance.now(),
    timedOut: () => isTimedOut,
    outside: async (wait) => {
      const leftMs = endsAt - performance.now();
      clearTimeout(timer);
      try {
        return await wait();
      } finally {
        endsAt = performance.now() + leftMs;
        timer = setTimeout(onTime, leftMs);
      }
    },
    end: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    },
  };
}
