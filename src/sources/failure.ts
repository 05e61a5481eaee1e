import { type ErrorCode, LatchgateError } from '../model/errors.ts';
import type { HttpResponse } from '../ops/http-client.ts';
import { retryAfterMs } from '../ops/retry.ts';

/** What the outgoing client says of its service, said of a source. */
const OF_A_SOURCE: Readonly<Partial<Record<ErrorCode, ErrorCode>>> = {
  target_unavailable: 'source_unavailable',
  target_refused: 'source_refused',
  target_answer_invalid: 'source_answer_invalid',
  answer_too_large: 'source_answer_invalid',
};

/** Anything thrown by the outgoing client, with the codes of sources. Other failures stay what they are. */
export function asSourceFailure(thrown: unknown): unknown {
  if (!(thrown instanceof LatchgateError)) return thrown;
  const code = OF_A_SOURCE[thrown.code];
  if (code === undefined) return thrown;
  const { message, detail, cause, retryAfterSeconds } = thrown;
  const again = retryAfterSeconds === undefined ? {} : { retryAfterSeconds };
  return new LatchgateError(code, message, { detail, cause, ...again });
}

/** The failure of a listing that its signal ended: the signal's own reason when that is one of ours. */
export function givenUp(signal: AbortSignal): LatchgateError {
  if (signal.reason instanceof LatchgateError) return signal.reason;
  return new LatchgateError('source_unavailable', 'the listing was given up', { cause: signal.reason });
}

/** An answer of an HTTP service that is none of those that its caller knows: `service` and `call` are for people. */
export function answerFailure(response: HttpResponse, service: string, call: string): LatchgateError {
  const { status, headers } = response;
  const detail = { status, call };
  if (status === 429 || status >= 500) {
    const waitMs = retryAfterMs(headers['retry-after'] ?? '');
    const again = waitMs === undefined ? {} : { retryAfterSeconds: Math.ceil(waitMs / 1_000) };
    return new LatchgateError('source_unavailable', `${service} answered ${status}`, { detail, ...again });
  }
  if (status === 401 || status === 403) {
    return new LatchgateError('source_refused', `${service} does not let our account read (${status})`, { detail });
  }
  if (status >= 400) {
    return new LatchgateError('source_refused', `${service} refused our request with ${status}`, { detail });
  }
  return new LatchgateError('source_answer_invalid', `${service} answered ${status}, which is not its API`, { detail });
}
