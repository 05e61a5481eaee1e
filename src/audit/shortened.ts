import type { DeliveredRecord } from './receiver.ts';

type Omittable = keyof DeliveredRecord['record'];

/** How a change looked, which alone has no bound; then all but what every record has, and whom it is about. */
const OMITTED: readonly (readonly Omittable[])[] = [
  ['before', 'after', 'dropped'],
  ['before', 'after', 'dropped', 'target', 'origin', 'rule', 'key', 'code', 'requestId'],
];

/**
 * What is sent in place of a record that is too large for a receiver by itself, longest first; none where nothing can be left
 * out. `omitted` names what is missing; number and hash are the record's own. Pure.
 */
export function shortened({ record, hash }: DeliveredRecord): readonly DeliveredRecord[] {
  const shorter: DeliveredRecord[] = [];
  for (const names of OMITTED) {
    const omitted = names.filter((name) => record[name] !== undefined);
    if (omitted.length === (shorter.at(-1)?.record.omitted?.length ?? 0)) continue;
    const rest = Object.entries(record).filter(([name]) => !omitted.some((one) => one === name));
    shorter.push({ record: { ...(Object.fromEntries(rest) as unknown as typeof record), omitted }, hash });
  }
  return shorter;
}
