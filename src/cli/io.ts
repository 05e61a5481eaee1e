import type { StatusLine } from './progress.ts';

/** The terminal as commands see it; tests give their own. */
export interface Io {
  /** Writes one line to standard output. */
  out(line: string): void;
  /** Writes one line to standard error. */
  err(line: string): void;
  readonly env: NodeJS.ProcessEnv;
  /** Whether standard output is a terminal that a person looks at. */
  readonly isTTY: boolean;
  /** Present when standard error is a terminal: where progress is shown. */
  readonly status?: StatusLine;
}

/** Whether what is written to standard output may have colours (https://no-color.org). */
export function isColored({ isTTY, env }: Io): boolean {
  return isTTY && (env['NO_COLOR'] ?? '') === '';
}
