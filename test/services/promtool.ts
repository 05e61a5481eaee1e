import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** `LATCHGATE_PROMTOOL`, or the one of the system (Debian's package `prometheus`); undefined when there is none. */
export function findPromtool(): string | undefined {
  const named = process.env['LATCHGATE_PROMTOOL'];
  if (named !== undefined) return named;
  const places = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'promtool'));
  return places.find((place) => existsSync(place));
}
