import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';

/** Of a body that nobody wants any more: what is read to keep the connection, beyond it the connection is closed. */
const DRAIN_BYTES = 1024 * 1024;

/** Whether a body follows the head (RFC 9112 §6.3). */
export function hasBody(rawHeaders: readonly string[]): boolean {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') return true;
    if (name.length === 14 && name.toLowerCase() === 'content-length') return Number(rawHeaders[at + 1]) !== 0;
  }
  return false;
}

/**
 * The body on its way up. A stream of its own, because a client that gives up on the upstream destroys what it was
 * given: the request itself must live on, its connection has an answer to carry.
 */
export class RequestBody extends Readable {
  readonly #request: IncomingMessage;
  readonly #onData: (chunk: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #onFail: () => void;

  constructor(request: IncomingMessage) {
    super();
    this.#request = request;
    this.#onData = (chunk) => {
      if (!this.push(chunk)) request.pause();
    };
    this.#onEnd = () => {
      this.push(null);
    };
    this.#onFail = () => {
      this.destroy(new Error('the client gave up'));
    };
    request.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onFail).on('close', this.#onFail);
    request.pause();
  }

  override _read(): void {
    this.#request.resume();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const request = this.#request;
    request.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onFail).off('close', this.#onFail);
    if (!request.complete) drain(request);
    callback(error);
  }
}

/** Reads and forgets what is left of a body, up to a limit; then the connection is closed. */
export function drain(request: IncomingMessage): void {
  let left = DRAIN_BYTES;
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) request.socket.destroy();
  });
  request.resume();
}
