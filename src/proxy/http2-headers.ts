import type { OutgoingHttpHeaders } from 'node:http2';

/** A request of HTTP/2 as HTTP/1.1 has it. */
export interface RequestHead {
  readonly method: string;
  readonly path: string;
  /** Name, value, name, value, in order. `host` is first. */
  readonly headers: readonly string[];
  readonly hasLength: boolean;
}

/** They belong to one connection of HTTP/1.1 and have no meaning here (RFC 9113 §8.2.2). */
const OF_CONNECTION = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'http2-settings'],
]);
const PSEUDO = new Set([':method', ':scheme', ':authority', ':path']);

/**
 * Reads the header list of a request (RFC 9113 §8.3.1). An `:authority` that `host` belies stays beside it, so that
 * there are two hosts and the request is refused as such. Undefined for what has no place in a request of HTTP/2, and
 * for CONNECT.
 */
export function toRequestHead(raw: readonly string[]): RequestHead | undefined {
  const pseudo = new Map<string, string>();
  const headers: string[] = [];
  const cookies: string[] = [];
  let hasLength = false;
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = raw[at] as string;
    const value = raw[at + 1] as string;
    if (name.startsWith(':')) {
      // Once each, and before all others.
      if (!PSEUDO.has(name) || pseudo.has(name) || headers.length > 0 || cookies.length > 0) return undefined;
      pseudo.set(name, value);
    } else if (OF_CONNECTION.has(name) || name !== name.toLowerCase() || (name === 'te' && value !== 'trailers')) {
      return undefined;
    } else if (name === 'cookie') cookies.push(value);
    else {
      if (name === 'content-length') hasLength = true;
      headers.push(name, value);
    }
  }
  const [method, path, authority] = [':method', ':path', ':authority'].map((name) => pseudo.get(name));
  if (method === undefined || method === 'CONNECT' || path === undefined || pseudo.get(':scheme') !== 'https') {
    return undefined;
  }
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) return undefined;
  if (cookies.length > 0) headers.push('cookie', cookies.join('; '));
  return { method, path, headers: withAuthority(headers, authority), hasLength };
}

/** RFC 9113 §8.3.1: `:authority` is what Host is in HTTP/1.1. */
function withAuthority(headers: readonly string[], authority: string | undefined): readonly string[] {
  if (authority === undefined) return headers;
  const isSame = (at: number) => headers[at] === 'host' && headers[at + 1]?.toLowerCase() === authority.toLowerCase();
  return ['host', authority, ...headers.filter((_, at) => !isSame(at - (at % 2)))];
}

/** The head of an answer of HTTP/1.1 for HTTP/2, without what belongs to one connection (RFC 9113 §8.2.2). */
export function toAnswerHeaders(status: number, raw: readonly string[]): OutgoingHttpHeaders {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] as string).toLowerCase();
    const value = raw[at + 1] as string;
    if (OF_CONNECTION.has(name) || name === 'trailer' || name.startsWith(':')) continue;
    // RFC 9110 §15.3.6: it has no content. Node sends none, and a length would make a broken stream of that.
    if (status === 205 && name === 'content-length') continue;
    const before = headers[name];
    if (name === 'set-cookie') headers[name] = [...((before as string[] | undefined) ?? []), value];
    // RFC 9110 §5.3; Node would refuse to send some names twice.
    else headers[name] = before === undefined ? value : `${before as string}, ${value}`;
  }
  return Object.assign(headers, { ':status': status });
}
