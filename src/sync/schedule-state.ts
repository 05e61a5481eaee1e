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

/** When a run that was asked for between two due ones begins; Infinity: none was. */
export async function readSoon(sync: string, values: StateValues): Promise<number> {
  return timeOf(await values.get(soonNameOf(sync)));
}

/** Asks for a run at this time. One that was asked for sooner stands. */
export async function askSoon(sync: string, start: number, values: StateValues): Promise<void> {
  for (;;) {
    const raw = await values.get(soonNameOf(sync));
    if (timeOf(raw) <= start || (await values.swap(soonNameOf(sync), raw, String(start)))) return;
  }
}

/** Takes away what was asked for up to now. */
export async function takeSoon(sync: string, now: number, values: StateValues): Promise<void> {
  const raw = await values.get(soonNameOf(sync));
  if (timeOf(raw) <= now) await values.swap(soonNameOf(sync), raw, '');
}

function timeOf(raw: string | undefined): number {
  return raw === undefined || raw === '' ? Number.POSITIVE_INFINITY : Number(raw);
}

function soonNameOf(sync: string): string {
  return `sync soon:${sync}`;
}

function nameOf(sync: string): string {
  return `sync due:${sync}`;
}
