import type { State } from './state.ts';

const STRANGER_AT = 'forward-auth stranger';

/** Remembers for `doctor` that somebody outside of `trusted_proxies` asked `/.latchgate/auth` about a request. Never throws. */
export async function noteStranger({ directory: { values }, clock }: State): Promise<void> {
  try {
    await values.swap(STRANGER_AT, await values.get(STRANGER_AT), String(clock.now()));
  } catch {
    // The log has it already.
  }
}

/** When that was last, in milliseconds since the epoch; undefined: never. */
export async function lastStranger({ directory: { values } }: State): Promise<number | undefined> {
  const at = await values.get(STRANGER_AT);
  return at === undefined ? undefined : Number(at);
}
