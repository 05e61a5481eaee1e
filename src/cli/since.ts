import { LatchgateError } from '../model/errors.ts';
import { printable } from './table.ts';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * The time that an option means: a date (`2026-01-31`, `2026-01-31T08:00:00Z`) or how long ago (`30d`, `12h`); `now` in
 * milliseconds since the epoch. Throws `usage`.
 */
export function timeOf(option: string, text: string, now: number): Date {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return new Date(now - Number(ago[1]) * (UNITS_MS[ago[2] ?? ''] ?? 0));
  const time = /^\d{4}-\d{2}-\d{2}([T ][\d:.]+(Z|[+-]\d{2}:?\d{2})?)?$/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) {
    throw new LatchgateError('usage', `${option} takes a date or how long ago (30d, 12h), not ${printable(text)}`);
  }
  return new Date(time);
}
