import type { ErrorCode } from '../model/errors.ts';

/** Why what an origin said is not taken. The note goes into the trace: shape and length, never the value. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly note: string;
}
