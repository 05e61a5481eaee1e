/** What one failure means, by its code. */
export interface ErrorRow {
  readonly status: number;
  readonly retryable: boolean;
  /** For the table in docs: what it means and what to do. */
  readonly help: string;
}

/** One row of the table of errors. */
export const row = (status: number, retryable: boolean, help: string): ErrorRow => ({ status, retryable, help });
