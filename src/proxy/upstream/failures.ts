import { LatchgateError } from '../../model/errors.ts';

/** The answer is not HTTP as it has to be. `what` is ours and holds nothing of the answer. */
export function brokenAnswer(what: string): LatchgateError {
  return new LatchgateError('upstream_invalid', `the backend answered with broken HTTP: ${what}`);
}

export function unforwardable(what: string): LatchgateError {
  return new LatchgateError('request_invalid', `the request cannot be forwarded: ${what}`);
}

export function tooSlow(what: string, cause?: unknown): LatchgateError {
  return new LatchgateError('upstream_timeout', what, cause === undefined ? {} : { cause });
}

/** The one who keeps the other waiting is told. */
export function haltedUpload(byBackend: boolean): LatchgateError {
  if (byBackend) return tooSlow('the backend stopped taking the request');
  return new LatchgateError('request_timeout', 'the body of the request stopped coming');
}

export function unreachable(what: string, cause?: unknown): LatchgateError {
  return new LatchgateError('upstream_unavailable', what, cause === undefined ? {} : { cause });
}

/** What a socket or a caller reports, in our words. */
export function failureOf(error: Error): LatchgateError {
  if (error instanceof LatchgateError) return error;
  const isSlow = (error as NodeJS.ErrnoException).code === 'ETIMEDOUT';
  return isSlow
    ? tooSlow('the backend did not answer in time', error)
    : unreachable('no connection to the backend', error);
}
