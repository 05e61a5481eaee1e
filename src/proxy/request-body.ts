import type { IncomingMessage } from 'node:http';

/** Of a body that nobody wants any more: what is read to keep the connection, beyond it the connection is closed. */
const DRAIN_BYTES = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Whether a body follows the head (RFC 9112 §6.3). */
export function hasBody(rawHeaders: readonly string[]): boolean {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 17 && name.toLowerCase() === 'transfer-encoding') return true;
    if (name.length === 14 && name.toLowerCase() === 'content-length') return Number(rawHeaders[at + 1]) !== 0;
  }
  return false;
}

/** Who takes a body on its way up. */
export interface BodySink {
  /** False: no more until `resume`. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** The client gave up in the middle. */
  broken(): void;
}

/** The body of a client's request on its way up. Nothing is read before somebody takes it, so nothing piles up. */
export class RequestBody {
  readonly #request: IncomingMessage;
  #sink: BodySink | undefined;

  constructor(request: IncomingMessage) {
    this.#request = request;
    // The request is broken off under its own listeners; without one here that would be an exception of nobody.
    request.on('error', () => {});
  }

  /** The whole body, if it is here already and no larger than `most` bytes: then there is nothing to stream. */
  takeWhole(most: number): Buffer | undefined {
    const request = this.#request;
    if (!request.complete || request.destroyed || request.readableLength > most) return undefined;
    return request.readableLength === 0 ? NOTHING : (request.read() as Buffer);
  }

  start(sink: BodySink): void {
    this.#sink = sink;
    const request = this.#request;
    if (request.destroyed) {
      sink.broken();
      return;
    }
    request.on('data', this.#onData).on('end', this.#onEnd).on('error', this.#onBroken).on('close', this.#onBroken);
  }

  resume(): void {
    if (this.#sink !== undefined) this.#request.resume();
  }

  /** Nobody wants the rest: it is read and forgotten, up to a limit. The connection has an answer to carry. */
  discard(): void {
    this.#stop();
    if (!this.#request.readableEnded) drain(this.#request);
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#sink?.write(chunk) === false) this.#request.pause();
  };

  readonly #onEnd = (): void => {
    const sink = this.#sink;
    this.#stop();
    sink?.end();
  };

  readonly #onBroken = (): void => {
    const sink = this.#sink;
    this.#stop();
    sink?.broken();
  };

  #stop(): void {
    this.#sink = undefined;
    const request = this.#request;
    request.off('data', this.#onData).off('end', this.#onEnd).off('error', this.#onBroken).off('close', this.#onBroken);
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
