import { LatchgateError } from '../model/errors.ts';
import { startDeadline } from './deadline.ts';
import type { Limiters } from './limiter.ts';
import { Agent, request as undiciRequest } from './undici.ts';

/** A GET whose answer is read as it comes, because it is long or does not end. */
export interface StreamRequest {
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** Ends the wait for the answer, and the answer. */
  readonly signal: AbortSignal;
  /** From the call to the first byte of the answer, and from one piece of it to the next. */
  readonly timeoutMs: number;
}

export interface StreamAnswer {
  readonly status: number;
  /** Names in lower case; several lines of one name joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * The body, piece by piece, as it was sent. Throws `target_unavailable` when the connection breaks, nothing comes for
   * `timeoutMs`, or the signal ends it. Leaving the loop closes the connection.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection of a body that nobody reads. */
  end(): void;
}

/** The outgoing client for answers that are not held in memory. It cannot write, never follows redirects, tries once. */
export interface HttpStreams {
  /** Throws `target_unavailable` when there is no answer. */
  open(request: StreamRequest): Promise<StreamAnswer>;
  close(): Promise<void>;
}

export interface HttpStreamsOptions {
  /** Of the services that are called. Default: calls are not paced. */
  readonly limiters?: Limiters;
  /** Default `latchgate`. */
  readonly userAgent?: string;
}

export function createHttpStreams({ limiters, userAgent = 'latchgate' }: HttpStreamsOptions = {}): HttpStreams {
  const agent = new Agent({ pipelining: 1 });
  return {
    open: async (request) => {
      const turn = await limiters?.of(request.url).turn(request.signal);
      const watch = watchSilence(request);
      try {
        const answer = await undiciRequest(agent, request.url, {
          method: 'GET',
          headers: { 'user-agent': userAgent, 'accept-encoding': 'identity', ...request.headers },
          signal: watch.signal,
          headersTimeout: 0,
          bodyTimeout: 0,
        });
        const headers = Object.fromEntries(
          Object.entries(answer.headers).map(([name, value]) => [
            name,
            Array.isArray(value) ? value.join(', ') : value,
          ]),
        ) as Record<string, string>;
        turn?.done({ status: answer.statusCode, headers });
        const end = (): void => {
          watch.end();
          answer.body.on('error', () => {}).destroy();
        };
        return { status: answer.statusCode, headers, body: pieces(answer.body, watch, end), end };
      } catch (thrown) {
        turn?.done();
        watch.end();
        throw watch.failure(thrown);
      }
    },
    close: () => agent.destroy(),
  };
}

interface Watch {
  readonly signal: AbortSignal;
  /** The time stands still: something came, and somebody is busy with it. */
  hold(): void;
  /** The time begins anew. */
  begin(): void;
  failure(thrown: unknown): LatchgateError;
  end(): void;
}

function watchSilence({ url, signal, timeoutMs }: StreamRequest): Watch {
  const controller = new AbortController();
  let deadline = startDeadline(timeoutMs, signal);
  const follow = (): void => {
    if (deadline.signal.aborted) controller.abort();
    else deadline.signal.addEventListener('abort', () => controller.abort(), { once: true });
  };
  follow();
  return {
    signal: controller.signal,
    hold: () => deadline.end(),
    begin: () => {
      deadline = startDeadline(timeoutMs, signal);
      follow();
    },
    end: () => deadline.end(),
    failure: (thrown) => {
      if (thrown instanceof LatchgateError) return thrown;
      if (signal.reason instanceof LatchgateError) return signal.reason;
      const detail = { method: 'GET', host: url.host };
      const message = deadline.timedOut()
        ? `nothing came from ${url.host} for ${timeoutMs} ms`
        : signal.aborted
          ? 'the call was given up'
          : `the connection to ${url.host} broke`;
      return new LatchgateError('target_unavailable', message, { detail, cause: thrown });
    },
  };
}

async function* pieces(
  body: AsyncIterable<Uint8Array>,
  watch: Watch,
  end: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    for await (const piece of body) {
      watch.hold();
      yield piece;
      watch.begin();
    }
  } catch (thrown) {
    throw watch.failure(thrown);
  } finally {
    end();
  }
}
