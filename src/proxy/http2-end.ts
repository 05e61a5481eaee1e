import type { ServerHttp2Session, ServerHttp2Stream } from 'node:http2';

const LOOK_AGAIN_MS = 20;

/*
 * Node lets a connection of HTTP/2 end, and resets a stream, in the middle of what it reads. By frames that stand behind
 * in the same read it then uses memory that it has freed, or comes upon a stream that nobody listens to
 * (nodejs/node#64113): anybody could end the process. What is ended between two reads is ended in peace.
 */

/** After the read that may be under way: a reset sends at once what waits, by which streams end, also that of the read. */
export function reset(stream: ServerHttp2Stream, code: number): void {
  setImmediate(() => stream.close(code));
}

/** The end of one connection. */
export class Http2End {
  readonly #session: ServerHttp2Session;
  #streams = 0;
  #isBegun = false;
  #looking: NodeJS.Timeout | undefined;

  constructor(session: ServerHttp2Session) {
    this.#session = session;
    session.on('stream', (stream: ServerHttp2Stream) => {
      this.#streams += 1;
      stream.once('close', () => {
        this.#streams -= 1;
        if (this.#isBegun) setImmediate(this.#look);
      });
    });
    session.on('goaway', () => {
      // Of a client that says so one of them is called next, and nothing in between.
      session.close = () => this.#later(() => this.begin());
      session.destroy = (error, code) => this.#later(() => session.destroy(error, code));
    });
    session.once('close', () => clearTimeout(this.#looking));
  }

  get hasStreams(): boolean {
    return this.#streams > 0;
  }

  /**
   * Closes the connection when its last stream has ended. What a client sends before it hears of that is not looked at,
   * and it knows that it may ask again elsewhere (RFC 9113 §6.8).
   */
  begin(): void {
    if (this.#isBegun || this.#session.destroyed) return;
    this.#isBegun = true;
    this.#session.goaway();
    setImmediate(this.#look);
  }

  /** Once Node calls a session closed it refuses further streams in the middle of a read, until the client has been told. */
  readonly #look = (): void => {
    const session = this.#session;
    if (session.destroyed || session.closed || this.#streams > 0) return;
    if ((session.state.outboundQueueSize ?? 0) === 0) session.close();
    else this.#looking = setTimeout(this.#look, LOOK_AGAIN_MS).unref();
  };

  #later(end: () => void): void {
    Reflect.deleteProperty(this.#session, 'close');
    Reflect.deleteProperty(this.#session, 'destroy');
    setImmediate(end);
  }
}
