/** Calls under way at once; the limiter of the service lets through fewer where it must. */
const PLACES = 8;

/** Runs the work for each, a few at a time. The first failure ends it. */
export async function inParallel<T>(list: readonly T[], work: (one: T, at: number) => Promise<void>): Promise<void> {
  const waiting = list.entries();
  const worker = async (): Promise<void> => {
    for (const [at, one] of waiting) await work(one, at);
  };
  await Promise.all(Array.from({ length: Math.min(PLACES, list.length) }, worker));
}
