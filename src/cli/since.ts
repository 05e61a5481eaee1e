import { LatchgateError } from '../model/errors.ts';
import { printable } from './table.ts';

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

const DATE = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(:\d{2})?([.]\d{1,9})?(Z|[+-]\d{2}:?\d{2})?)?$/;

/**
 * The time that an option means: a date (`2026-01-31`, `2026-01-31T08:00:00Z`), in UTC where it names no zone, as tables print
 * it; or how long ago (`30d`, `12h`). `now` in milliseconds since the epoch. Throws `usage`.
 */
export function timeOf(option: string, text: string, now: number): Date {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return new Date(now - Number(ago[1]) * (UNITS_MS[ago[2] ?? ''] ?? 0));
  const [, day, minute = '00:00', second = ':00', fraction = '', zone = 'Z'] = DATE.exec(text) ?? [];
  const time = day === undefined ? Number.NaN : Date.parse(`${day}T${minute}${second}${fraction}${zone}`);
  if (Number.isNaN(time)) {
    throw new LatchgateError('usage', `${option} takes a date or how long ago (30d, 12h), not ${printable(text)}`);
  }
  return new Date(time);
}

/**
 * The moment at which something is looked at. Whole seconds are what tables print of a record: the end of that second is meant,
 * so that what is printed finds its own record; a date alone is the end of that day. Throws `usage`, also for what is to come.
 */
export function momentOf(option: string, text: string, now: number): Date {
  const from = timeOf(option, text, now);
  if (from.getTime() > now) throw new LatchgateError('usage', `${option} is a time that is still to come`);
  const [isDate, , minute, second, fraction] = DATE.exec(text) ?? [];
  if (isDate === undefined || fraction !== undefined) return from;
  const length = minute === undefined ? 86_400_000 : second === undefined ? 60_000 : 1_000;
  return new Date(Math.min(from.getTime() + length - 1, now));
}
