import type { IncomingMessage } from 'node:http';

/** A body that nobody wants any more is read to its end for so long, so that the connection can go on. */
const DRAIN_MS = 30_000;
/** Of more than this little more is read: just so long that a client that sends first and reads later finds its answer. */
const [DRAIN_BYTES, LINGER_MS] = [1024 * 1024, 5_000];
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

/**
 * Reads and forgets what is left of a body, for a while; then the connection is closed. Not at once: closed over bytes
 * that nobody has read, it would take the answer along before the client has seen it (RFC 9112 §9.6).
 */
export function drain(request: IncomingMessage): void {
  request.on('error', () => {});
  if (!request.complete) {
    let left = DRAIN_BYTES;
    let ends = endBody(request, DRAIN_MS);
    request.on('data', (chunk: Buffer) => {
      const before = left;
      left -= chunk.length;
      if (before < 0 || left >= 0) return;
      ends();
      ends = endBody(request, LINGER_MS);
    });
  }
  request.resume();
}

/** Ends the connection of a body that is not here after `ms`, by `late` if it is given. Returns how to call that off. */
export function endBody(request: IncomingMessage, ms: number, late?: () => void): () => void {
  const { socket } = request;
  const timer = setTimeout(() => {
    if (request.complete) return;
    if (late === undefined) socket.destroy();
    else late();
  }, ms).unref();
  const stop = (): void => clearTimeout(timer);
  request.once('close', stop);
  return stop;
}
