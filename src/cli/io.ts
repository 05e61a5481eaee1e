/** The terminal as commands see it; tests give their own. */
export interface Io {
  /** Writes one line to standard output. */
  out(line: string): void;
  /** Writes one line to standard error. */
  err(line: string): void;
  readonly env: NodeJS.ProcessEnv;
  /** Whether standard output is a terminal that a person looks at. */
  readonly isTTY: boolean;
}
