import type { ServerResponse } from 'node:http';
import { isIP } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { buildConnector, type Dispatcher, errors, Pool } from 'undici';
import { LatchgateError } from '../model/errors.ts';
import type { FlatHeaders } from './identity-headers.ts';
import type { FilteredAnswer } from './response-headers.ts';

export interface UpstreamOptions {
  /** To open a connection; default 10 s. */
  readonly connectTimeoutMs?: number;
  /** From the end of the request to the head of the answer; default 5 min (long queries). */
  readonly answerTimeoutMs?: number;
  /** Between two pieces of an answer; default 10 min (event streams). */
  readonly idleTimeoutMs?: number;
}

export interface UpstreamRequest {
  readonly method: string;
  /** In origin-form, as it goes onto the wire. */
  readonly path: string;
  /** Without Host and hop-by-hop headers. */
  readonly headers: FlatHeaders;
  readonly host: string;
  readonly body: Readable | null;
  readonly upgrade?: 'websocket';
}

/** What happens to one exchange. Exactly one of `done` and `failed` is called, and after it nothing more. */
export interface ExchangeEvents {
  /** The head of the answer; what it gives back is sent to the client. */
  answered(status: number, headers: readonly Buffer[]): FilteredAnswer;
  done(status: number): void;
  /** `started`: the client has a part of the answer already, and its connection was closed. */
  failed(error: LatchgateError, started: boolean): void;
  upgraded?(headers: readonly Buffer[], socket: Duplex): void;
}

/** One upstream. The engine behind it can be changed without the proxy knowing. */
export interface Upstream {
  /** Streams the answer into `response`. Returns how to give up. */
  send(request: UpstreamRequest, response: ServerResponse, events: ExchangeEvents): (reason: Error) => void;
  /** Ends every connection. */
  close(): Promise<void>;
}

/** Bodies up to this size leave in one write together with the head. */
const SMALL_BODY = 16_384;
/** Shorter than what servers such as gunicorn keep idle connections for, so that they rarely close one under us. */
const KEEP_ALIVE_MS = 1_500;
const MAX_ANSWER_HEAD = 64 * 1024;

/** Over undici's pool: one request at a time on a connection, framing checked by llhttp. */
export function createUpstream(url: string, options: UpstreamOptions = {}): Upstream {
  const { origin, hostname } = new URL(url);
  const connector = buildConnector({ timeout: options.connectTimeoutMs ?? 10_000, allowH2: false });
  // The Host that is sent may be the public one; the certificate is for the name that was configured.
  const servername = isIP(hostname.replace(/^\[|\]$/g, '')) === 0 ? hostname : '';
  const pool = new Pool(origin, {
    connect: (settings, callback) => connector({ ...settings, servername }, callback),
    pipelining: 1,
    headersTimeout: options.answerTimeoutMs ?? 300_000,
    bodyTimeout: options.idleTimeoutMs ?? 600_000,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_ANSWER_HEAD,
  });
  return {
    send: (request, response, events) => {
      const exchange = new Exchange(request.method, response, events);
      request.headers.push('Host', request.host);
      const { method, path, headers, body } = request;
      pool.dispatch(
        { method: method as Dispatcher.HttpMethod, path, headers, body, upgrade: request.upgrade ?? null },
        exchange,
      );
      return (reason) => exchange.giveUp(reason);
    },
    close: () => pool.destroy(),
  };
}

/** Handler of undici's flat-buffer interface: the cheapest one it has. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly #response: ServerResponse;
  readonly #events: ExchangeEvents;
  readonly #isHead: boolean;
  readonly #onClose: () => void;
  #abort: ((error?: Error) => void) | undefined;
  #resume: (() => void) | undefined;
  #reason: Error | undefined;
  #status = 0;
  #length = -1;
  /** A small body that came whole: held back so that head and body leave in one write. */
  #held: Buffer | undefined;
  #isOver = false;

  constructor(method: string, response: ServerResponse, events: ExchangeEvents) {
    this.#response = response;
    this.#events = events;
    this.#isHead = method === 'HEAD';
    this.#onClose = () => this.giveUp(new Error('the client gave up'));
    response.once('close', this.#onClose);
  }

  giveUp(reason: Error): void {
    if (this.#isOver) return;
    this.#reason = reason;
    this.#abort?.(reason);
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort;
    if (this.#reason !== undefined) abort(this.#reason);
  }

  onHeaders(status: number, raw: Buffer[], resume: () => void, statusText: string): boolean {
    if (status < 200) return true;
    const { headers, contentLength } = this.#events.answered(status, raw);
    const response = this.#response;
    // Flat lists keep order, case and repetition.
    response.writeHead(status, /^[\t -~]*$/.test(statusText) ? statusText : '', headers);
    this.#status = status;
    this.#length = contentLength;
    this.#resume = resume;
    response.on('drain', resume);
    // The head of a stream must not wait for its first event; a body that is here already takes the head along.
    if (!this.#isHead && (contentLength < 0 || contentLength > SMALL_BODY)) process.nextTick(flushHead, response);
    return true;
  }

  onData(chunk: Buffer): boolean {
    if (chunk.length === this.#length && this.#length <= SMALL_BODY) {
      this.#held = chunk;
      return true;
    }
    return this.#response.write(chunk);
  }

  onComplete(): void {
    if (!this.#finish()) return;
    const held = this.#held;
    if (held === undefined) this.#response.end();
    else this.#response.end(held.toString('latin1'), 'latin1');
    this.#events.done(this.#status);
  }

  onUpgrade(_status: number, headers: Buffer[] | string[] | null, socket: Duplex): void {
    if (!this.#finish() || this.#events.upgraded === undefined) {
      socket.destroy();
      return;
    }
    this.#events.upgraded((headers ?? []) as Buffer[], socket);
  }

  onError(error: Error): void {
    if (!this.#finish()) return;
    const started = this.#response.headersSent || this.#status !== 0;
    if (started) this.#response.destroy();
    this.#events.failed(toFailure(this.#reason ?? error), started);
  }

  #finish(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#response.off('close', this.#onClose);
    if (this.#resume !== undefined) this.#response.off('drain', this.#resume);
    return true;
  }
}

function flushHead(response: ServerResponse): void {
  if (!response.writableEnded && !response.destroyed) response.flushHeaders();
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT']);
const BROKEN = new Set([
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_HEADERS_OVERFLOW',
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
]);
const OUR_REQUEST = new Set(['UND_ERR_INVALID_ARG', 'UND_ERR_NOT_SUPPORTED', 'UND_ERR_REQ_CONTENT_LENGTH_MISMATCH']);

function toFailure(error: Error): LatchgateError {
  if (error instanceof LatchgateError) return error;
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const options = { cause: error };
  if (TIMEOUTS.has(code)) return new LatchgateError('upstream_timeout', 'the backend did not answer in time', options);
  if (BROKEN.has(code) || error instanceof errors.HTTPParserError) {
    return new LatchgateError('upstream_invalid', 'the backend answered with broken HTTP', options);
  }
  if (OUR_REQUEST.has(code)) return new LatchgateError('request_invalid', 'the request cannot be forwarded', options);
  return new LatchgateError('upstream_unavailable', 'the backend could not be reached', options);
}
