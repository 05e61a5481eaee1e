/** 128 and the number of SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

export interface Interruption {
  /** Aborts at the first SIGINT or SIGTERM. */
  readonly stop: AbortSignal;
  /** Signals are again what they were. */
  release(): void;
}

/**
 * Lets a command end what is under way: the first SIGINT or SIGTERM asks it to, and `onStop` says so; the second ends the
 * process at once with exit code 130.
 */
export function interruptible(onStop: () => void): Interruption {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(EXIT_INTERRUPTED);
    controller.abort();
    onStop();
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, onSignal);
  return {
    stop: controller.signal,
    release: () => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, onSignal);
    },
  };
}
