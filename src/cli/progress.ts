import type { Clock } from '../ops/clock.ts';

const BAR_WIDTH = 24;
const DRAW_EVERY_MS = 100;
/** The rate is that of the last so many milliseconds: a slow start does not spoil the guess of the end. */
const RATE_WINDOW_MS = 10_000;

/** A line on a terminal that is written over and over. */
export interface StatusLine {
  /** Without an end of line. */
  write(text: string): void;
  readonly columns: number;
}

export interface Progress {
  step(outcome: 'applied' | 'already' | 'failed' | 'skipped'): void;
  /** The line goes, so that something else can be written. */
  clear(): void;
}

/** A bar with how much is done, how fast, and how long it will take: `[#####-----] 512/1,024  50%  42/s  12s left`. */
export function createProgress(total: number, line: StatusLine, clock: Clock): Progress {
  const steps: number[] = [clock.now()];
  let done = 0;
  let failed = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const draw = (now: number): void => {
    drawnAt = now;
    line.write(
      `\r\u001b[K${progressText({ total, done, failed, perSecond: rate(steps, now) }).slice(0, line.columns - 1)}`,
    );
  };
  return {
    step: (outcome) => {
      const now = clock.now();
      done += 1;
      if (outcome === 'failed') failed += 1;
      steps.push(now);
      while (steps.length > 2 && now - (steps[0] as number) > RATE_WINDOW_MS) steps.shift();
      if (now - drawnAt >= DRAW_EVERY_MS || done === total) draw(now);
    },
    clear: () => line.write('\r\u001b[K'),
  };
}

function rate(steps: readonly number[], now: number): number | undefined {
  const ms = now - (steps[0] as number);
  return ms <= 0 || steps.length < 2 ? undefined : ((steps.length - 1) / ms) * 1_000;
}

interface ProgressState {
  readonly total: number;
  readonly done: number;
  readonly failed: number;
  /** Undefined: not known yet. */
  readonly perSecond: number | undefined;
}

function progressText({ total, done, failed, perSecond }: ProgressState): string {
  const part = total === 0 ? 1 : Math.min(1, done / total);
  const filled = Math.floor(part * BAR_WIDTH);
  const bar = `[${'#'.repeat(filled)}${'-'.repeat(BAR_WIDTH - filled)}]`;
  const number = (value: number): string => value.toLocaleString('en-US');
  const speed =
    perSecond === undefined || perSecond === 0
      ? []
      : [
          `${perSecond < 10 ? perSecond.toFixed(1) : number(Math.round(perSecond))}/s`,
          ...(done < total ? [`${durationText((total - done) / perSecond)} left`] : []),
        ];
  const bad = failed === 0 ? [] : [`${number(failed)} failed`];
  return [bar, `${number(done)}/${number(total)}`, `${Math.floor(part * 100)}%`, ...speed, ...bad].join('  ');
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3_600) return `${Math.floor(whole / 60)}m ${String(whole % 60).padStart(2, '0')}s`;
  return `${Math.floor(whole / 3_600)}h ${String(Math.floor((whole % 3_600) / 60)).padStart(2, '0')}m`;
}
