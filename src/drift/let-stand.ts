import type { StateValues } from '../directory/directory.ts';
import { LatchgateError } from '../model/errors.ts';

const ATTEMPTS = 20;

/** Differences that a person has let stand, by target. */
export interface LetStand {
  /** Keys of rows. */
  of(target: string): Promise<ReadonlySet<string>>;
  add(target: string, keys: readonly string[]): Promise<void>;
}

export function createLetStand(values: StateValues): LetStand {
  const name = (target: string): string => `drift let stand:${target}`;
  const read = (text: string | undefined): string[] => (text === undefined ? [] : (JSON.parse(text) as string[]));
  return {
    of: async (target) => new Set(read(await values.get(name(target)))),
    add: async (target, keys) => {
      for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
        const before = await values.get(name(target));
        const after = JSON.stringify([...new Set([...read(before), ...keys])]);
        if (before === after || (await values.swap(name(target), before, after))) return;
      }
      throw new LatchgateError('internal', 'what is let stand is changed by others all the time');
    },
  };
}
