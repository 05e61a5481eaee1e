import { intervalMs, isScheduled, jitterMs, nextDue, scheduleText } from '../../src/sync/due.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const at = (iso: string) => Date.parse(iso);
const every = (ms: number, jitter?: number) => ({ every: ms, cron: undefined, time_zone: 'UTC', jitter });
const cron = (pattern: string, zone = 'UTC', jitter?: number) => ({
  every: undefined,
  cron: pattern,
  time_zone: zone,
  jitter,
});
const COMMAND = { every: undefined, cron: undefined, time_zone: 'UTC', jitter: undefined };

describe('every', () => {
  it('is due at once when it never was, and then at that distance from what was due, however late it ran', () => {
    const first = nextDue(every(HOUR), at('2026-01-02T03:17:00Z'));
    expect(first).toBe(at('2026-01-02T03:17:00Z'));
    expect(nextDue(every(HOUR), first + 20 * MINUTE, first)).toBe(first + HOUR);
    expect(nextDue(every(HOUR), first, first)).toBe(first + HOUR);
  });

  it('leaves out what nobody was there for', () => {
    const first = at('2026-01-02T03:17:00Z');
    expect(nextDue(every(HOUR), first + 50.5 * HOUR, first)).toBe(first + 51 * HOUR);
    expect(nextDue(every(HOUR), first + 50 * HOUR, first)).toBe(first + 51 * HOUR);
  });

  it('is never more than its distance away, also when a clock was wrong', () => {
    expect(nextDue(every(HOUR), 0, 100 * HOUR)).toBeLessThanOrEqual(HOUR);
  });
});

describe('cron', () => {
  it('is due at its next time, in its time zone', () => {
    const now = at('2026-01-02T03:17:00Z');
    expect(nextDue(cron('0 6 * * *'), now)).toBe(at('2026-01-02T06:00:00Z'));
    expect(nextDue(cron('0 6 * * *', 'Europe/Berlin'), now)).toBe(at('2026-01-02T05:00:00Z'));
    expect(nextDue(cron('0 6 * * MON'), now, now)).toBe(at('2026-01-05T06:00:00Z'));
  });

  it('runs once on the night in which the clock is put forward, and on the one in which it is put back', () => {
    const nightly = cron('30 2 * * *', 'Europe/Berlin');
    const runs = (from: string) => {
      const first = nextDue(nightly, at(from));
      return [first, nextDue(nightly, first)].map((ms) => new Date(ms).toISOString());
    };
    expect(runs('2026-03-28T23:30:00Z')).toEqual(['2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z']);
    expect(runs('2026-10-24T22:30:00Z')).toEqual(['2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z']);
  });
});

it('begins a little later, and never by as much as the distance between two runs', () => {
  expect(jitterMs(every(HOUR))).toBe(30_000);
  expect(jitterMs(every(MINUTE))).toBe(6_000);
  expect(jitterMs(every(HOUR, 5 * MINUTE))).toBe(5 * MINUTE);
  expect(jitterMs(every(HOUR, HOUR))).toBe(30_000);
  expect(jitterMs(every(HOUR, 0))).toBe(0);
  expect(jitterMs(cron('0 6 * * *'))).toBe(30_000);
  expect(jitterMs(cron('0 6 * * *', 'UTC', 0))).toBe(0);
});

it('knows its distance', () => {
  expect(intervalMs(every(HOUR), 0)).toBe(HOUR);
  expect(intervalMs(cron('*/15 * * * *'), at('2026-01-02T03:17:00Z'))).toBe(15 * MINUTE);
});

it('reads as it was written', () => {
  expect([every(HOUR), every(90 * MINUTE), every(30_000), every(24 * HOUR)].map(scheduleText)).toEqual([
    'every 1h',
    'every 90m',
    'every 30s',
    'every 1d',
  ]);
  expect(scheduleText(cron('0 6 * * *'))).toBe('cron 0 6 * * *');
  expect(scheduleText(cron('0 6 * * *', 'Europe/Berlin'))).toBe('cron 0 6 * * * (Europe/Berlin)');
  expect(scheduleText(COMMAND)).toBeUndefined();
  expect([every(HOUR), cron('0 6 * * *'), COMMAND].map(isScheduled)).toEqual([true, true, false]);
});
