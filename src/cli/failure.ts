import { ConfigError, formatComplaint } from '../config/complaint.ts';
import { ERRORS, toLatchgateError } from '../model/errors.ts';
import type { Io } from './io.ts';

const EXIT_FAILED = 1;
const EXIT_CONFIG = 2;
/** EX_USAGE of sysexits: no other outcome has it. */
export const EXIT_USAGE = 64;

/** Prints what went wrong as `code: sentence (hint)` and says the exit code. */
export function reportFailure(thrown: unknown, io: Io): number {
  if (thrown instanceof ConfigError) {
    for (const complaint of thrown.complaints) io.err(formatComplaint(complaint));
    return EXIT_CONFIG;
  }
  const error = toLatchgateError(thrown);
  io.err(`${error.code}: ${error.message} (${ERRORS[error.code].help})`);
  if (error.code === 'internal' && error.cause instanceof Error) io.err(error.cause.stack ?? error.cause.message);
  return error.code === 'usage' ? EXIT_USAGE : EXIT_FAILED;
}
