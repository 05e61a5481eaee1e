import { Cron } from 'croner';
import type { SyncConfig } from './schema.ts';

/** When a sync runs. */
export type Schedule = Pick<SyncConfig, 'every' | 'cron' | 'time_zone' | 'jitter'>;

const JITTER_MS = 30_000;

export function isScheduled({ every, cron }: Schedule): boolean {
  return every !== undefined || cron !== undefined;
}

/** `every 1h`, `cron 0 6 * * * (Europe/Berlin)`; undefined: only by command. Two that read alike are the same schedule. */
export function scheduleText({ every, cron, time_zone: zone }: Schedule): string | undefined {
  if (every !== undefined) return `every ${durationText(every)}`;
  return cron === undefined ? undefined : `cron ${cron}${zone === 'UTC' ? '' : ` (${zone})`}`;
}

/**
 * The next time after `now` (both milliseconds since the epoch). `every` counts from `last`, the time that was due
 * before, so that runs keep their distance however long each takes, and those that nobody was there for are left out;
 * without one it is due at once. `cron` counts in its time zone.
 */
export function nextDue(schedule: Schedule, now: number, last?: number): number {
  const { every, cron, time_zone: zone } = schedule;
  if (every !== undefined) {
    if (last === undefined) return now;
    // A clock that was wrong once does not put it off for good.
    return Math.min(now + every, last + every * Math.max(1, Math.floor((now - last) / every) + 1));
  }
  const next = new Cron(cron as string, { mode: '5-part', paused: true, timezone: zone }).nextRun(new Date(now));
  return next === null ? Number.POSITIVE_INFINITY : next.getTime();
}

/** The longest that a run begins after it is due, in milliseconds. */
export function jitterMs({ every, jitter }: Schedule): number {
  if (every === undefined) return jitter ?? JITTER_MS;
  return jitter !== undefined && jitter < every ? jitter : Math.min(JITTER_MS, every / 10);
}

/** How long after one run the next is expected, in milliseconds: what is later than that twice over is late. */
export function intervalMs(schedule: Schedule, now: number): number {
  if (schedule.every !== undefined) return schedule.every;
  const next = nextDue(schedule, now);
  return nextDue(schedule, next) - next;
}

function durationText(ms: number): string {
  const units = [
    ['d', 86_400_000],
    ['h', 3_600_000],
    ['m', 60_000],
  ] as const;
  const [unit, length] = units.find(([, unitMs]) => ms % unitMs === 0) ?? ['s', 1_000];
  return `${ms / length}${unit}`;
}
