import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type LatchgateError, toLatchgateError } from '../../model/errors.ts';
import { atEndOfTurn } from '../../ops/turn.ts';
import type { ExchangeEvents, UpstreamRequest } from '../forward.ts';
import type { FlatHeaders } from '../identity-headers.ts';
import { type AnswerReader, SMALL_BODY } from './answer.ts';
import { failureOf } from './failures.ts';
import type { AnswerHead } from './head.ts';
import type { RequestHead } from './request-head.ts';

/** Held for a client that reads slowly, before the upstream is made to wait. */
const HELD_AT_MOST = 128 * 1024;
/** Asking twice changes no more than asking once (RFC 9110 §9.2.2). */
const REPEATABLE: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);
const VISIBLE = /^[\t -~]*$/;

/** Called when the memory of the pieces is needed no more. */
export type Written = (error?: Error | null) => void;

/** Whoever has an exchange in hand: a connection, or the queue for one. */
export interface Carrier {
  /** The client takes more. */
  resume(): void;
  /** The exchange is over before its answer is. */
  drop(): void;
}

/** One request and its answer: from here on the client's side of it. */
export class Exchange {
  readonly head: RequestHead;
  readonly request: UpstreamRequest;
  /** May be sent once more when the connection turns out to be closed before a byte of the answer. */
  isRepeatable: boolean;
  carrier: Carrier | undefined;
  readonly #response: ServerResponse;
  readonly #events: ExchangeEvents;
  #status = 0;
  #reason = '';
  #headers: FlatHeaders = [];
  /** Its length is nowhere said: it is added when the body turns out to be here as a whole. */
  #lacksLength = false;
  #rest: string | Buffer = '';
  #written: Written | undefined;
  #isOver = false;

  constructor(request: UpstreamRequest, head: RequestHead, response: ServerResponse, events: ExchangeEvents) {
    this.request = request;
    this.head = head;
    this.isRepeatable = request.body === null && REPEATABLE.has(request.method);
    this.#response = response;
    this.#events = events;
    response.once('close', this.#onClose);
  }

  answered(head: AnswerHead, lacksLength: boolean): void {
    this.#status = head.status;
    this.#lacksLength = lacksLength;
    this.#reason = VISIBLE.test(head.reason) ? head.reason : '';
    this.#headers = this.#events.answered(head.status, head.headers).headers;
  }

  /**
   * A part of the body. More than SMALL_BODY is kept until it is `written`, less is copied. False: `resume` says when to
   * go on.
   */
  pieces({ pieces, bytes, lacksLength }: AnswerReader, written?: Written): boolean {
    const response = this.#response;
    // What is announced takes the head along; what is not may be long in coming.
    if (bytes === 0 && !lacksLength) return true;
    this.#begin();
    if (bytes > SMALL_BODY) {
      const last = this.#writeAllButLast(pieces);
      response.write(last, this.#whenWritten(written));
    } else if (bytes > 0) response.write(textOf(pieces), 'latin1');
    else response.flushHeaders();
    if (response.writableLength < HELD_AT_MOST) return true;
    response.once('drain', this.#onDrain);
    return false;
  }

  /** The last of the body: sent at the end of this turn of the event loop. */
  complete({ text, pieces, bytes }: AnswerReader, written?: Written): void {
    if (bytes <= SMALL_BODY) this.#rest = bytes === 0 ? text : textOf(pieces);
    else {
      this.#begin();
      this.#rest = this.#writeAllButLast(pieces);
      this.#written = this.#whenWritten(written);
    }
    this.#finish();
    atEndOfTurn(this.#end);
  }

  upgraded(head: AnswerHead, socket: Duplex): void {
    this.#finish();
    if (this.#events.upgraded === undefined) socket.destroy();
    else this.#events.upgraded(head.headers, socket);
  }

  /** An answer that has begun is broken off, so that nobody takes half for whole. */
  fail(error: LatchgateError): void {
    if (this.#isOver) return;
    this.#finish();
    const started = this.#response.headersSent;
    if (started) this.#response.destroy();
    this.#events.failed(error, started);
  }

  giveUp(reason: Error): void {
    if (this.#isOver) return;
    const { carrier } = this;
    this.fail(failureOf(reason));
    carrier?.drop();
  }

  #begin(): void {
    const response = this.#response;
    if (response.headersSent) return;
    const { body } = this.request;
    if (body === null || response.req.headers.expect === undefined) {
      response.writeHead(this.#status, this.#reason, this.#headers);
      return;
    }
    // A header was set on this response and taken back before the client was told to continue: from then on Node merges
    // lists by name, and of several Set-Cookie lines the last would remain.
    for (let at = 0; at + 1 < this.#headers.length; at += 2) {
      response.appendHeader(this.#headers[at] as string, this.#headers[at + 1] as string);
    }
    response.writeHead(this.#status, this.#reason);
  }

  /** The kernel has taken what it says is written; a pipe within the process may still hold it. */
  #whenWritten(written: Written | undefined): Written | undefined {
    return this.#response.socket instanceof Socket ? written : undefined;
  }

  #writeAllButLast(pieces: readonly Buffer[]): Buffer {
    const last = pieces.length - 1;
    for (let at = 0; at < last; at += 1) this.#response.write(pieces[at]);
    return pieces[last] as Buffer;
  }

  #finish(): void {
    this.#isOver = true;
    this.carrier = undefined;
    this.#response.off('close', this.#onClose).off('drain', this.#onDrain);
    this.request.body?.discard();
  }

  readonly #end = (): void => {
    const response = this.#response;
    const rest = this.#rest;
    try {
      if (!response.destroyed) {
        if (this.#lacksLength && !response.headersSent) this.#headers.push('Content-Length', String(rest.length));
        this.#begin();
        if (typeof rest !== 'string') response.end(rest, this.#written);
        else if (rest === '') response.end();
        else {
          // Ended in the same step, Node would make two pieces of it, the second empty, and gather them for one write.
          response.write(rest, 'latin1');
          process.nextTick(endOf, response);
        }
      }
    } catch (error) {
      response.destroy();
      this.#events.failed(toLatchgateError(error), true);
      return;
    }
    this.#events.done(this.#status);
  };

  readonly #onClose = (): void => this.giveUp(new Error('the client gave up'));

  readonly #onDrain = (): void => this.carrier?.resume();
}

function endOf(response: ServerResponse): void {
  response.end();
}

function textOf(pieces: readonly Buffer[]): string {
  let text = '';
  for (const piece of pieces) text += piece.toString('latin1');
  return text;
}
