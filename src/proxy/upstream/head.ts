import type { FlatHeaders } from '../identity-headers.ts';
import { brokenAnswer } from './failures.ts';

/** Of the head of one answer. */
const MAX_HEAD_BYTES = 64 * 1024;

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Field values and reasons (RFC 9110 §5.5): visible characters, blanks, tabs, bytes beyond ASCII. */
const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
/** No more than a number holds exactly; no zeros in front, which somebody could read as octal. */
const LENGTH = /^(?:0|[1-9]\d{0,14})$/;
const KEEP_ALIVE_TIMEOUT = /(?:^|[,;\t ])timeout=(\d{1,6})(?=$|[,;\t ])/i;
const VERSION = 'HTTP/1.';

const [TAB, CR, SPACE, ZERO, NINE] = [0x09, 0x0d, 0x20, 0x30, 0x39];

type Kind = 'plain' | 'content-length' | 'transfer-encoding' | 'connection' | 'keep-alive' | 'upgrade';

const SPECIAL: ReadonlySet<string> = new Set<Kind>([
  ...(['content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade'] as const),
]);

/** Names that were looked at once: an upstream sends the same few again and again. */
const KINDS = new Map<string, Kind>();
const MEMO_LIMIT = 2_000;
const MEMO_NAME = 64;

/**
 * Reads the head of one answer, strictly (RFC 9112 §4, §5): lines end in CRLF, nothing is folded, no blank stands before
 * a colon, no control character anywhere, and what frames the body is said once and in one way. Everything else throws
 * `upstream_invalid`.
 */
export class AnswerHead {
  /** 0: the status line is not read yet. */
  status = 0;
  reason = '';
  /** name, value, … in the order and spelling in which they came. */
  readonly headers: FlatHeaders = [];
  /** Content-Length; -1: not said. */
  length = -1;
  isChunked = false;
  /** The upstream closes the connection after this answer (`Connection: close`, HTTP/1.0). */
  isLast = false;
  /** `Keep-Alive: timeout`, in seconds. */
  keepAliveSeconds: number | undefined;
  #isOld = false;
  #size = 0;
  /** Of a line that is not whole yet. */
  #rest = '';
  #connection = '';
  #upgrade = '';

  /** Takes the next piece, as latin1. Where the head ends in it, or -1: more is needed. */
  read(text: string): number {
    const before = this.#rest.length;
    // Joined only when a line ends: a head that comes byte by byte costs no more than its length.
    let lf = text.indexOf('\n');
    if (lf === -1) return this.#keep(this.#rest + text, text.length);
    const all = before === 0 ? text : this.#rest + text;
    let at = 0;
    for (lf += before; lf !== -1; lf = all.indexOf('\n', at)) {
      const end = lf - 1;
      if (end < at || all.charCodeAt(end) !== CR) throw brokenAnswer('a line does not end in CRLF');
      if (this.status === 0) this.#statusLine(all, at, end);
      else if (end === at) return this.#finish(lf + 1 - before);
      else this.#field(all, at, end);
      at = lf + 1;
    }
    return this.#keep(all.slice(at), text.length);
  }

  /** Whether this is the switch to WebSocket that was asked for (RFC 6455 §4.1). */
  get isWebSocket(): boolean {
    return this.status === 101 && this.#upgrade.toLowerCase() === 'websocket' && hasToken(this.#connection, 'upgrade');
  }

