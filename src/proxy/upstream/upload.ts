import type { Socket } from 'node:net';
import type { LatchgateError } from '../../model/errors.ts';
import type { BodySink, RequestBody } from '../request-body.ts';
import { unforwardable, unreachable } from './failures.ts';
import type { RequestHead } from './request-head.ts';

/** Bodies up to this size that are here already leave in one write together with the head. */
const SMALL_BODY = 16 * 1024;

/** What an upload tells the connection that it goes over. */
export interface UploadEvents {
  moved(): void;
  sent(): void;
  failed(error: LatchgateError): void;
}

/** Sends one request whose body is as long as its head says, no byte more or less, and as fast as the socket takes it. */
export class Upload implements BodySink {
  readonly #socket: Socket;
  readonly #body: RequestBody;
  readonly #length: number;
  readonly #events: UploadEvents;
  #bytes = 0;

  constructor(socket: Socket, body: RequestBody, length: number, events: UploadEvents) {
    this.#socket = socket;
    this.#body = body;
    this.#length = length;
    this.#events = events;
  }

  start(head: RequestHead): void {
    const whole = this.#body.takeWhole(SMALL_BODY);
    if (whole === undefined) {
      this.#socket.write(head.text, 'latin1');
      this.#body.start(this);
    } else if (this.#fits(whole.length, true)) {
      this.#socket.write(head.text + this.#coded(whole.toString('latin1')), 'latin1');
      this.#events.sent();
    }
  }

  write(chunk: Buffer): boolean {
    if (!this.#fits(chunk.length, false)) return false;
    this.#events.moved();
    const socket = this.#socket;
    if (this.#length !== -1) return socket.write(chunk);
    socket.cork();
    socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1');
    socket.write(chunk);
    const goesOn = socket.write('\r\n', 'latin1');
    socket.uncork();
    return goesOn;
  }

  end(): void {
    if (!this.#fits(0, true)) return;
    if (this.#length === -1) this.#socket.write('0\r\n\r\n', 'latin1');
    this.#events.sent();
  }

  broken(): void {
    this.#events.failed(unreachable('the client gave up'));
  }

  /** The socket takes more. */
  resume(): void {
    this.#body.resume();
  }

  #fits(bytes: number, isEnd: boolean): boolean {
    this.#bytes += bytes;
    const fits = this.#length === -1 || (isEnd ? this.#bytes === this.#length : this.#bytes <= this.#length);
    if (!fits) this.#events.failed(unforwardable('its body is longer or shorter than it says'));
    return fits;
  }

  #coded(body: string): string {
    if (this.#length !== -1) return body;
    return body === '' ? '0\r\n\r\n' : `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  }
}
