import { LatchgateError } from '../model/errors.ts';

/**
 * Waits for work that several callers share: when one of them gives up, the work goes on for the others. Throws
 * `target_unavailable` when the signal ends the wait.
 */
export async function waitFor<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => {
      const options = { cause: signal.reason as unknown };
      reject(new LatchgateError('target_unavailable', 'the wait for the target was given up', options));
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