  #keep(rest: string, bytes: number): number {
    this.#count(bytes);
    this.#rest = rest;
    // What is no HTTP often has no lines either: nobody should wait for one.
    if (this.status === 0 && !rest.startsWith(VERSION) && !VERSION.startsWith(rest)) {
      throw brokenAnswer('it does not begin as HTTP/1');
    }
    return -1;
  }

  #count(bytes: number): void {
    this.#size += bytes;
    if (this.#size > MAX_HEAD_BYTES) throw brokenAnswer('its head is larger than 64 KiB');
  }

  #statusLine(text: string, at: number, end: number): void {
    const minor = text.charCodeAt(at + 7) - ZERO;
    const isLine =
      end - at >= 13 &&
      text.startsWith(VERSION, at) &&
      (minor === 0 || minor === 1) &&
      text.charCodeAt(at + 8) === SPACE &&
      text.charCodeAt(at + 12) === SPACE;
    if (!isLine) throw brokenAnswer('its status line is none');
    let status = 0;
    for (let digit = at + 9; digit < at + 12; digit += 1) {
      const code = text.charCodeAt(digit);
      if (code < ZERO || code > NINE) throw brokenAnswer('its status is no number');
      status = status * 10 + (code - ZERO);
    }
    if (status < 100 || status > 599) throw brokenAnswer('there is no such status');
    const reason = text.slice(at + 13, end);
    if (!TEXT.test(reason)) throw brokenAnswer('its reason holds control characters');
    this.status = status;
    this.reason = reason;
    this.#isOld = minor === 0;
    this.isLast = minor === 0;
  }

  #field(text: string, at: number, end: number): void {
    const colon = text.indexOf(':', at);
    if (colon === -1 || colon > end) throw brokenAnswer('a header has no colon');
    const name = text.slice(at, colon);
    const kind = KINDS.get(name) ?? kindOf(name);
    let from = colon + 1;
    let to = end;
    while (from < to && isBlank(text.charCodeAt(from))) from += 1;
    while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
    const value = text.slice(from, to);
    if (!TEXT.test(value)) throw brokenAnswer('a header holds control characters');
    this.headers.push(name, value);
    if (kind !== 'plain') this.#frame(kind, value);
  }

  #frame(kind: Exclude<Kind, 'plain'>, value: string): void {
    if (kind === 'content-length') {
      if (this.length !== -1) throw brokenAnswer('more than one Content-Length');
      if (!LENGTH.test(value)) throw brokenAnswer('a Content-Length that is none');
      this.length = Number(value);
    } else if (kind === 'transfer-encoding') {
      if (this.isChunked) throw brokenAnswer('more than one Transfer-Encoding');
      if (value.toLowerCase() !== 'chunked') throw brokenAnswer('a Transfer-Encoding other than chunked');
      this.isChunked = true;
    } else if (kind === 'connection') {
      if (hasToken(value, 'close')) this.isLast = true;
      this.#connection = this.#connection === '' ? value : `${this.#connection},${value}`;
    } else if (kind === 'keep-alive') {
      const seconds = KEEP_ALIVE_TIMEOUT.exec(value)?.[1];
      if (seconds !== undefined) this.keepAliveSeconds = Number(seconds);
    } else {
      this.#upgrade = this.#upgrade === '' ? value : `${this.#upgrade},${value}`;
    }
  }

  #finish(end: number): number {
    this.#count(end);
    this.#rest = '';
    const { status, isChunked } = this;
    if (isChunked && this.length !== -1) throw brokenAnswer('Content-Length with Transfer-Encoding');
    if (isChunked && this.#isOld) throw brokenAnswer('Transfer-Encoding in HTTP/1.0');
    if (isChunked && status === 204) throw brokenAnswer('Transfer-Encoding in a 204');
    if (status < 200 && (isChunked || this.length !== -1)) throw brokenAnswer('a body in an interim answer');
    return end;
  }
}

/** Throws for a name that is none (RFC 9110 §5.1). */
function kindOf(name: string): Kind {
  if (!TOKEN.test(name)) throw brokenAnswer('the name of a header is none');
  const lower = name.toLowerCase();
  const kind = SPECIAL.has(lower) ? (lower as Kind) : 'plain';
  if (KINDS.size < MEMO_LIMIT && name.length <= MEMO_NAME) KINDS.set(name, kind);
  return kind;
}

function hasToken(list: string, token: string): boolean {
  if (list.length === token.length) return list.toLowerCase() === token;
  return list.includes(',') && list.split(',').some((part) => part.trim().toLowerCase() === token);
}

function isBlank(code: number): boolean {
  return code === SPACE || code === TAB;
}
