import type { UpstreamRequest } from '../forward.ts';
import type { FlatHeaders } from '../identity-headers.ts';
import { unforwardable } from './failures.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const TEXT = /^[\t\x20-\x7e\x80-\xff]*$/;
const PATH = /^\/[\x21-\x7e\x80-\xff]*$/;
const HOST = /^[\x21-\x7e]+$/;
const LENGTH = /^\d{1,15}$/;

/** What frames a message or chooses its server is said here and nowhere else. */
const OURS: ReadonlySet<string> = new Set(['host', 'connection', 'transfer-encoding', 'upgrade', 'keep-alive', 'te']);
/** Without a body these say so (RFC 9110 §8.6). */
const WITH_BODY: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH']);

type Kind = 'plain' | 'content-length';

const KINDS = new Map<string, Kind>();
const MEMO_LIMIT = 2_000;
const MEMO_NAME = 64;

/** A request as it goes onto the wire, ready for one write. */
export interface RequestHead {
  readonly text: string;
  /** Of the body; -1: in chunks. */
  readonly bodyLength: number;
}

/**
 * Throws `request_invalid` for anything that would not be exactly one request there: control characters, names that are
 * none, two lengths, a length without a body.
 */
export function writeRequestHead(request: UpstreamRequest): RequestHead {
  const { method, path, host, headers, body } = request;
  if (!TOKEN.test(method) || !PATH.test(path) || !HOST.test(host)) throw unforwardable('its method, path or host');
  let text = `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n`;
  let length = -1;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] as string;
    const value = headers[at + 1] as string;
    const kind = KINDS.get(name) ?? kindOf(name);
    if (!TEXT.test(value)) throw unforwardable('a header holds control characters');
    if (kind === 'content-length') {
      if (length !== -1 || !LENGTH.test(value)) throw unforwardable('its Content-Length');
      length = Number(value);
      // Of no body it is said below, and only where one would be expected.
      if (body === null && length === 0) continue;
    }
    text += `${name}: ${value}\r\n`;
  }
  text += request.lines ?? '';
  if (request.upgrade !== undefined)
    return { text: `${text}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n`, bodyLength: 0 };
  if (body === null) {
    if (length > 0) throw unforwardable('a length without a body');
    return { text: WITH_BODY.has(method) ? `${text}Content-Length: 0\r\n\r\n` : `${text}\r\n`, bodyLength: 0 };
  }
  return { text: length === -1 ? `${text}Transfer-Encoding: chunked\r\n\r\n` : `${text}\r\n`, bodyLength: length };
}

/** Headers of ours as lines for `UpstreamRequest.lines`. Throws `request_invalid` as `writeRequestHead` does. */
export function headerLines(headers: readonly string[]): string {
  let lines = '';
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const [name, value] = [headers[at] as string, headers[at + 1] as string];
    if (kindOf(name) !== 'plain') throw unforwardable('the name of a header');
    if (!TEXT.test(value)) throw unforwardable('a header holds control characters');
    lines += `${name}: ${value}\r\n`;
  }
  // In one piece: what is put together of many is copied with each request that it is a part of.
  return Buffer.from(lines, 'latin1').toString('latin1');
}

/** The way back from `headerLines`. */
export function headersOf(lines: string): FlatHeaders {
  const list = lines.split('\r\n').slice(0, -1);
  return list.flatMap((line) => {
    const at = line.indexOf(': ');
    return [line.slice(0, at), line.slice(at + 2)];
  });
}

function kindOf(name: string): Kind {
  const lower = name.toLowerCase();
  if (!TOKEN.test(name) || OURS.has(lower)) throw unforwardable('the name of a header');
  const kind = lower === 'content-length' ? lower : 'plain';
  if (KINDS.size < MEMO_LIMIT && name.length <= MEMO_NAME) KINDS.set(name, kind);
  return kind;
}
