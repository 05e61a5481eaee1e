/** Calls under way at once; the limiter of the tenant lets through fewer where it must. */
const PLACES = 8;

/** Runs the work for each, a few at a time. The work must not throw. */
export async function inParallel<T>(list: readonly T[], work: (one: T, at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < list.length; at = next++) await work(list[at] as T, at);
  };
  await Promise.all(Array.from({ length: Math.min(PLACES, list.length) }, worker));
}
