import { brokenAnswer } from './failures.ts';

/** Of one line of the chunked coding, extensions included. */
const MAX_LINE_BYTES = 1_024;
/** Of all extensions of one answer together, and of its trailers. */
const MAX_EXTRA_BYTES = 16 * 1024;

const TOKEN = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]+";
/** RFC 9112 §7.1 without blanks around extensions: who accepts them disagrees about where they may stand. */
const SIZE_LINE = new RegExp(`^([0-9A-Fa-f]{1,12})(?:;${TOKEN}(?:=(?:${TOKEN}|"[\\x20!#-\\[\\]-~]*"))?)*$`);
const TRAILER = new RegExp(`^(${TOKEN}):[\\t\\x20-\\x7e\\x80-\\xff]*$`);
/** They would frame the message once more (RFC 9110 §6.5.1). */
const NEVER_TRAILERS = /^(?:content-length|transfer-encoding|connection|upgrade|host|te|trailer)$/i;

const [LF, CR] = [0x0a, 0x0d];

/** Takes the body of one answer out of what comes behind the head. */
export interface BodyReader {
  readonly isComplete: boolean;
  /** Whether the upstream may close now, because that is how this body ends. */
  readonly endsWithConnection: boolean;
  /**
   * Reads `chunk` from `at` on and appends what is body to `pieces`, which share the chunk's memory. Where the body
   * ends in it, or the chunk's length. Throws `upstream_invalid`.
   */
  read(chunk: Buffer, at: number, pieces: Buffer[]): number;
}

/** As many bytes as were announced. */
export class CountedBody implements BodyReader {
  readonly endsWithConnection = false;
  #left: number;

  constructor(length: number) {
    this.#left = length;
  }

  get isComplete(): boolean {
    return this.#left === 0;
  }

  read(chunk: Buffer, at: number, pieces: Buffer[]): number {
    const end = Math.min(chunk.length, at + this.#left);
    if (end > at) pieces.push(at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end));
    this.#left -= end - at;
    return end;
  }
}

/** Everything until the upstream closes (RFC 9112 §6.3, last rule). */
export class OpenBody implements BodyReader {
  readonly isComplete = false;
  readonly endsWithConnection = true;

  read(chunk: Buffer, at: number, pieces: Buffer[]): number {
    if (at < chunk.length) pieces.push(chunk.subarray(at));
    return chunk.length;
  }
}

type ChunkState = 'size' | 'data' | 'cr' | 'lf' | 'trailers' | 'done';

/** The chunked coding (RFC 9112 §7.1). Extensions and trailers are read strictly and dropped. */
export class ChunkedBody implements BodyReader {
  readonly endsWithConnection = false;
  #state: ChunkState = 'size';
  #left = 0;
  #line = '';
  #extraBytes = 0;

  get isComplete(): boolean {
    return this.#state === 'done';
  }

  read(chunk: Buffer, start: number, pieces: Buffer[]): number {
    let at = start;
    while (at < chunk.length && this.#state !== 'done') {
      if (this.#state === 'data') at = this.#data(chunk, at, pieces);
      else if (this.#state === 'cr' || this.#state === 'lf') at = this.#expectLineEnd(chunk, at);
      else at = this.#lineEnd(chunk, at);
    }
    return at;
  }

  #data(chunk: Buffer, at: number, pieces: Buffer[]): number {
    const end = Math.min(chunk.length, at + this.#left);
    pieces.push(chunk.subarray(at, end));
    this.#left -= end - at;
    if (this.#left === 0) this.#state = 'cr';
    return end;
  }

  #expectLineEnd(chunk: Buffer, at: number): number {
    if (chunk[at] !== (this.#state === 'cr' ? CR : LF)) throw brokenAnswer('a chunk is longer than it says');
    this.#state = this.#state === 'cr' ? 'lf' : 'size';
    return at + 1;
  }

  #lineEnd(chunk: Buffer, at: number): number {
    const lf = chunk.indexOf(LF, at);
    const end = lf === -1 ? chunk.length : lf + 1;
    if (this.#line.length + end - at > MAX_LINE_BYTES) throw brokenAnswer('a line of its chunks is too long');
    const line = this.#line + chunk.toString('latin1', at, end);
    this.#line = lf === -1 ? line : '';
    if (lf === -1) return end;
    if (line.charCodeAt(line.length - 2) !== CR) throw brokenAnswer('a line of its chunks does not end in CRLF');
    if (this.#state === 'size') this.#size(line.slice(0, -2));
    else this.#trailer(line.slice(0, -2));
    return end;
  }

  #size(line: string): void {
    const digits = SIZE_LINE.exec(line)?.[1];
    if (digits === undefined) throw brokenAnswer('the size of a chunk is none');
    this.#extra(line.length - digits.length);
    this.#left = Number.parseInt(digits, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'data';
  }

  #trailer(line: string): void {
    if (line === '') {
      this.#state = 'done';
      return;
    }
    const name = TRAILER.exec(line)?.[1];
    if (name === undefined || NEVER_TRAILERS.test(name)) throw brokenAnswer('a trailer that is none');
    this.#extra(line.length);
  }

  #extra(bytes: number): void {
    this.#extraBytes += bytes;
    if (this.#extraBytes > MAX_EXTRA_BYTES) throw brokenAnswer('its chunk extensions or trailers are too large');
  }
}
