import { z } from 'zod';
import type { StateValues } from '../directory/directory.ts';

/** What all instances share of one scheduled sync. */
const dueSchema = z.object({
  /** Milliseconds since the epoch: when the schedule says. */
  due: z.number(),
  /** When it begins: `due` and the jitter, or later when it is tried again. */
  start: z.number(),
  /** How often this due run was begun and not brought to an end. */
  attempts: z.number(),
  /** By which `due` was reckoned: `scheduleText`. */
  schedule: z.string(),
});

export type DueState = z.output<typeof dueSchema>;

export interface StoredDue {
  readonly state: DueState;
  /** As it stands in the database, for the swap. */
  readonly raw: string;
}

export async function readDue(sync: string, values: StateValues): Promise<StoredDue | undefined> {
  const raw = await values.get(nameOf(sync));
  if (raw === undefined) return undefined;
  const { data } = dueSchema.safeParse(JSON.parse(raw));
  // What another version has written and we cannot read is reckoned anew.
  return { raw, state: data ?? { due: 0, start: Number.MAX_SAFE_INTEGER, attempts: 0, schedule: '' } };
}

/** Says whether the state still was `before`; undefined: there was none. */
export function swapDue(
  sync: string,
  before: StoredDue | undefined,
  state: DueState,
  values: StateValues,
): Promise<boolean> {
  return values.swap(nameOf(sync), before?.raw, JSON.stringify(state));
}

/** When the next run begins. undefined: no instance has reckoned it yet. */
export async function dueTime(sync: string, values: StateValues): Promise<Date | undefined> {
  const stored = await readDue(sync, values);
  return stored === undefined ? undefined : new Date(stored.state.start);
}

function nameOf(sync: string): string {
  return `sync due:${sync}`;
}
