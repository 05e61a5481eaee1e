import { type BodyReader, ChunkedBody, CountedBody, OpenBody } from './body.ts';
import { brokenAnswer } from './failures.ts';
import { AnswerHead } from './head.ts';

/** What is read at once and is no larger is dealt with as text: one copy, and one write together with the head. */
export const SMALL_BODY = 16 * 1024;
/** Heads are looked for in portions of this size when much more was read. */
const HEAD_PORTION = 2 * 1024;
const ONE_TEXT = SMALL_BODY + HEAD_PORTION;
/** 100 and 103, ahead of the answer itself. */
const MAX_INTERIM = 16;

/**
 * Reads one answer out of the pieces in which it comes, however they are cut. What the last `read` found stands in the
 * members; interim answers (RFC 9110 §15.2) are skipped.
 */
export class AnswerReader {
  /** Whole once `isAnswered`. */
  head = new AnswerHead();
  isAnswered = false;
  /** Nothing of this answer is missing. */
  isComplete = false;
  /** Something stood behind it. */
  isSurplus = false;
  /** The body says nowhere how long it is. */
  lacksLength = false;
  /** Small bodies that came along with the head, as latin1: the whole body. */
  text = '';
  /** Of the body, in the memory of the chunk that was read. */
  pieces: Buffer[] = [];
  /** Length of `pieces` together. */
  bytes = 0;
  /** What stood behind a 101. */
  rest: Buffer | undefined;
  readonly #isHead: boolean;
  #body: BodyReader | undefined;
  #interim = 0;

  /** `method`: of the request. An answer to HEAD has no body, whatever it says. */
  constructor(method: string) {
    this.#isHead = method === 'HEAD';
  }

  /** Throws `upstream_invalid` for anything that could be read in two ways. Not to be called once it is complete. */
  read(chunk: Buffer): void {
    if (this.#body === undefined) this.#readHead(chunk);
    else this.#readBody(this.#body, chunk, 0);
  }

  /** Its body is everything until the upstream closes. */
  get endsWithConnection(): boolean {
    return this.#body?.endsWithConnection === true;
  }

  /** The upstream closed. Whether the answer is complete by that. */
  end(): boolean {
    this.pieces = [];
    this.bytes = 0;
    this.isComplete = this.endsWithConnection;
    return this.isComplete;
  }

  #readHead(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const to = chunk.length <= ONE_TEXT ? chunk.length : Math.min(chunk.length, at + HEAD_PORTION);
      const text = chunk.toString('latin1', at, to);
      const end = this.head.read(text);
      at = end === -1 ? to : at + end;
      if (end === -1) continue;
      const { status } = this.head;
      if (status >= 200 || status === 101) {
        this.isAnswered = true;
        if (status === 101) this.rest = chunk.subarray(at);
        else this.#begin(chunk, at, text.slice(end));
        return;
      }
      this.#interim += 1;
      if (this.#interim > MAX_INTERIM) throw brokenAnswer('too many interim answers');
      this.head = new AnswerHead();
    }
  }

  /** `text` is what of the chunk was read together with the head and stands behind it. */
  #begin(chunk: Buffer, at: number, text: string): void {
    const { head } = this;
    const isBare = this.#isHead || head.status === 204 || head.status === 304;
    const length = isBare ? 0 : head.length;
    this.lacksLength = length === -1;
    if (length >= 0 && length <= SMALL_BODY && length <= text.length) {
      this.text = text.slice(0, length);
      this.isComplete = true;
      this.isSurplus = at + length < chunk.length;
      return;
    }
    this.#body = head.isChunked ? new ChunkedBody() : length === -1 ? new OpenBody() : new CountedBody(length);
    this.#readBody(this.#body, chunk, at);
  }

  #readBody(body: BodyReader, chunk: Buffer, at: number): void {
    const pieces: Buffer[] = [];
    const end = body.read(chunk, at, pieces);
    let bytes = 0;
    for (const piece of pieces) bytes += piece.length;
    this.pieces = pieces;
    this.bytes = bytes;
    this.isComplete = body.isComplete;
    this.isSurplus = end < chunk.length;
  }
}
