import type { Socket } from 'node:net';
import { type LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { atEndOfTurn } from '../../ops/turn.ts';
import { AnswerReader, SMALL_BODY } from './answer.ts';
import type { Carrier, Exchange, Written } from './exchange.ts';
import { brokenAnswer, failureOf, haltedUpload, tooSlow, unreachable } from './failures.ts';
import type { AnswerHead } from './head.ts';
import { connectTo, type Place } from './place.ts';
import { ReadBuffer } from './read-buffer.ts';
import { Upload, type UploadEvents } from './upload.ts';

/** In milliseconds. */
export interface Limits {
  readonly connect: number;
  readonly answer: number;
  readonly idle: number;
}

/** Whom a connection belongs to. */
export interface Owner {
  readonly place: Place;
  readonly limits: Limits;
  /** Milliseconds of a monotonic clock that ticks coarsely: it is read with every piece. */
  readonly now: number;
  /** The answer is complete, and nothing stands in the way of another exchange. */
  free(connection: Connection, keepAliveSeconds: number | undefined): void;
  /** A connection that was idle turned out to be no good, and this exchange can safely be tried on a new one. */
  again(exchange: Exchange): void;
  /** The connection is not ours any more: closed, or a tunnel from now on. */
  gone(connection: Connection): void;
}

/** One connection to an upstream: carries one exchange at a time, and after anything odd none any more. */
export class Connection implements Carrier, UploadEvents {
  /** When something moved last, on the owner's clock. */
  movedAt: number;
  /** How long nothing may move, in milliseconds. */
  limitMs: number;
  readonly socket: Socket;
  readonly #owner: Owner;
  readonly #buffer: ReadBuffer | undefined;
  #exchange: Exchange | undefined;
  #answer: AnswerReader | undefined;
  #upload: Upload | undefined;
  #isOpen = false;
  #isReused = false;
  #isPaused = false;
  #hasBytes = false;
  #error: Error | undefined;

  constructor(owner: Owner, exchange: Exchange) {
    this.#owner = owner;
    this.movedAt = owner.now;
    this.limitMs = owner.limits.connect;
    this.#exchange = exchange;
    exchange.carrier = this;
    // A tunnel is read by others later on, and TLS gives pieces of its own: neither can do with our buffer.
    const isPlain = owner.place.tls === undefined;
    this.#buffer = isPlain && exchange.request.upgrade === undefined ? new ReadBuffer() : undefined;
    this.socket = connectTo(owner.place, this.#buffer, this.#onData);
    this.socket.on(isPlain ? 'connect' : 'secureConnect', () => {
      this.#isOpen = true;
      atEndOfTurn(this.#send);
    });
    this.socket.on('drain', this.#onDrain).on('end', this.#onEnd).on('error', this.#onError).on('close', this.#onClose);
  }

  /** Only for a connection that is free. */
  start(exchange: Exchange): void {
    this.#isReused = true;
    this.#hasBytes = false;
    this.moved();
    this.#exchange = exchange;
    exchange.carrier = this;
    atEndOfTurn(this.#send);
  }

  resume(): void {
    this.#isPaused = false;
    this.moved();
    this.socket.resume();
  }

  drop(): void {
    this.#exchange = undefined;
    this.socket.destroy();
  }

  /** Nothing moved for `limitMs`. */
  expire(): void {
    if (this.#exchange === undefined) this.socket.destroy();
    else if (!this.#isOpen) this.failed(tooSlow('no connection to the backend in time'));
    else if (this.#isPaused) this.failed(unreachable('the client stopped reading'));
    else if (this.#answer?.isAnswered === true) this.failed(tooSlow('the answer of the backend came to a halt'));
    else if (this.#upload !== undefined) this.failed(haltedUpload(this.socket.writableNeedDrain));
    else this.failed(tooSlow('the backend did not answer in time'));
  }

  moved(): void {
    this.movedAt = this.#owner.now;
  }

  sent(): void {
    this.#upload = undefined;
    this.moved();
    if (this.#answer?.isAnswered !== true) this.limitMs = this.#owner.limits.answer;
  }

  failed(error: LatchgateError): void {
    const exchange = this.#exchange;
    this.#exchange = undefined;
    this.#upload = undefined;
    this.socket.destroy();
    exchange?.fail(error);
  }

  readonly #send = (): void => {
    const exchange = this.#exchange;
    if (exchange === undefined || this.socket.destroyed) return;
    this.moved();
    const { head, request } = exchange;
    this.#answer = new AnswerReader(request.method);
    if (request.body === null) {
      this.limitMs = this.#owner.limits.answer;
      this.socket.write(head.text, 'latin1');
    } else {
      this.limitMs = this.#owner.limits.idle;
      this.#upload = new Upload(this.socket, request.body, head.bodyLength, this);
      this.#upload.start(head);
    }
  };

  readonly #onData = (chunk: Buffer): void => {
    const exchange = this.#exchange;
    const answer = this.#answer;
    // Nobody asked for anything yet: whatever it is, it must not be taken for the next answer.
    if (exchange === undefined || answer === undefined) {
      this.#lost(brokenAnswer('it came before the request'));
      return;
    }
    this.#hasBytes = true;
    try {
      this.#read(exchange, answer, chunk);
    } catch (error) {
      this.failed(toLatchgateError(error));
    }
  };

  #read(exchange: Exchange, answer: AnswerReader, chunk: Buffer): void {
    const wasAnswered = answer.isAnswered;
    answer.read(chunk);
    // The head has its time as a whole, however it trickles in.
    if (!answer.isAnswered) return;
    this.moved();
    if (answer.rest !== undefined) {
      this.#switch(exchange, answer.head, answer.rest);
      return;
    }
    if (!wasAnswered) {
      this.limitMs = this.#owner.limits.idle;
      exchange.answered(answer.head, answer.lacksLength);
    }
    const written = answer.bytes > SMALL_BODY ? this.#buffer?.handOver() : undefined;
    if (answer.isComplete) this.#complete(exchange, answer, written);
    else if (!exchange.pieces(answer, written)) {
      this.#isPaused = true;
      this.socket.pause();
    }
  }

  /** The answer is whole. What stands behind it answers nothing that we asked. */
  #complete(exchange: Exchange, answer: AnswerReader, written?: Written): void {
    exchange.complete(answer, written);
    const { isLast, keepAliveSeconds } = answer.head;
    const isOurs = this.#upload === undefined && exchange.request.upgrade === undefined;
    const isSpent = !isOurs || isLast || answer.isSurplus || answer.endsWithConnection;
    this.#exchange = undefined;
    this.#answer = undefined;
    this.#upload = undefined;
    if (isSpent) this.socket.destroy();
    else this.#owner.free(this, keepAliveSeconds);
  }

  #switch(exchange: Exchange, head: AnswerHead, rest: Buffer): void {
    if (exchange.request.upgrade === undefined || !head.isWebSocket)
      throw brokenAnswer('a switch that nobody asked for');
    const { socket } = this;
    this.#exchange = undefined;
    this.#owner.gone(this);
    socket.off('data', this.#onData).off('drain', this.#onDrain).off('end', this.#onEnd).off('close', this.#onClose);
    socket.pause();
    if (rest.length > 0) socket.unshift(rest);
    exchange.upgraded(head, socket);
  }

  readonly #onDrain = (): void => {
    this.moved();
    this.#upload?.resume();
  };

  readonly #onEnd = (): void => {
    const [exchange, answer] = [this.#exchange, this.#answer];
    if (exchange !== undefined && answer?.end() === true) this.#complete(exchange, answer);
    else this.#lost(undefined);
  };

  readonly #onError = (error: Error): void => {
    this.#error = error;
  };

  readonly #onClose = (): void => {
    this.#lost(this.#error);
    this.#buffer?.release();
    this.#owner.gone(this);
  };

  /** The upstream closed, or the network did. */
  #lost(cause: Error | undefined): void {
    const exchange = this.#exchange;
    if (exchange === undefined) this.socket.destroy();
    else if (this.#hasBytes) this.failed(brokenAnswer('it ends in the middle'));
    else if (this.#isReused && (exchange.isRepeatable || this.#answer === undefined)) {
      this.drop();
      this.#owner.again(exchange);
    } else this.failed(cause === undefined ? unreachable('the backend closed the connection') : failureOf(cause));
  }
}
